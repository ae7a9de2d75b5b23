"""From what `run()` returns to JSON."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import enum
import io
import math
import mimetypes
import pathlib
import tempfile
from collections.abc import Mapping
from typing import Any

__all__ = ["to_json"]

_PLAIN = (str, bool, int, type(None))


def to_json(value: Any, since: float) -> Any:  # noqa: PLR0911 - a table of types
    """`value` with everything in it that JSON does not have replaced: files by data URLs, models by objects.

    NaN and infinity become null. A file in the temporary folder that is newer than `since` (seconds since 1970) was
    made for this answer and is removed.

    Raises TypeError for what has no such form and OSError for a file that is not there.
    """
    if isinstance(value, enum.Enum):
        return to_json(value.value, since)
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {_key(key): to_json(item, since) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [to_json(item, since) for item in value]
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, pathlib.PurePath):
        return _file(pathlib.Path(value), since)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _data_url(bytes(value), None)
    if isinstance(value, io.IOBase):
        return _stream(value)
    return _object(value, since)


def _object(value: Any, since: float) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_json(getattr(value, field.name), since) for field in dataclasses.fields(value)}
    if callable(getattr(value, "model_dump", None)):  # pydantic 2
        return to_json(value.model_dump(), since)
    if hasattr(type(value), "__fields__") and callable(getattr(value, "dict", None)):  # pydantic 1
        return to_json(value.dict(), since)
    if type(value).__module__.partition(".")[0] == "numpy" and callable(getattr(value, "tolist", None)):
        return to_json(value.tolist(), since)
    from decimal import Decimal  # noqa: PLC0415 - rare
    from uuid import UUID  # noqa: PLC0415 - rare

    if isinstance(value, Decimal):
        return to_json(int(value) if value == value.to_integral_value() else float(value), since)
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _key(key: Any) -> str:
    if isinstance(key, enum.Enum):
        key = key.value
    return key if isinstance(key, str) else str(key)


def _file(path: pathlib.Path, since: float) -> str:
    url = _data_url(path.read_bytes(), path.name)
    resolved = path.resolve()
    if resolved.is_relative_to(pathlib.Path(tempfile.gettempdir()).resolve()) and resolved.stat().st_mtime >= since:
        resolved.unlink()
    return url


def _stream(stream: io.IOBase) -> str:
    if stream.seekable():
        stream.seek(0)
    content = stream.read()
    if isinstance(content, str):
        content = content.encode()
    name = getattr(stream, "name", None)
    return _data_url(content, name if isinstance(name, str) else None)


def _data_url(content: bytes, name: str | None) -> str:
    media_type = (mimetypes.guess_type(name)[0] if name else None) or "application/octet-stream"
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"
