"""A schema that the user brings (`--openapi-schema`, COG_OPENAPI_SCHEMA) in place of the one in the source."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from cog_oci.errors import CogError, Problem, SourceError
from cog_oci.schema import Schema

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["SchemaFileError", "read_given"]

_HINT = "`cog-oci` derives the schema from the source itself when none is given"


class SchemaFileError(CogError):
    """A file that is no schema of a model: `missing` says what it lacks."""

    def __init__(self, path: Path, missing: str) -> None:
        self.path, self.missing = path, missing
        super().__init__(f"{path} is not the schema of a model: {missing}", hint=_HINT)


@dataclass(frozen=True, slots=True)
class _Given(Schema):
    data: bytes

    def to_bytes(self) -> bytes:
        return self.data


def read_given(path: Path) -> Schema:
    """The document in this file, which the image will have byte for byte.

    It must be JSON in UTF-8, an OpenAPI document of version 3 (OpenAPI 3.0 §4.7.1), with `components.schemas.Input` of
    type object, which the server checks requests against, and with no reference that leads nowhere. What only a source
    says is not known: the model is taken for one whose predictions may run at the same time. Raises SourceError for
    what is no JSON, SchemaFileError for what is no such document, CogError for a file that cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CogError(f"the schema {path} cannot be read: {error.strerror}", hint=_HINT) from None
    document = _parsed(path, data)
    missing = next(chain(_lacks(document), _dangling(document)), None)
    if missing is not None:
        raise SchemaFileError(path, missing)
    return _Given(document, is_async=True, streaming=_streams(document), concurrency=None, batching=False, data=data)


def _parsed(path: Path, data: bytes) -> dict[str, Any]:
    try:
        document = json.loads(data.decode("utf-8"), parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise SourceError(
            [Problem(path.name, error.lineno, error.colno, f"this is not JSON: {error.msg}")], hint=_HINT
        ) from None
    except (ValueError, RecursionError) as error:
        raise SchemaFileError(path, f"it is not JSON in UTF-8 ({error})") from None
    if not isinstance(document, dict):
        raise SchemaFileError(path, "it is not a JSON object")
    return document


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number in JSON")


def _lacks(document: dict[str, Any]) -> Iterator[str]:
    """What is missing of what clients and the server read."""
    version = document.get("openapi")
    if not isinstance(version, str) or not re.fullmatch(r"3\.\d+\.\d+", version):
        found = "there is none" if version is None else f"it is {version!r}"
        yield f"`openapi` must be a version 3.x.y, and {found}"
    for place in ("info", "paths", "components", "components.schemas", "components.schemas.Input"):
        if not isinstance(_at(document, *place.split(".")), dict):
            yield f"there is no object `{place}`"
    for field in ("title", "version"):
        if not isinstance(_at(document, "info", field), str):
            yield f"there is no text `info.{field}`"
    kind = _at(document, "components", "schemas", "Input", "type")
    if kind != "object":
        yield f"`components.schemas.Input` must have the type object, not {kind!r}"
    if not isinstance(_at(document, "components", "schemas", "Input").get("properties", {}), dict):
        yield "`components.schemas.Input.properties` must be an object"


def _dangling(document: dict[str, Any]) -> Iterator[str]:
    """References that lead nowhere in the document: the server reads no other."""
    for reference in _references(document):
        if not isinstance(reference, str) or not reference.startswith("#/"):
            yield f"the reference {reference!r} leads out of the document"
            continue
        names = (part.replace("~1", "/").replace("~0", "~") for part in reference[2:].split("/"))
        if _at(document, *names) is None:
            yield f"the reference {reference!r} leads nowhere"


def _references(value: object) -> Iterator[object]:
    match value:
        case dict():
            for name, inner in value.items():
                if name == "$ref":
                    yield inner
                else:
                    yield from _references(inner)
        case list():
            for inner in value:
                yield from _references(inner)


def _at(value: Any, *names: str) -> Any:
    """What lies at the path of these names; None where it leaves the document."""
    for name in names:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def _streams(document: dict[str, Any]) -> bool:
    """Whether the document offers server-sent events."""
    return _at(document, "paths", "/predictions", "post", "x-cog-streaming") is True
