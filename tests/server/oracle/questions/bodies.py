"""Bodies of requests: what is accepted, and what is said about what is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.server.oracle.asked import Asked, Cases, post

if TYPE_CHECKING:
    from tests.server.oracle.talk import Talk

__all__ = ["CASES"]

JSON = {"Content-Type": "application/json"}


def _json(text: str) -> Asked:
    return post(text.encode(), JSON)


def _typed(kind: str) -> Asked:
    return post(b'{"input": {"text": "x"}}', {"Content-Type": kind})


def _named(**fields: Any) -> Asked:
    return post({"input": {"text": "x"}, **fields})


def _unread(talk: Talk) -> Any:
    """Cog does not read a body of no type, and then closes the connection or not, as it happens."""
    answer = talk.ask("POST", "/predictions", b"{}")
    return answer["status"], answer["body"]


CASES: Cases = {
    "bodies": {
        "empty body": Asked("POST", "/predictions"),
        "empty object": post({}),
        "null input": post({"input": None}),
        "no json": _json(""),
        "spaces": _json("  "),
        "bad json": _json("{bad"),
        "unfinished json": _json('{"input": {'),
        "unfinished text": _json('{"input": {"text": "x'),
        "two documents": _json("{} {}"),
        "trailing comma": _json('{"input": {},}'),
        "single quotes": _json("{'input': {}}"),
        "comment": _json("{/* */}"),
        "NaN": _json('{"input": {"seconds": NaN}}'),
        "infinity": _json('{"input": {"seconds": 1e999}}'),
        "leading zero": _json('{"input": {"seconds": 01}}'),
        "control character": _json('{"id": "a\nb"}'),
        "bad escape": _json('{"id": "\\x"}'),
        "half a surrogate pair": _json('{"input": {"text": "\\ud800"}}'),
        "no utf-8": post(b'{"input": {"text": "\xff"}}', JSON),
        "byte order mark": post(b'\xef\xbb\xbf{"input": {}}', JSON),
        "utf-16": post('{"input": {}}'.encode("utf-16"), JSON),
        "nested deeply": _json('{"x": ' + "[" * 200 + "]" * 200 + "}"),
        "nested a little": _json('{"x": ' + "[" * 100 + "]" * 100 + "}"),
        "number": _json("5"),
        "text as a body": _json('"text"'),
        "null body": _json("null"),
        "true": _json("true"),
        "array": _json("[1]"),
        "empty array": _json("[]"),
        "positional array": _json('["abc", {"text": "x"}, {}, null, []]'),
        "duplicate keys": _json('{"input": {"text": "a"}, "input": {"text": "b"}}'),
        "duplicate keys in the input": _json('{"input": {"text": "a", "text": "b"}}'),
        "id of another type": _json('{"id": 5}'),
        "id that is true": _json('{"id": true}'),
        "id that is a list": _json('{"id": []}'),
        "null id": _named(id=None),
        "empty id": _named(id=""),
        "own id": _named(
            id="abc", version="v", created_at="2020-01-01T00:00:00Z", extra=1, output_file_prefix="http://x"
        ),
        "id with unicode": _named(id="ünï 🎈"),
        "id like a path": _named(id="a/b/../c"),
        "id with a question mark": _named(id="a?b#c%20"),
        "webhook of another type": _json('{"webhook": 5}'),
        "null webhook": _named(webhook=None),
        "webhook that is no url": _named(webhook="not a url"),
        "empty webhook": _named(webhook=""),
        "unknown event": _json('{"webhook_events_filter": ["start", "nope"]}'),
        "event of another type": _json('{"webhook_events_filter": [5]}'),
        "filter of another type": _json('{"webhook_events_filter": "start"}'),
        "null filter": _json('{"webhook_events_filter": null}'),
        "empty filter": _named(webhook_events_filter=[]),
        "event twice": _named(webhook_events_filter=["start", "start"]),
        "context of another type": _json('{"context": {"a": 1}}'),
        "context that is a list": _json('{"context": []}'),
        "context with null": _json('{"context": {"a": null}}'),
        "null context": _json('{"context": null}'),
        "several mistakes": _json('{"id": 5, "webhook": 6}'),
        "text": post(b"{}", {"Content-Type": "text/plain"}),
        "form": post(b"input=x", {"Content-Type": "application/x-www-form-urlencoded"}),
        "multipart": post(b"--x--", {"Content-Type": "multipart/form-data; boundary=x"}),
        "no content type": _unread,
        "empty with content type": post(b"", {"Content-Type": "text/plain"}),
        "empty content type": _typed(""),
        "malformed content type": _typed("json"),
        "json with charset": _typed("application/json; charset=utf-8"),
        "json in other letters": _typed("Application/JSON"),
        "some json": _typed("application/vnd.x+json"),
        "json of another kind": _typed("text/json"),
        "unicode": post({"input": {"text": "ünï 🎈"}}),
        "mistakes of a put": Asked("PUT", "/predictions/p", b"{", JSON),
        "type of a put": Asked("PUT", "/predictions/p", b"{}", {"Content-Type": "text/plain"}),
        "put without a body": Asked("PUT", "/predictions/p"),
        "wrong id and wrong input": Asked("PUT", "/predictions/p", {"id": "q", "input": {"text": 5}}),
    },
    "without a schema": {
        "without a schema: schema": Asked("GET", "/openapi.json"),
        "without a schema: index": Asked("GET", "/"),
        "without a schema: prediction": post({"input": {"text": "x"}}),
        "without a schema: unknown field": post({"input": {"nonsense": 1}}),
        "without a schema: wrong type": post({"input": {"text": 5}}),
        "without a schema: list": post({"input": [1]}),
        "without a schema: text": post({"input": "x"}),
        "without a schema: null": post({"input": None}),
        "without a schema: events": post({"input": {}}, {"Accept": "text/event-stream"}),
        "without a schema: training": post({"input": {"text": "x"}}, path="/trainings"),
    },
}
