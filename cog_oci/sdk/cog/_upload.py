"""Send the files of an output to where the client or the operator wants them: each in a PUT of its own."""

from __future__ import annotations

import os
import time
from functools import partial
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from ._media import media_type
from ._outputs import UploadError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Uploader"]

TIMEOUT = 60.0
"""Seconds without progress before an upload fails: a store may take its time to acknowledge a large file."""
WAITS = (0.2, 1.0)
"""Seconds before the second try, and before the third and last."""

_CHUNK = 1 << 20
_LEGAL = "!$%&'()*+,/:;=?@~"
"""What a URL has besides letters and digits (RFC 3986 §3.3); whoever wrote this one has encoded what had to be."""
_TRANSIENT = frozenset({429, 500, 502, 503, 504})


class Uploader:
    """Puts the files of one prediction under `url`, an http or https URL whose query every request keeps.

    `headers` go with every request: the trace context.
    """

    def __init__(self, url: str, prediction_id: str, headers: Mapping[str, str]) -> None:
        self._url = url
        self._headers = {**headers, "x-prediction-id": _printable(prediction_id), "User-Agent": "cog-oci"}
        self._names: set[str] = set()

    def put(self, file: IO[bytes], size: int, name: str | None) -> str:
        """Upload `file`, which has `size` bytes; the URL to hand out for it.

        That is where the answer says it is (`Location`), else where it was put, without the query, in which
        credentials are. Of two files of one name, the second gets a name of its own; one
        without a name gets its number, from 0. Raises UploadError.
        """
        try:
            parts = urlsplit(self._url)
            usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if not usable:
            raise UploadError("the address for uploads is not an http or https URL")
        path = f"{quote(parts.path.rstrip('/'), _LEGAL)}/{quote(os.fsencode(self._unused(name)), safe='')}"
        target = urlunsplit((parts.scheme, parts.netloc, path, quote(parts.query, _LEGAL), ""))
        headers = {
            **self._headers,
            "Content-Type": media_type(name),
            "Content-Length": str(size),
        }
        location = _try_again(partial(_put, target, headers, file, size))
        return _without_query(urljoin(target, location))

    def _unused(self, name: str | None) -> str:
        if name is None:
            name = f"{len(self._names)}.bin"
        stem, suffix = os.path.splitext(name)  # noqa: PTH122 - a name, not a path
        number, unused = 1, name
        while unused in self._names:
            number += 1
            unused = f"{stem}-{number}{suffix}"
        self._names.add(unused)
        return unused


class _TransientError(Exception):
    """This try has failed; the next may not."""


def _try_again(attempt: partial[str]) -> str:
    for wait in WAITS:
        try:
            return attempt()
        except _TransientError:
            time.sleep(wait)
    try:
        return attempt()
    except _TransientError as error:
        raise UploadError(str(error)) from error


def _put(url: str, headers: Mapping[str, str], file: IO[bytes], size: int) -> str:
    """The `Location` of the answer, "" where there is none. Raises UploadError, or _TransientError."""
    from http.client import HTTPException  # noqa: PLC0415 - takes long to import: only when a file goes out
    from urllib import error, request  # noqa: PLC0415 - likewise

    message = request.Request(url, _chunks(file, size), dict(headers), method="PUT")  # noqa: S310 - `put` has looked
    try:
        with _opener().open(message, timeout=TIMEOUT) as response:
            location: str = response.headers.get("Location", "")
            return location
    except error.HTTPError as failure:
        failure.close()
        sentence = f"upload returned status {failure.code} {failure.reason}"
        if failure.code in _TRANSIENT:
            raise _TransientError(sentence) from failure
        raise UploadError(sentence) from failure
    except error.URLError as failure:
        raise _TransientError(f"upload request failed: {failure.reason}") from failure
    except (OSError, HTTPException) as failure:
        raise _TransientError(f"upload request failed: {str(failure) or type(failure).__name__}") from failure
    except ValueError as failure:  # a header or a URL that HTTP does not have
        raise UploadError(f"upload request failed: {type(failure).__name__}") from failure


def _chunks(file: IO[bytes], size: int) -> Iterator[bytes]:
    """All of the file, or what was there when it was measured. Raises OSError when it has become shorter."""
    file.seek(0)
    while size:
        chunk = file.read(min(size, _CHUNK))
        if not chunk:
            raise OSError("the file became shorter while it was sent")
        yield chunk
        size -= len(chunk)


def _opener() -> Any:
    """Proxies as in the environment, but no redirects: what is put elsewhere is not put where it was to go."""
    from urllib import request  # noqa: PLC0415 - takes long to import: only when a file goes out

    opener = request.OpenerDirector()
    for handler in (
        request.ProxyHandler,
        request.HTTPHandler,
        request.HTTPSHandler,
        request.HTTPDefaultErrorHandler,
        request.HTTPErrorProcessor,
        request.UnknownHandler,
    ):
        opener.add_handler(handler())
    return opener


def _without_query(url: str) -> str:
    return urlunsplit((*urlsplit(url)[:3], "", ""))


def _printable(text: str) -> str:
    """`text` as a header can have it: what is not printable ASCII is percent-encoded."""
    return text if text.isascii() and text.isprintable() else quote(text, errors="surrogatepass")
