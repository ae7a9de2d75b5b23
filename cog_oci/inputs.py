"""A model's inputs as a person gives them: words of a command line or a JSON object, checked before anything starts."""

from __future__ import annotations

import base64
import json
import math
import mimetypes
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cog_oci.errors import CogError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["InputError", "Interface"]

_TRUTHS = {
    **dict.fromkeys(("1", "t", "T", "true", "TRUE", "True"), True),
    **dict.fromkeys(("0", "f", "F", "false", "FALSE", "False"), False),
}


class InputError(CogError):
    """Inputs that do not fit the model: `problems` has a sentence for each."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problems))


class Interface:
    """The inputs of a model, from its OpenAPI document; `component` is `Input`, or `TrainingInput` for a training."""

    def __init__(self, document: Mapping[str, Any], component: str = "Input") -> None:
        self._components: Mapping[str, Any] = (document.get("components") or {}).get("schemas") or {}
        schema = self._components.get(component) or {}
        self._known: Mapping[str, Mapping[str, Any]] = schema.get("properties") or {}
        self._required: tuple[str, ...] = tuple(schema.get("required") or ())

    def parse(self, pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
        """Values of `-i`: of the schema's type where the text can be one, files for `@FILE`, a list for a name twice.

        Raises InputError for names that the model does not have and files that cannot be read.
        """
        texts: dict[str, list[str]] = {}
        for name, text in pairs:
            texts.setdefault(name, []).append(text)
        self._check_names(texts)
        return {name: self._together(name, each) for name, each in texts.items()}

    def read(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Values of `--json`: texts that start with @ are the files of that name. Raises InputError as `parse` does."""
        self._check_names(given)
        return {
            name: _file(name, value[1:], self._known[name]) if _names_file(value) else value
            for name, value in given.items()
        }

    def check(self, given: Mapping[str, Any]) -> None:
        """Raises InputError with everything that keeps the model from taking these values."""
        missing = [f'missing required input "{name}"' for name in self._required if name not in given]
        wrong = (
            f'invalid input "{name}": {problem}'
            for name, value in given.items()
            for problem in self._problems(value, self._known[name])
        )
        if problems := [*missing, *wrong]:
            raise InputError(problems)

    def _check_names(self, given: Iterable[str]) -> None:
        unknown = [f'"{name}"' for name in given if name not in self._known]
        if unknown and not self._known:
            raise InputError(["model does not accept inputs"])
        if unknown:
            plural = "s" if len(unknown) > 1 else ""
            valid = ", ".join(self._known)
            raise InputError([f"unknown input{plural} {', '.join(unknown)}; valid inputs are: {valid}"])

    def _together(self, name: str, texts: list[str]) -> Any:
        schema = self._resolved(self._known[name])
        values = [self._value(name, text, schema) for text in texts]
        if len(values) == 1:
            return values[0]
        return [item for value in values for item in (value if isinstance(value, list) else [value])]

    def _value(self, name: str, text: str, schema: Mapping[str, Any]) -> Any:
        text = _unquoted(text)
        if text.startswith("@"):
            value = _file(name, text[1:], self._resolved(schema.get("items", schema)))
            return [value] if schema.get("type") == "array" else value
        return self._typed(text, schema)

    def _typed(self, text: str, schema: Mapping[str, Any]) -> Any:
        """The text as this type where it can be, else as it is, for `check` to refuse."""
        schema = self._resolved(schema)
        if variants := schema.get("anyOf"):
            readings = [self._typed(text, variant) for variant in variants]
            return next((value for value in readings if not isinstance(value, str)), text)
        kind = schema.get("type")
        try:
            if kind == "integer":
                return int(text)
            if kind == "number":
                return value if math.isfinite(value := float(text)) else text  # JSON has no word for the others
            if kind == "array" and not text.lstrip().startswith("["):
                return [self._typed(text, schema.get("items", {}))]
            if kind in {"array", "object"}:
                return json.loads(text)
        except ValueError:
            return text
        return _TRUTHS.get(text, text) if kind == "boolean" else text

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """The schema with what it refers to in it."""
        merged: dict[str, Any] = {}
        for part in ({"$ref": schema["$ref"]} if "$ref" in schema else {}, *schema.get("allOf", ())):
            merged |= self._components.get(str(part.get("$ref", "")).rpartition("/")[2], part)
        return {**merged, **schema}

    def _problems(self, value: Any, schema: Mapping[str, Any]) -> Iterator[str]:
        schema = self._resolved(schema)
        if value is None:
            if not schema.get("nullable") and not any(each.get("nullable") for each in schema.get("anyOf", ())):
                yield "must not be null (omit the input to use its default)"
            return
        variants = schema.get("anyOf", ())
        if variants and all(next(self._problems(value, variant), None) for variant in variants):
            kinds = " or ".join(dict.fromkeys(str(self._resolved(each).get("type")) for each in variants))
            yield f"expected {kinds}, got {_kind(value)}"
        kind = schema.get("type")
        if kind is not None and not _is(value, kind):
            yield f"expected {kind}, got {_kind(value)}"
        elif "enum" in schema and not any(_same(value, choice) for choice in schema["enum"]):
            yield f"must be one of: {', '.join(map(_shown, schema['enum']))}"
        else:
            yield from _bounds(value, schema)
        if isinstance(value, list) and "items" in schema:
            for number, item in enumerate(value):
                yield from (f"item {number}: {problem}" for problem in self._problems(item, schema["items"]))


def _bounds(value: Any, schema: Mapping[str, Any]) -> Iterator[str]:
    if isinstance(value, int | float) and not isinstance(value, bool):
        if (low := schema.get("minimum")) is not None and value < low:
            yield f"must be at least {low}"
        if (high := schema.get("maximum")) is not None and value > high:
            yield f"must be at most {high}"
    elif isinstance(value, str):
        if (low := schema.get("minLength")) is not None and len(value) < low:
            yield f"must have at least {low} characters"
        if (high := schema.get("maxLength")) is not None and len(value) > high:
            yield f"must have at most {high} characters"
        if (pattern := schema.get("pattern")) is not None and not _matches(pattern, value):
            yield f"must match {pattern}"


def _matches(pattern: str, value: str) -> bool:
    try:
        return re.search(pattern, value) is not None
    except re.error:
        return True  # ECMA's and not Python's: the server knows


def _names_file(value: object) -> bool:
    return isinstance(value, str) and value.startswith("@")


def _file(name: str, path: str, schema: Mapping[str, Any]) -> str:
    """The file as a data URL (RFC 2397) where the model takes files, else its text."""
    try:
        data = Path(os.path.expanduser(path)).read_bytes()  # noqa: PTH111 - pathlib raises for a user who is not known
    except (OSError, ValueError) as error:  # ValueError: a NUL in it
        why = getattr(error, "strerror", None) or error
        raise InputError([f'input "{name}": cannot read {path}: {why}']) from None
    uri = schema.get("format") == "uri" or schema.get("items", {}).get("format") == "uri"
    if uri or any(each.get("format") == "uri" for each in schema.get("anyOf", ())):
        mime = mimetypes.guess_type(path)[0] or "application/octet-stream"
        return f"data:{mime};base64,{base64.b64encode(data).decode()}"
    return data.decode("utf-8", "replace")


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


def _is(value: Any, kind: str) -> bool:
    actual = _kind(value)
    return (
        actual == kind
        or (actual == "integer" and kind == "number")
        or (kind == "integer" and isinstance(value, float) and value.is_integer())
    )


def _kind(value: Any) -> str:
    """JSON Schema's word for the type."""
    if isinstance(value, bool):
        return "boolean"
    names = {str: "string", int: "integer", float: "number", list: "array", dict: "object"}
    return names.get(type(value), "null")


def _same(value: Any, choice: Any) -> bool:
    return bool(value == choice) and isinstance(value, bool) is isinstance(choice, bool)


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
