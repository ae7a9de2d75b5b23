"""What a model gets and gives besides plain JSON values: paths, files and secrets."""

from __future__ import annotations

import io
import pathlib
from typing import IO, Any, cast

from ._download import data_url_bytes, file_name, is_data_url, is_http_url, open_url, read, read_line, save

__all__ = ["File", "Path", "Secret", "URLFile", "URLPath"]


class Path(pathlib.PosixPath):
    """A file: an input is there before `run()` begins and removed after it, an output is sent to the client."""

    @classmethod
    def validate(cls, value: Any) -> pathlib.Path:
        """`value` as a path; a URL becomes a `URLPath` that is not downloaded yet."""
        if isinstance(value, pathlib.Path):
            return value
        text = str(value)
        return URLPath(text) if is_data_url(text) or is_http_url(text) else cls(text)


class URLPath(pathlib.PosixPath):
    """A path that stands for a URL: its name is the URL's, its content comes with `convert()`.

    What is made from it with pathlib's means (`parent`, `/`, `with_suffix`) is an ordinary path.
    """

    source: str = ""
    _file: Path | None = None

    def __new__(cls, source: str) -> URLPath:  # noqa: PYI034 - what pathlib's own constructor promises
        """Name the path after the URL."""
        path = super().__new__(cls, file_name(source))
        path.source = source
        return path

    def __init__(self, source: str) -> None:
        import sys  # noqa: PLC0415 - only for this

        if sys.version_info >= (3, 12):  # before, pathlib did all its work in __new__
            super().__init__(file_name(source))
        self.source = source

    def with_segments(self, *segments: Any) -> pathlib.Path:
        """What pathlib makes of this path, from Python 3.12 on."""
        return pathlib.PosixPath(*segments)

    def convert(self, folder: pathlib.Path | None = None) -> Path:
        """The file; downloaded the first time, to `folder` (a new temporary one by default).

        Raises DownloadError or ValueError.
        """
        if self._file is None:
            if folder is None:
                import tempfile  # noqa: PLC0415 - takes long to import: only when a file comes in

                folder = pathlib.Path(tempfile.mkdtemp(prefix="cog-"))
            self._file = Path(save(self.source, folder))
        return self._file

    def unlink(self, missing_ok: bool = True) -> None:
        """Remove the file if it has been downloaded; nothing else is this path's to remove."""
        if self._file is not None:
            self._file.unlink(missing_ok=missing_ok)

    def __str__(self) -> str:
        return self.source or super().__str__()

    def __reduce__(self) -> tuple[Any, ...]:
        return (URLPath, (self.source,))


class File(io.IOBase):
    """A file that a model reads as a stream. Deprecated by Cog: use `Path`."""

    @classmethod
    def validate(cls, value: Any) -> IO[bytes]:
        """`value` as an open file. Raises ValueError for a string that is not a data or http(s) URL."""
        if isinstance(value, io.IOBase):
            return cast("IO[bytes]", value)
        text = str(value)
        if is_data_url(text):
            stream = io.BytesIO(data_url_bytes(text))
            stream.name = file_name(text)
            return stream
        if is_http_url(text):
            return cast("IO[bytes]", URLFile(text))  # has the methods of a binary file
        raise ValueError("expected a data:, http:// or https:// URL")


class URLFile(io.IOBase):
    """The content behind a URL, requested when it is first read. Pickles as the URL.

    Raises ValueError for what is no http or https URL.
    """

    _response: IO[bytes] | None = None

    def __init__(self, url: str, filename: str | None = None) -> None:
        if not is_http_url(url):
            raise ValueError(f"{url[:80]!r} is not an http:// or https:// URL")
        self._url = url
        self.name = filename or file_name(url)

    def _open(self) -> IO[bytes]:
        if self._response is None:
            self._response = open_url(self._url)
        return self._response

    def readable(self) -> bool:
        """Always true."""
        return True

    def read(self, size: int | None = -1) -> bytes:
        """Up to `size` bytes, all by default. Raises DownloadError when the URL cannot be opened or breaks off."""
        return read(self._open(), -1 if size is None else size, self._url)

    def readline(self, size: int | None = -1) -> bytes:
        """One line. Raises DownloadError when the URL cannot be opened or breaks off."""
        return read_line(self._open(), -1 if size is None else size, self._url)

    def close(self) -> None:
        """Give up the connection, if there is one."""
        if self._response is not None:
            self._response.close()
        super().close()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._open(), name)

    def __reduce__(self) -> tuple[Any, ...]:
        return (URLFile, (self._url, self.name))


class Secret:
    """A string that does not print itself. `get_secret_value()` gives it away."""

    __slots__ = ("_value",)

    def __init__(self, secret_value: str | None = None) -> None:
        self._value = secret_value

    @property
    def secret_value(self) -> str | None:
        """The string itself."""
        return self._value

    def get_secret_value(self) -> str | None:
        """The string itself."""
        return self._value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __str__(self) -> str:
        return "" if self._value is None else "**********"

    def __repr__(self) -> str:
        return f"Secret({self})"
