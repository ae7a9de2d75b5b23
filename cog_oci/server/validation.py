"""Check a request's input against the schema document that ships with the model.

The part of JSON Schema that Cog's documents use (OpenAPI 3.0 §4.7.24): type, nullable, enum, minimum, maximum,
minLength, maxLength, pattern, items, allOf, anyOf and $ref. The texts are those that Cog's clients know.
"""

from __future__ import annotations

import json
import logging
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["InputSchema", "Problem", "read_document"]

log = logging.getLogger("cog_oci")

_DOCUMENT = Path(".cog/openapi_schema.json")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with one field; `field` is a path such as `prompts/0`."""

    field: str
    message: str
    missing: bool = False

    def as_json(self) -> dict[str, Any]:
        """The problem as an item of the answer's `detail`."""
        kind = "value_error.missing" if self.missing else "value_error"
        return {"loc": ["body", "input", self.field], "msg": self.message, "type": kind}


def read_document(folder: Path) -> dict[str, Any] | None:
    """The schema document of the project in `folder`, None if it has none that can be read."""
    path = folder / _DOCUMENT
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        log.warning("cannot read %s, input is not validated: %s", path, error)
        return None
    return document if isinstance(document, dict) else None


class InputSchema:
    """The `Input` component of a schema document, or of none: then everything is accepted."""

    def __init__(self, document: Mapping[str, Any] | None) -> None:
        self._components: Mapping[str, Any] = ((document or {}).get("components") or {}).get("schemas") or {}
        self._input: Mapping[str, Any] | None = self._components.get("Input")

    def check(self, given: Any) -> tuple[Any, list[Problem]]:
        """`given` without the fields that the model does not know, and the problems of the rest, sorted by field."""
        if self._input is None:
            return given, []
        if not isinstance(given, dict):
            return given, [Problem("__root__", f'{_text(given)} is not of type "object"')]
        known: Mapping[str, Any] = self._input.get("properties") or {}
        required = self._input.get("required") or []
        problems = [Problem(name, "Field required", missing=True) for name in required if name not in given]
        kept = {name: value for name, value in given.items() if name in known}
        if len(kept) < len(given):
            log.info("input fields that the model does not have are ignored: %s", sorted(given.keys() - kept.keys()))
        for name, value in kept.items():
            problems += self._problems(name, value, known[name])
        return kept, sorted(problems, key=lambda problem: problem.field)

    def _problems(self, field: str, value: Any, schema: Mapping[str, Any]) -> Iterator[Problem]:
        if value is None and self._nullable(schema):
            return
        if "$ref" in schema:
            yield from self._problems(field, value, self._component(schema["$ref"]))
        for part in schema.get("allOf", ()):
            yield from self._problems(field, value, part)
        variants = schema.get("anyOf", ())
        if variants and not any(self._fits(field, value, variant) for variant in variants):
            yield Problem(field, f"{_text(value)} is not valid under any of the schemas listed in the 'anyOf' keyword")
        for message in _own_problems(value, schema):
            yield Problem(field, message)
        if isinstance(value, list) and "items" in schema:
            for number, item in enumerate(value):
                yield from self._problems(f"{field}/{number}", item, schema["items"])

    def _fits(self, field: str, value: Any, schema: Mapping[str, Any]) -> bool:
        return next(self._problems(field, value, schema), None) is None

    def _nullable(self, schema: Mapping[str, Any]) -> bool:
        return bool(schema.get("nullable")) or any(variant.get("nullable") for variant in schema.get("anyOf", ()))

    def _component(self, reference: str) -> Mapping[str, Any]:
        component: Mapping[str, Any] = self._components.get(reference.rpartition("/")[2], {})
        return component


def _own_problems(value: Any, schema: Mapping[str, Any]) -> Iterator[str]:
    """What a schema says itself, apart from the schemas that it refers to."""
    if "enum" in schema and not any(_same(value, choice) for choice in schema["enum"]):
        yield f"{_text(value)} is not one of {_text(schema['enum'])}"
    kind = schema.get("type")
    if kind is not None and not _has_type(value, kind):
        yield f"{_text(value)} is not of type {_text(kind)}"
    elif isinstance(value, str):
        yield from _string_problems(value, schema)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield from _number_problems(value, schema)


def _number_problems(value: float, schema: Mapping[str, Any]) -> Iterator[str]:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and value < low:
        yield f"{_text(value)} is less than the minimum of {_text(low)}"
    if high is not None and value > high:
        yield f"{_text(value)} is greater than the maximum of {_text(high)}"


def _string_problems(value: str, schema: Mapping[str, Any]) -> Iterator[str]:
    shortest, longest, pattern = schema.get("minLength"), schema.get("maxLength"), schema.get("pattern")
    if shortest is not None and len(value) < shortest:
        yield f"{_text(value)} is shorter than {shortest:g} character{'' if shortest == 1 else 's'}"
    if longest is not None and len(value) > longest:
        yield f"{_text(value)} is longer than {longest:g} character{'' if longest == 1 else 's'}"
    if pattern is not None:
        expression = _compile(pattern)
        if expression is not None and expression.search(value) is None:
            yield f"{_text(value)} does not match {_text(pattern)}"


@cache
def _compile(pattern: str) -> re.Pattern[str] | None:
    """The pattern as Python reads it; one that it cannot read is not checked."""
    try:
        return re.compile(pattern)
    except re.error as error:
        log.warning("the schema's pattern %r is not a regular expression, it is not checked: %s", pattern, error)
        return None


def _has_type(value: Any, kind: str) -> bool:
    match kind:
        case "string":
            return isinstance(value, str)
        case "integer":
            return (isinstance(value, int) and not isinstance(value, bool)) or (
                isinstance(value, float) and value.is_integer()
            )
        case "number":
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        case "boolean":
            return isinstance(value, bool)
        case "array":
            return isinstance(value, list)
        case "object":
            return isinstance(value, dict)
        case _:
            return True


def _same(value: Any, choice: Any) -> bool:
    """Equal as JSON values: true is not 1."""
    return bool(value == choice) and isinstance(value, bool) is isinstance(choice, bool)


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
