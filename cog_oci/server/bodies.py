"""The body of a prediction request: bytes from outside, a checked value inside."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from pydantic import StrictStr, TypeAdapter, ValidationError
from pydantic_core import from_json

__all__ = ["BodyError", "PredictionBody", "parse_body"]

_LARGE = 1 << 16
_HUGE = re.compile(rb"[0-9](?:[eE]\+?[0-9]{3}|[0-9]{299})")

WebhookEvent = Literal["start", "output", "logs", "completed"]


@dataclass(slots=True)  # not frozen: that takes five times as long to make
class PredictionBody:
    """What clients send; keys that are not known are ignored, as clients send many (`version`, `created_at`, …)."""

    id: StrictStr | None = None
    input: Any = None
    context: dict[StrictStr, StrictStr] = field(default_factory=dict)
    webhook: StrictStr | None = None
    webhook_events_filter: list[WebhookEvent] | None = None
    output_file_prefix: StrictStr | None = None


_BODY = TypeAdapter(PredictionBody)
_SIMPLE = frozenset({"input"})


class BodyError(Exception):
    """The body cannot be used. `status` is the HTTP status of the answer, the message its text."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def parse_body(raw: bytes, content_type: str | None) -> PredictionBody:
    """The request in `raw`: nothing at all is one without input, a body of no declared type is taken for JSON.

    Raises BodyError: 415 for what claims to be something else, 400 for what is not JSON, 422 for other JSON.
    """
    if not raw and content_type is None:
        return PredictionBody()
    if content_type is not None and not _is_json(content_type):
        raise BodyError(415, "Expected request with `Content-Type: application/json`")
    try:
        value = from_json(raw, allow_inf_nan=False)
        if _may_overflow(raw) and not _is_finite(value):
            raise ValueError("number out of range")  # noqa: TRY301 - said as the parser says it
    except ValueError as error:
        raise BodyError(400, f"Failed to parse the request body as JSON: {error}") from error
    if not isinstance(value, dict):
        raise _wrong_type(f"invalid type: {_json_kind(value)}, expected an object")
    if value.keys() == _SIMPLE:
        return PredictionBody(None, value["input"])
    try:
        return _BODY.validate_python(value)
    except ValidationError as error:
        raise _wrong_type(_sentence(error)) from error


@lru_cache(maxsize=64)
def _is_json(content_type: str) -> bool:
    """`application/json` or `application/…+json` (RFC 6839 §3.1), with any parameters."""
    media_type = content_type.partition(";")[0].strip().lower()
    kind, _, subtype = media_type.partition("/")
    return kind == "application" and (subtype == "json" or subtype.endswith("+json"))


def _may_overflow(raw: bytes) -> bool:
    """Whether some number may be larger than floats are; of a large body, to look at its values takes less time."""
    return len(raw) > _LARGE or _HUGE.search(raw) is not None


def _is_finite(value: Any) -> bool:
    """Whether no number in `value` is infinite, as one that is larger than any float becomes."""
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    if isinstance(value, list):
        return all(map(_is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def _wrong_type(message: str) -> BodyError:
    return BodyError(422, f"Failed to deserialize the JSON body into the target type: {message}")


def _sentence(error: ValidationError) -> str:
    """The first problem, in the words that Cog's clients know."""
    first = error.errors(include_url=False)[0]
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in first["loc"])
    return f"{path.removeprefix('.').removesuffix('.[key]')}: {_complaint(first['type'], first['input'])}"


def _complaint(kind: str, value: Any) -> str:
    wanted = {"dict_type": "a map", "list_type": "a sequence"}.get(kind, "a string")
    if kind == "literal_error" and isinstance(value, str):
        return f"unknown variant `{value}`, expected one of `start`, `output`, `logs`, `completed`"
    if kind.startswith("string_unicode"):
        return "invalid value: a string with half a surrogate pair, expected Unicode text"
    return f"invalid type: {_json_kind(value)}, expected {wanted}"


def _json_kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return f"boolean `{str(value).lower()}`"
        case int():
            return f"integer `{value}`"
        case float():
            return f"floating point `{value}`"
        case str():
            return f"string {json.dumps(value)}"
        case list():
            return "sequence"
        case _:
            return "map"
