"""Check a request's input against the schema document that ships with the model.

The part of JSON Schema that Cog's documents use (OpenAPI 3.0 §4.7.24): type, nullable, enum, minimum, maximum,
minLength, maxLength, pattern, items, allOf, anyOf and $ref. The texts are those that Cog's clients know.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["InputSchema", "Problem", "describes_training", "read_document", "streams"]

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


def describes_training(document: Mapping[str, Any] | None) -> bool:
    """Whether the model can be trained."""
    return "TrainingInput" in _components(document)


def streams(document: Mapping[str, Any] | None) -> bool:
    """Whether the model's clients may ask for server-sent events."""
    operation = (((document or {}).get("paths") or {}).get("/predictions") or {}).get("post") or {}
    return operation.get("x-cog-streaming") is True


def _components(document: Mapping[str, Any] | None) -> Mapping[str, Any]:
    return ((document or {}).get("components") or {}).get("schemas") or {}


class InputSchema:
    """The component `name` of a schema document, or of none: then everything is accepted."""

    def __init__(self, document: Mapping[str, Any] | None, name: str = "Input") -> None:
        self._components = _components(document)
        self._input: Mapping[str, Any] | None = self._components.get(name)
        known: Mapping[str, Any] = (self._input or {}).get("properties") or {}
        self._known = known
        self._required = frozenset((self._input or {}).get("required") or ())
        self._plain = {field: _PLAIN[schema["type"]] for field, schema in known.items() if _is_plain(schema)}
        """The type whose every value is right, of the fields that have one."""

    def check(self, given: Any) -> tuple[Any, list[Problem]]:
        """`given` without the fields that the model does not know, and the problems of the rest, sorted by field."""
        if self._input is None:
            return given, []
        if not isinstance(given, dict):
            return given, [Problem("__root__", f'{_text(given)} is not of type "object"')]
        known, plain, kept = self._known, self._plain, given
        names = given.keys()
        problems: list[Problem] = []
        if not names >= self._required:
            problems = [Problem(name, "Field required", missing=True) for name in self._required - names]
        if not names <= known.keys():
            kept = {name: value for name, value in given.items() if name in known}
            log.info("input fields that the model does not have are ignored: %s", sorted(names - kept.keys()))
        for name, value in kept.items():
            if plain.get(name) is not type(value):
                problems += self._problems(name, value, known[name])
        return kept, sorted(problems, key=lambda problem: problem.field) if problems else problems

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


_PLAIN = {"string": str, "integer": int, "boolean": bool}
_CONSTRAINTS = ("$ref", "allOf", "anyOf", "enum", "minimum", "maximum", "minLength", "maxLength", "pattern")


def _is_plain(schema: Mapping[str, Any]) -> bool:
    return schema.get("type") in _PLAIN and not any(name in schema for name in _CONSTRAINTS)


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
            yield f'{_text(value)} does not match "{pattern}"'


@cache
def _compile(pattern: str) -> re.Pattern[str] | None:
    r"""The pattern as JSON Schema means it (ECMA 262), as far as Python can read it; else it is not checked.

    There, `$` is the very end of the text, and `\d` and `\w` are ASCII's.
    """
    end = re.sub(r"(\\.)|\$", lambda found: found[1] or r"\Z", pattern, flags=re.DOTALL)
    for source in (end, pattern):
        with contextlib.suppress(re.error):
            return re.compile(source, re.ASCII)
    log.warning("the schema's pattern %r is not a regular expression, it is not checked", pattern)
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
