"""The body of a prediction request: bytes from outside, a checked value inside."""

from __future__ import annotations

import json
from typing import Any, Literal, NoReturn

from pydantic import BaseModel, ConfigDict, Field, StrictStr, ValidationError

__all__ = ["BodyError", "PredictionBody", "parse_body"]

WebhookEvent = Literal["start", "output", "logs", "completed"]


class PredictionBody(BaseModel):
    """What clients send; keys that are not known are ignored, as clients send many (`version`, `created_at`, …)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: StrictStr | None = None
    input: Any = None
    context: dict[StrictStr, StrictStr] = Field(default_factory=dict)
    webhook: StrictStr | None = None
    webhook_events_filter: list[WebhookEvent] | None = None


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
        value = json.loads(raw.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BodyError(400, f"Failed to parse the request body as JSON: {_position(error)}") from error
    if not isinstance(value, dict):
        raise _wrong_type(f"invalid type: {_json_kind(value)}, expected an object")
    try:
        return PredictionBody.model_validate(value)
    except ValidationError as error:
        raise _wrong_type(_sentence(error)) from error


def _is_json(content_type: str) -> bool:
    """`application/json` or `application/…+json` (RFC 6839 §3.1), with any parameters."""
    media_type = content_type.partition(";")[0].strip().lower()
    kind, _, subtype = media_type.partition("/")
    return kind == "application" and (subtype == "json" or subtype.endswith("+json"))


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _position(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at line {error.lineno} column {error.colno}"
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)


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
