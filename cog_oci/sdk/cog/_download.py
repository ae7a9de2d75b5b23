"""Fetch what a client points at: `data:` URLs (RFC 2397) and `http(s)` URLs, into files of this prediction's folder."""

from __future__ import annotations

import base64
import binascii
import os
import re
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = [
    "DownloadError",
    "data_url_bytes",
    "file_name",
    "is_data_url",
    "is_http_url",
    "open_url",
    "read",
    "read_line",
    "save",
]

TIMEOUT = 10.0
"""Seconds without a byte from the other side before a download fails."""

_NAME_BYTES = 200
_DATA_URL = re.compile(r"data:([^,]*),", re.IGNORECASE)


class DownloadError(Exception):
    """The URL of an input could not be read; the message says which and why."""


def is_data_url(value: str) -> bool:
    """Whether `value` starts like a data URL; the scheme is case-insensitive (RFC 3986 §3.1)."""
    return value[:5].lower() == "data:"


def is_http_url(value: str) -> bool:
    """Whether `value` starts like an http or https URL."""
    return value[:8].lower().startswith(("http://", "https://"))


def data_url_bytes(url: str) -> bytes:
    """The content of a data URL. Raises ValueError when it is not one, or not the base64 that it says it is."""
    head = _DATA_URL.match(url)
    if head is None:
        raise ValueError("a data URL needs a comma before its data")
    from urllib.parse import unquote, unquote_to_bytes  # noqa: PLC0415 - only when a file comes in

    data = url[head.end() :]
    if not head[1].lower().endswith(";base64"):
        return unquote_to_bytes(data)
    if "%" in data:
        data = unquote(data)
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        pass
    try:  # wrapped lines are common, and no other reading of them is possible
        return base64.b64decode("".join(data.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"the data URL is not valid base64: {error}") from error


def file_name(url: str) -> str:
    """A name for the file behind `url` that is safe in any folder and keeps its suffix, at most 200 bytes long."""
    if is_data_url(url):
        import mimetypes  # noqa: PLC0415 - takes long to import: only when a file comes in

        head = _DATA_URL.match(url)
        media_type = (head[1].split(";")[0].strip().lower() if head else "") or "text/plain"  # RFC 2397 §2
        return "file" + (mimetypes.guess_extension(media_type) or "")
    from urllib.parse import unquote, urlsplit  # noqa: PLC0415 - likewise

    name = unquote(urlsplit(url).path.rpartition("/")[2]).replace("/", "_").replace("\0", "_")
    stem, suffix = os.path.splitext(name)  # noqa: PTH122 - a name, not a path
    stem_bytes, suffix_bytes = os.fsencode(stem), os.fsencode(suffix)[:_NAME_BYTES]
    safe = stem_bytes[: _NAME_BYTES - len(suffix_bytes)].decode("utf-8", "ignore")
    safe += suffix_bytes.decode("utf-8", "ignore")
    return "file" if safe in {"", ".", ".."} else safe


def open_url(url: str) -> IO[bytes]:
    """The content behind an http or https URL, following redirects to such URLs only. Raises DownloadError."""
    from urllib import error, request  # noqa: PLC0415 - takes long to import: only when a file comes in

    opener = request.OpenerDirector()
    for handler in (
        request.ProxyHandler,
        request.HTTPHandler,
        request.HTTPSHandler,
        request.HTTPRedirectHandler,
        request.HTTPDefaultErrorHandler,
        request.HTTPErrorProcessor,
        request.UnknownHandler,
    ):
        opener.add_handler(handler())
    opener.addheaders = [("User-Agent", os.environ.get("COG_USER_AGENT", "cog-oci"))]
    try:
        response: IO[bytes] = opener.open(url, timeout=TIMEOUT)
    except error.HTTPError as failure:
        side = "Client" if failure.code < 500 else "Server"
        failure.close()
        raise DownloadError(f"{failure.code} {side} Error: {failure.reason} for url: {url}") from failure
    except error.URLError as failure:
        raise DownloadError(_sentence(url, failure.reason)) from failure
    except (OSError, ValueError) as failure:
        raise DownloadError(_sentence(url, failure)) from failure
    return response


def _sentence(url: str, reason: Any) -> str:
    if isinstance(reason, TimeoutError):
        return f"Read timed out. (read timeout={TIMEOUT:g}) for url: {url}"
    return f"could not download {url}: {reason}"


def read(response: IO[bytes], size: int, url: str) -> bytes:
    """Up to `size` bytes of what `open_url` gave for `url`, all for a negative one.

    Raises DownloadError when the connection breaks off, which http.client takes for an end where it is asked for parts.
    """
    with _blaming(url):
        content = response.read() if size < 0 else response.read(size)
    if size and not content:
        if missing := getattr(response, "length", None):
            raise DownloadError(_sentence(url, f"the connection broke off, {missing} bytes are missing"))
        if getattr(response, "chunk_left", None) == 0:  # which is None after the last
            raise DownloadError(_sentence(url, "the connection broke off between two chunks"))
    return content


def read_line(response: IO[bytes], size: int, url: str) -> bytes:
    """As `read`, up to the end of a line."""
    with _blaming(url):
        line = response.readline(size)
    return line or (read(response, 1, url) if size else b"")


@contextmanager
def _blaming(url: str) -> Iterator[None]:
    from http.client import HTTPException  # noqa: PLC0415 - a part of urllib's request

    try:
        yield
    except (OSError, HTTPException) as failure:
        raise DownloadError(_sentence(url, failure)) from failure


def save(url: str, folder: Path) -> Path:
    """Write what `url` holds to a file in `folder`. Raises DownloadError, or ValueError for a malformed data URL."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / file_name(url)
    if is_data_url(url):
        path.write_bytes(data_url_bytes(url))
        return path
    with open_url(url) as response, path.open("wb") as file:
        while content := read(response, 1 << 20, url):
            file.write(content)
    return path
