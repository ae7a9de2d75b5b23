"""The requests that Cog's own server and ours are both asked: name → model, method, path, body, headers."""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ["REQUESTS", "Asked"]

JSON = {"Content-Type": "application/json"}


class Asked(NamedTuple):
    """One request; a body that is bytes is sent as it is, another one as JSON, None is no body."""

    model: str
    method: str
    path: str
    body: Any = None
    headers: dict[str, str] | None = None


def _run(model: str, /, **given: Any) -> Asked:
    return Asked(model, "POST", "/predictions", {"input": given})


def _typed(**given: Any) -> Asked:
    """Cog shares mutable defaults between predictions, so the list is given."""
    return _run("types", **{"strings": ["x"], **given})


def _raw(body: bytes, headers: dict[str, str] | None = None) -> Asked:
    return Asked("plain", "POST", "/predictions", body, JSON if headers is None else headers)


REQUESTS: dict[str, Asked] = {
    "index": Asked("plain", "GET", "/"),
    "health": Asked("plain", "GET", "/health-check"),
    "schema": Asked("plain", "GET", "/openapi.json"),
    "unknown path": Asked("plain", "GET", "/nothing"),
    "docs": Asked("plain", "GET", "/docs"),
    "slash too much": Asked("plain", "GET", "/predictions/"),
    "get predictions": Asked("plain", "GET", "/predictions"),
    "get one prediction": Asked("plain", "GET", "/predictions/x"),
    "post health": Asked("plain", "POST", "/health-check"),
    "options": Asked("plain", "OPTIONS", "/predictions"),
    "head": Asked("plain", "HEAD", "/health-check"),
    "hello": _run("plain", text="bob"),
    "empty body": Asked("plain", "POST", "/predictions"),
    "null input": Asked("plain", "POST", "/predictions", {"input": None}),
    "own id": Asked("plain", "POST", "/predictions", {"id": "abc", "input": {"text": "x"}, "extra": 1}),
    "put": Asked("plain", "PUT", "/predictions/p1", {"input": {"text": "x"}}),
    "put again": Asked("plain", "PUT", "/predictions/p1", {"input": {"text": "y"}}),
    "put with a slash": Asked("plain", "PUT", "/predictions/a%2Fb", {"input": {"text": "x"}}),
    "put mismatch": Asked("plain", "PUT", "/predictions/foo", {"id": "bar", "input": {}}),
    "cancel nobody": Asked("plain", "POST", "/predictions/nobody/cancel"),
    "failure": _run("plain", op="fail", text="bad thing"),
    "failure without text": _run("plain", op="fail"),
    "exit": _run("plain", op="leave"),
    "none": _run("plain", op="quiet"),
    "all kinds of output": _run("plain", op="mixed"),
    "thread": _run("plain", op="threads"),
    "numbers": _run("plain", op="numbers"),
    "days": _run("plain", op="days"),
    "alien": _run("plain", op="alien"),
    "metrics": Asked("plain", "POST", "/predictions", {"input": {"op": "metrics"}, "context": {"k": "v"}}),
    "retyped metric": _run("plain", op="retype"),
    "bad json": _raw(b"{bad"),
    "no json": _raw(b""),
    "id of another type": _raw(b'{"id": 5}'),
    "array": _raw(b"[1]"),
    "positional array": _raw(b'["abc", {"text": "x"}, {}, null, []]'),
    "webhook of another type": _raw(b'{"webhook": 5}'),
    "unknown event": _raw(b'{"webhook_events_filter": ["start", "nope"]}'),
    "context of another type": _raw(b'{"context": {"a": 1}}'),
    "null context": _raw(b'{"context": null}'),
    "null filter": _raw(b'{"webhook_events_filter": null}'),
    "text": _raw(b"{}", {"Content-Type": "text/plain"}),
    "no content type": _raw(b"{}", {}),
    "json with charset": _raw(b"{}", {"Content-Type": "application/json; charset=utf-8"}),
    "some json": _raw(b"{}", {"Content-Type": "application/vnd.x+json"}),
    "duplicate keys": _raw(b'{"input": {"text": "a"}, "input": {"text": "b"}}'),
    "unicode": _run("plain", text="ünï 🎈"),
    "types": _run("types"),
    "types again": _run("types"),
    "whole float": _typed(i=3.0),
    "int for float": _typed(f=1),
    "given null": _typed(maybe=None),
    "unknown field": _typed(nonsense=1),
    "data url": _typed(path="data:text/plain;base64,aGk=", file="data:,a%20b"),
    "invalid base64": _typed(path="data:;base64,###"),
    "local path": _typed(path="/etc/hostname"),
    "secret": _typed(secret="hush"),
    "not a string": _typed(s=5),
    "several problems": _typed(choice="q", f="x", i=0),
    "too much": _typed(i=11),
    "not whole": _typed(i=3.5),
    "boolean for int": _typed(i=True),
    "int for boolean": _typed(b=1),
    "text for int": _typed(i="3"),
    "too short": _typed(s="a"),
    "too long": _typed(s="abcdef"),
    "no match": _typed(s="ABC"),
    "null string": _typed(s=None),
    "null choice": _typed(choice=None),
    "item of another type": _typed(strings=["a", 5]),
    "object of another type": _typed(things=[]),
    "input is no object": Asked("types", "POST", "/predictions", {"input": []}),
    "big integer": _typed(i=10**20),
    "missing field": Asked("files", "POST", "/predictions", {"input": {}}),
    "file output": _run("files", text="x"),
    "missing file output": _run("files", text="x", missing=True),
    "tokens": _run("tokens"),
    "no tokens": _run("tokens", n=0),
    "failing tokens": _run("tokens", fail_at=1),
    "sick": _run("setup_fails"),
    "sick health": Asked("setup_fails", "GET", "/health-check"),
    "sick schema": Asked("setup_fails", "GET", "/openapi.json"),
    "async": _run("several", name="x"),
    "failing async": _run("several", name="x", fail=True),
}
