"""From what `run()` returns to JSON."""

from __future__ import annotations

import binascii
import datetime as dt
import enum
import io
import math
import os
import pathlib
from collections.abc import Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from ._media import media_type
from ._wire import to_line
from .coder import Coder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Put = Callable[[Any, int, str | None], str]
    """Puts an open file, of so many bytes and maybe with a name, where it belongs, and tells its URL."""

__all__ = ["UploadError", "json_line", "to_json"]

_PLAIN = (str, bool, int, type(None))
_CHUNK = 3 << 14
"""Bytes; of a multiple of three, base64 has no padding, and so few stay in the processor's cache."""


class UploadError(Exception):
    """A file of the output could not be put where it belongs; the message says why, without the URL and its secrets."""

    def __str__(self) -> str:
        return f"Failed to upload output: {super().__str__()}"


class _File(NamedTuple):
    """Bytes in the output, and the name that says what they are."""

    name: str | None
    content: pathlib.Path | bytes | io.BufferedIOBase

    def open(self) -> AbstractContextManager[Any]:
        """A binary file that has all its content from its position on. Raises OSError."""
        if isinstance(self.content, bytes):
            return io.BytesIO(self.content)
        if isinstance(self.content, pathlib.Path):
            return self.content.open("rb")
        self.content.seek(0)
        return nullcontext(self.content)  # the model's, to close or to keep


def to_json(value: Any, since: float, upload: Put | None = None) -> Any:
    """`value` with everything in it that JSON does not have replaced: files by URLs, models by objects.

    NaN and infinity become null. A file's URL is where `upload` has put it, else a data URL (RFC 2397) with all of it.
    A file in the temporary folder that is newer than `since` (seconds since 1970) was made for this answer and is
    removed.

    Raises TypeError for what has no such form, OSError for a file that is not there, UploadError.
    """
    with _removing(since) as files:

        def place(file: _File) -> str:
            files.append(file)
            return _data_url(file) if upload is None else _put(file, upload)

        return _convert(value, place)


def json_line(value: Any, since: float, upload: Put | None = None) -> bytes:
    """`to_json(value, …)` as a line of JSON. A large file is in memory once, as what it becomes.

    Raises what `to_json` raises.
    """
    if type(value) in _PLAIN:
        return to_line(value)
    if upload is not None:
        return to_line(to_json(value, since, upload))
    with _removing(since) as files:
        line = _Line(files)
        return line.write(_convert(value, line.mark))


@contextmanager
def _removing(since: float) -> Iterator[list[_File]]:
    """A list for the files that are found; those made since then are gone when the block ends."""
    files: list[_File] = []
    try:
        yield files
    finally:
        for file in files:
            if isinstance(file.content, pathlib.Path):
                _remove_if_made(file.content, since)


class _Line:
    """JSON whose files are written last: marks stand for them while everything else takes its form."""

    def __init__(self, files: list[_File]) -> None:
        self._files = files
        self._mark = ""

    def mark(self, file: _File) -> str:
        """What stands for `file`; nothing in an output can be equal to it by accident."""
        self._mark = self._mark or os.urandom(16).hex()
        self._files.append(file)
        return f"{self._mark}{len(self._files) - 1:08x}"

    def write(self, form: Any) -> bytes:
        """The line, with every mark replaced by its file's data URL. Raises OSError for a file that is not there."""
        line = to_line(form)
        if not self._files:
            return line
        out = io.BytesIO()
        before, *rest = line.split(self._mark.encode())
        out.write(before)
        for piece in rest:
            _write_data_url(self._files[int(piece[:8], 16)], out)
            out.write(memoryview(piece)[8:])
        return out.getvalue()


def _convert(value: Any, place: Callable[[_File], str]) -> Any:  # noqa: PLR0911 - a table of types
    if isinstance(value, enum.Enum):
        return _convert(value.value, place)
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    coder = Coder.lookup(type(value))
    if coder is not None:
        return {_key(key): _convert(item, place) for key, item in coder.encode(value).items()}
    if isinstance(value, Mapping):
        return {_key(key): _convert(item, place) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_convert(item, place) for item in value]
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, pathlib.PurePath):
        return place(_File(value.name, pathlib.Path(value)))
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _data_url(_File(None, bytes(value)))  # a value, not a file: it is not uploaded
    if isinstance(value, io.IOBase):
        return place(_stream(value))
    return _object(value, place)


def _object(value: Any, place: Callable[[_File], str]) -> Any:
    if hasattr(type(value), "__dataclass_fields__"):
        import dataclasses  # noqa: PLC0415 - takes long to import, and whoever has such a value has done it

        return {field.name: _convert(getattr(value, field.name), place) for field in dataclasses.fields(value)}
    if callable(getattr(value, "model_dump", None)):  # pydantic 2
        return _convert(value.model_dump(), place)
    if hasattr(type(value), "__fields__") and callable(getattr(value, "dict", None)):  # pydantic 1
        return _convert(value.dict(), place)
    if type(value).__module__.partition(".")[0] == "numpy" and callable(getattr(value, "tolist", None)):
        return _convert(value.tolist(), place)
    from decimal import Decimal  # noqa: PLC0415 - rare
    from uuid import UUID  # noqa: PLC0415 - rare

    if isinstance(value, Decimal):
        return _convert(int(value) if value == value.to_integral_value() else float(value), place)
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


_CONSTANTS = {None: "null", True: "true", False: "false"}
"""Keys as JSON writes them, and `json.dumps` too."""


def _key(key: Any) -> str:
    if isinstance(key, enum.Enum):
        key = key.value
    if isinstance(key, str):
        return key
    return _CONSTANTS[key] if key is None or isinstance(key, bool) else str(key)


def _stream(stream: io.IOBase) -> _File:
    name = getattr(stream, "name", None)
    name = pathlib.PurePath(name).name if isinstance(name, str) else None
    if isinstance(stream, io.BufferedIOBase) and stream.seekable():
        return _File(name, stream)
    if stream.seekable():
        stream.seek(0)
    content: Any = stream.read()
    return _File(name, content.encode() if isinstance(content, str) else bytes(content))


def _put(file: _File, upload: Put) -> str:
    with file.open() as content:
        size = content.seek(0, os.SEEK_END)
        content.seek(0)
        return upload(content, size, file.name)


def _data_url(file: _File) -> str:
    out = io.BytesIO()
    _write_data_url(file, out)
    return str(out.getbuffer(), "ascii")


def _write_data_url(file: _File, out: io.BytesIO) -> None:
    out.write(f"data:{media_type(file.name)};base64,".encode())
    with file.open() as content:
        while chunk := content.read(_CHUNK):
            out.write(binascii.b2a_base64(chunk, newline=False))


def _remove_if_made(path: pathlib.Path, since: float) -> None:
    import tempfile  # noqa: PLC0415 - takes long to import: only when a file goes out

    with suppress(FileNotFoundError):
        resolved = path.resolve()
        if resolved.is_relative_to(pathlib.Path(tempfile.gettempdir()).resolve()) and resolved.stat().st_mtime >= since:
            resolved.unlink()
