"""Webhooks: which, when, with what, and how often."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.server.oracle.asked import Cases

if TYPE_CHECKING:
    from tests.server.oracle.talk import Talk

__all__ = ["CASES"]

ASYNC = {"Prefer": "respond-async"}


def _told(
    name: str,
    given: dict[str, Any],
    *,
    events: list[str] | None = None,
    headers: dict[str, str] | None = None,
    count: int = 0,
    seconds: float = 10,
    path: str = "",
) -> Any:
    """What a prediction's webhook hears. Each name has an address of its own."""

    def question(talk: Talk) -> Any:
        hook = f"/hook/{name}{path}"
        before = len(talk.receiver.calls(hook))
        body: dict[str, Any] = {"id": name, "input": given, "webhook": talk.receiver.url + hook}
        if events is not None:
            body["webhook_events_filter"] = events
        answer = talk.ask("POST", "/predictions", body, ASYNC if headers is None else headers)
        return {"answer": answer, "calls": talk.calls(hook, count, seconds)[before:], "after": talk.wait_for("READY")}

    return question


def _cancelled(talk: Talk) -> Any:
    hook = "/hook/cancelled"
    body = {"id": "wc", "input": {"n": 1, "hold": 5}, "webhook": talk.receiver.url + hook}
    talk.ask("POST", "/predictions", body, ASYNC)
    talk.wait_busy()
    return {"cancel": talk.ask("POST", "/predictions/wc/cancel"), "calls": talk.calls(hook)}


def _refused(talk: Talk) -> Any:
    """A request that is refused has no webhooks."""
    hook = "/hook/refused"
    answer = talk.run({"n": "x"}, webhook=talk.receiver.url + hook)
    return answer["status"], talk.receiver.calls(hook)


def _put(talk: Talk) -> Any:
    hook = "/hook/put"
    body = {"input": {"n": 1}, "webhook": talk.receiver.url + hook}
    answer = talk.ask("PUT", "/predictions/wp", body, ASYNC)
    return {"answer": answer, "calls": talk.calls(hook)}


def _streamed(talk: Talk) -> Any:
    """Events and webhooks of one prediction."""
    hook = "/hook/streamed"
    body = {"id": "ws", "input": {"n": 1}, "webhook": talk.receiver.url + hook}
    heard = talk.events("POST", "/predictions", body)
    return {"events": [name for name, _ in heard["events"]], "calls": talk.calls(hook)}


CASES: Cases = {
    "webhooks": {
        "webhooks": _told("all", {"n": 3, "delay": 0.1}),
        "webhooks: of a synchronous request": _told("sync", {"n": 1, "delay": 0.1}, headers={}),
        "webhooks: of a failure": _told("fail", {"fail_at": 1, "delay": 0.1}),
        "webhooks: nothing": _told("nothing", {"n": 0}),
        "webhooks: only the end": _told("end", {"n": 2}, events=["completed"]),
        "webhooks: only the start": _told("start", {"n": 2}, events=["start"], count=2, seconds=0.5),
        "webhooks: only output": _told("output", {"n": 2}, events=["output"], count=3, seconds=0.7),
        "webhooks: only logs": _told("logs", {"n": 2, "delay": 0.1}, events=["logs"], count=3, seconds=0.7),
        "webhooks: start and end": _told("startend", {"n": 2}, events=["start", "completed"]),
        "webhooks: none": _told("none", {"n": 1}, events=[], count=1, seconds=0.4),
        "webhooks: put": _put,
        "webhooks: cancelled": _cancelled,
        "webhooks: refused": _refused,
        "webhooks: with events": _streamed,
        "webhooks: trace": _told(
            "trace",
            {"n": 0},
            headers={**ASYNC, "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
        ),
        "webhooks: the end is tried again": _told("retry", {"n": 0}, events=["completed"], path="/fail-2", count=3),
        "webhooks: the end is not there": _told(
            "gone", {"n": 0}, events=["completed"], path="/status-404", count=2, seconds=0.8
        ),
        "webhooks: the end is bad": _told(
            "bad", {"n": 0}, events=["completed"], path="/status-400", count=2, seconds=0.8
        ),
        "webhooks: too many requests": _told(
            "many", {"n": 0}, events=["completed"], path="/status-429", count=2, seconds=0.8
        ),
        "webhooks: the start is not tried again": _told(
            "once", {"n": 0}, events=["start"], path="/fail-2", count=2, seconds=0.8
        ),
    },
    "webhooks of failures": {
        "webhooks: authorised": _told("auth", {"op": "hello", "text": "x"}),
        "webhooks: one value": _told("value", {"op": "hello", "text": "x"}, events=["output", "completed"]),
        "webhooks: an error": _told("error", {"op": "fail", "text": "bad thing"}),
        "webhooks: no output": _told("quiet", {"op": "quiet"}),
        "webhooks: a crash of the model": _told("leave", {"op": "leave"}),
    },
    "path iterator": {"webhooks: files": _told("files", {"n": 1, "delay": 0.1})},
    "async streaming": {"webhooks: async": _told("async", {"n": 2, "delay": 0.1})},
    "uploads": {"webhooks: uploads": _told("up", {"shape": "one", "names": ["hooked.png"]})},
}
