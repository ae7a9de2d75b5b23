"""JSON over HTTP with a server on this machine, with the standard library: requests takes 0.1 s to import."""

from __future__ import annotations

import json
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["exchange", "open_exchange"]


@contextmanager
def open_exchange(
    base: str, method: str, path: str, body: object = None, *, accept: str = "application/json", wait: float | None
) -> Iterator[HTTPResponse]:
    """The answer, to be read. `wait` is in seconds, for every step of it; None waits for ever. Raises OSError."""
    found = urlsplit(base)
    connection = HTTPConnection(found.hostname or "127.0.0.1", found.port, timeout=10)
    try:
        connection.connect()
        connection.sock.settimeout(wait)
        data = None if body is None else json.dumps(body).encode()
        connection.request(method, path, data, {"Content-Type": "application/json", "Accept": accept})
        yield connection.getresponse()
    except HTTPException as error:
        raise ConnectionError(str(error) or type(error).__name__) from error
    finally:
        connection.close()


def exchange(base: str, method: str, path: str, body: object = None, *, wait: float | None = 10) -> tuple[int, Any]:
    """Status and body of the answer; the body as text where it is no JSON. Raises OSError."""
    with open_exchange(base, method, path, body, wait=wait) as answer:
        content = answer.read()
    if (answer.headers.get("Content-Type") or "").startswith("application/json"):
        try:
            return answer.status, json.loads(content)
        except ValueError as error:
            raise ConnectionError(f"the answer is not JSON: {error}") from error
    return answer.status, content.decode("utf-8", "replace")
