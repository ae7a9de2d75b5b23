"""What routes there are, and what is said about them."""

from __future__ import annotations

import http.client
from typing import Any

from tests.server.oracle.asked import Asked, Cases
from tests.server.oracle.talk import Talk

__all__ = ["CASES"]

HELLO = b'{"input": {"text": "x"}}'


def _get(path: str, *lines: str, version: str = "1.1", method: str = "GET") -> bytes:
    head = [f"{method} {path} HTTP/{version}", "Host: x", *lines]
    return ("\r\n".join(head) + "\r\n\r\n").encode()


def _post(*lines: str, version: str = "1.1", body: bytes = HELLO) -> bytes:
    lines = ("Content-Type: application/json", *lines)
    return _get("/predictions", f"Content-Length: {len(body)}", *lines, version=version, method="POST") + body


def _lengths(path: str) -> Any:
    def question(talk: Talk) -> Any:
        for _ in range(5):  # between the two, what it says of its health may have become something else
            answer = once(talk)
            if answer["same"]:
                break
        return answer

    def once(talk: Talk) -> dict[str, Any]:
        found = []
        for method in ("GET", "HEAD"):
            connection = http.client.HTTPConnection("127.0.0.1", talk.port, timeout=5)
            connection.request(method, path)
            answer = connection.getresponse()
            content = answer.read()
            found.append((answer.status, answer.headers["content-type"], int(answer.headers["content-length"])))
            connection.close()
            if method == "GET":
                assert len(content) == found[0][2]
            else:
                assert content == b""
        return {"same": found[0] == found[1], "status": found[0][0], "type": found[0][1]}

    return question


def _kept(talk: Talk) -> Any:
    """Several requests on one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", talk.port, timeout=5)
    found = []
    for path in ("/", "/health-check", "/nothing", "/openapi.json"):
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        found.append([answer.status, answer.will_close])
    connection.close()
    return found


def _twice(talk: Talk) -> Any:
    """Two requests before the first answer."""
    return talk.raw(_get("/nothing") + _get("/predictions", "Connection: close"))


def _expect(talk: Talk) -> Any:
    """A client that waits to be told to go on."""
    head, body = _post("Expect: 100-continue", "Connection: close").split(b"\r\n\r\n")
    invited = talk.raw(head + b"\r\n\r\n", until=lambda received: b"\r\n\r\n" in received)
    assert body == HELLO
    return invited


def _chunked(talk: Talk) -> Any:
    """A body whose length nobody knows before."""

    def parts() -> Any:
        yield b'{"input": '
        yield b'{"text": "chunk"}}'

    connection = http.client.HTTPConnection("127.0.0.1", talk.port, timeout=5)
    connection.request("POST", "/predictions", parts(), {"Content-Type": "application/json"}, encode_chunked=True)
    answer = connection.getresponse()
    found = [answer.status, b'"output":"hello chunk"' in answer.read()]
    connection.close()
    return found


def _too_large(talk: Talk) -> Any:
    """A body that is announced to be larger than what is taken."""
    head = _get("/predictions", "Content-Type: application/json", f"Content-Length: {200 << 20}", method="POST")
    return talk.raw(head, until=lambda received: b"exceeded" in received)


def _raw(content: bytes) -> Any:
    return lambda talk: talk.raw(content).partition("\n\n")[0]


CASES: Cases = {
    "plain": {
        "index": Asked("GET", "/"),
        "schema": Asked("GET", "/openapi.json"),
        "unknown path": Asked("GET", "/nothing"),
        "unknown path, posted to": Asked("POST", "/nothing", {}),
        "docs": Asked("GET", "/docs"),
        "slash too much": Asked("GET", "/predictions/"),
        "put without an id": Asked("PUT", "/predictions/", {}),
        "two slashes": Asked("GET", "//"),
        "get predictions": Asked("GET", "/predictions"),
        "get one prediction": Asked("GET", "/predictions/x"),
        "delete one prediction": Asked("DELETE", "/predictions/x"),
        "patch predictions": Asked("PATCH", "/predictions", {}),
        "post health": Asked("POST", "/health-check"),
        "put the index": Asked("PUT", "/", {}),
        "delete the schema": Asked("DELETE", "/openapi.json"),
        "get a cancellation": Asked("GET", "/predictions/x/cancel"),
        "get the shutdown": Asked("GET", "/shutdown"),
        "options": Asked("OPTIONS", "/predictions"),
        "options of a browser": Asked("OPTIONS", "/predictions", None, {"Origin": "http://x"}),
        "unknown method": Asked("BREW", "/predictions"),
        "query": Asked("GET", "/openapi.json?x=1"),
        "query of a prediction": Asked("POST", "/predictions?x=1", {"input": {"text": "q"}}),
        "head of the index": _lengths("/"),
        "head of the schema": _lengths("/openapi.json"),
        "head of the health": _lengths("/health-check"),
        "head of nothing": Asked("HEAD", "/nothing"),
        "head of predictions": Asked("HEAD", "/predictions"),
        "kept connection": _kept,
        "two at once": _twice,
        "expect 100": _expect,
        "chunked": _chunked,
        "too large": _too_large,
        "HTTP/1.0": _raw(_get("/nothing", version="1.0")),
        "HTTP/1.0, kept": _raw(_get("/nothing", "Connection: keep-alive", version="1.0")),
        "HTTP/1.0, prediction": _raw(_post(version="1.0")),
        "connection closed": _raw(_get("/nothing", "Connection: close")),
        "connection closed, prediction": _raw(_post("Connection: close")),
        "compression wished": Asked("GET", "/openapi.json", None, {"Accept-Encoding": "gzip"}),
        "other accept": Asked("POST", "/predictions", {"input": {"text": "x"}}, {"Accept": "text/html"}),
        "cancel nobody": Asked("POST", "/predictions/nobody/cancel"),
        "cancel nobody, with a body": Asked("POST", "/predictions/nobody/cancel", {"x": 1}),
        "cancel nothing": Asked("POST", "/predictions//cancel"),
    },
}
