"""One client that times what a load generator cannot: streams, large bodies, connections for one request."""

from __future__ import annotations

import http.client
import json
import socket
import time
from dataclasses import dataclass

__all__ = ["Stream", "on_new_connections", "post", "streams"]

_PATIENCE = 60  # seconds
_TRIES = 100
_REFUSED = 409
_NO_SLOT = b"HTTP/1.1 409"
_TOKEN = b"event: output"
_LAST_CHUNK = b"\r\n0\r\n\r\n"  # RFC 9112 §7.1
_BUFFER = 1 << 18
_GLIMPSE = 2000
_SUCCEEDED = b'"status":"succeeded"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Seconds from the request to its first token, and to the end of the stream."""

    first: float
    whole: float


def streams(port: int, tokens: int, count: int, *, kept: bool) -> list[Stream]:
    """Ask `count` times for so many tokens as server-sent events; exits when others come.

    All on one connection that is `kept`, whose first stream is then not among the results, or each on its own.
    """
    body = json.dumps({"input": {"n": tokens}}).encode()
    head = (
        "POST /predictions HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    if not kept:
        return [each for _ in range(count) for each in _on_one(port, head + body, tokens, 1)]
    return _on_one(port, head + body, tokens, count + 1)[1:]


def post(port: int, body: bytes, *, least: int = 0) -> float:
    """Seconds of a prediction from the request to the end of its answer.

    Exits when it does not succeed, or when its answer has fewer than `least` bytes.
    """
    for _ in range(_TRIES):
        seconds, status, answer = _send(port, body)
        if status != _REFUSED:
            break
        time.sleep(0.01)
    if _SUCCEEDED not in answer[:_GLIMPSE] + answer[-_GLIMPSE:] or len(answer) < least:
        raise SystemExit(f"bench: {status}, {len(answer)} bytes: {answer[:_GLIMPSE]!r} … {answer[-_GLIMPSE:]!r}")
    return seconds


def on_new_connections(port: int, body: bytes, seconds: float, *, version: str, fields: str) -> float:
    """Predictions that succeed per second, one after another, each on a connection of its own that the client ends."""
    head = (
        f"POST /predictions HTTP/{version}\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"{fields}Content-Length: {len(body)}\r\n\r\n"
    ).encode()
    succeeded, start = 0, time.perf_counter()
    while (passed := time.perf_counter() - start) < seconds:
        with socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE) as client:
            client.sendall(head + body)
            answer = b""
            while not answer.endswith(b"}") and (data := client.recv(_BUFFER)):
                answer += data
            succeeded += _SUCCEEDED in answer
    return succeeded / passed


def _on_one(port: int, request: bytes, tokens: int, count: int) -> list[Stream]:
    with socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return [_stream(client, request, tokens) for _ in range(count)]


def _stream(client: socket.socket, request: bytes, tokens: int) -> Stream:
    for _ in range(_TRIES):
        first, whole, raw = _listen(client, request)
        if not raw.startswith(_NO_SLOT):
            break
        time.sleep(0.01)  # a slot is on its way back
    if raw.count(_TOKEN) != tokens or _SUCCEEDED not in raw:
        raise SystemExit(f"bench: not a stream of {tokens} tokens: {raw[:400]!r} … {raw[-400:]!r}")
    return Stream(first=first, whole=whole)


def _listen(client: socket.socket, request: bytes) -> tuple[float, float, bytes]:
    """Everything that comes; it is looked into when the time has been taken."""
    first = 0.0
    raw = bytearray()
    start = time.perf_counter()
    client.sendall(request)
    while data := client.recv(_BUFFER):
        raw += data
        if not first and _TOKEN in raw:
            first = time.perf_counter() - start
        if raw.endswith(_LAST_CHUNK) or raw.startswith(_NO_SLOT):
            break
    return first, time.perf_counter() - start, bytes(raw)


def _send(port: int, body: bytes) -> tuple[float, int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    try:
        connection.connect()
        start = time.perf_counter()
        connection.request("POST", "/predictions", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
        return time.perf_counter() - start, answer.status, content
    finally:
        connection.close()
