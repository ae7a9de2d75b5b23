"""Server-sent events."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from tests.server.oracle.asked import Asked, Cases

if TYPE_CHECKING:
    from tests.server.oracle.talk import Talk

__all__ = ["CASES"]

SSE = {"Accept": "text/event-stream"}
ASYNC = {"Prefer": "respond-async"}


def _events(body: Any, method: str = "POST", path: str = "/predictions", **headers: str) -> Any:
    return lambda talk: talk.events(method, path, body, headers)


def _accepting(accept: str) -> Asked:
    return Asked("POST", "/predictions", {"input": {"n": 1, "delay": 0}}, {"Accept": accept})


def _second(talk: Talk) -> Any:
    """A second subscriber hears what was before."""
    body = {"input": {"n": 3, "delay": 0.2}}
    first = talk.events_later("PUT", "/predictions/s", body)
    talk.wait_busy()
    second = talk.events("PUT", "/predictions/s", body)
    return first.result(), second, talk.wait_for("READY")


def _background(talk: Talk) -> Any:
    """Started in the background, listened to later, left early, and it goes on."""
    body = {"input": {"n": 3, "delay": 0.2}}
    first = talk.ask("PUT", "/predictions/b", body, ASYNC)
    talk.wait_busy()
    heard = talk.events("PUT", "/predictions/b", body, at_most=2)
    again = talk.events("PUT", "/predictions/b", body)
    return first, heard, again["events"][-1:], talk.wait_for("READY")


def _left(talk: Talk) -> Any:
    """The only subscriber leaves."""
    heard = talk.events("POST", "/predictions", {"id": "left", "input": {"n": 1, "delay": 0, "hold": 5}}, at_most=3)
    time.sleep(0.1)
    return len(heard["events"]), talk.wait_for("READY", 3), talk.ask("POST", "/predictions/left/cancel")


def _cancelled(talk: Talk) -> Any:
    heard = talk.events_later("POST", "/predictions", {"id": "cs", "input": {"n": 1, "delay": 0, "hold": 5}})
    talk.wait_busy()
    return talk.ask("POST", "/predictions/cs/cancel"), heard.result(), talk.wait_for("READY")


def _refused(talk: Talk) -> Any:
    first = talk.later("POST", "/predictions", {"input": {"n": 1, "delay": 0.5}})
    talk.wait_busy()
    return talk.ask("POST", "/predictions", {"input": {"n": 1}}, SSE, patient=False), first.result()["status"]


CASES: Cases = {
    "streaming": {
        "events": _events({"id": "e", "input": {"n": 3}}),
        "events: without an id": _events({"input": {"n": 1}}),
        "events: nothing": _events({"id": "e", "input": {"n": 0}}),
        "events: failing": _events({"id": "e", "input": {"fail_at": 1}}),
        "events: failing at once": _events({"id": "e", "input": {"fail_at": 0}}),
        "events: put": _events({"input": {"n": 1}}, "PUT", "/predictions/put"),
        "events: put mismatch": _events({"id": "x", "input": {"n": 1}}, "PUT", "/predictions/put"),
        "events: wrong input": _events({"input": {"n": "x"}}),
        "events: in the background": _events({"id": "e", "input": {"n": 1}}, Prefer="respond-async"),
        "events: a second subscriber": _second,
        "events: of one in the background": _background,
        "events: the subscriber leaves": _left,
        "events: cancelled": _cancelled,
        "events: refused": _refused,
        "events: not asked for": Asked("POST", "/predictions", {"input": {"n": 1, "delay": 0}}),
        "events: anything accepted": _accepting("*/*"),
        "events: any text accepted": _accepting("text/*"),
        "events: malformed": Asked("POST", "/predictions", b"{", {**SSE, "Content-Type": "application/json"}),
        "events: text": Asked("POST", "/predictions", b"{}", {**SSE, "Content-Type": "text/plain"}),
        "events: among others": lambda talk: talk.events(
            "POST",
            "/predictions",
            {"id": "m", "input": {"n": 1}},
            {"Accept": "application/json, text/event-stream;q=0.5"},
        ),
        "events: of a training": Asked("POST", "/trainings", {"input": {"n": 1}}, SSE),
        "events: schema": Asked("GET", "/openapi.json"),
    },
    "streaming, no history": {"events: without history": _second},
    "async streaming": {
        "async events": _events({"id": "e", "input": {}}),
        "async events: failing": _events({"id": "e", "input": {"fail_at": 1}}),
        "async events: not asked for": Asked("POST", "/predictions", {"input": {"n": 2, "delay": 0}}),
    },
    "plain": {
        "events of a model without": Asked("POST", "/predictions", {"input": {"text": "x"}}, SSE),
        "events of a model without, put": Asked("PUT", "/predictions/x", {"input": {"text": "x"}}, SSE),
        "events of a model without, wrong input": Asked("POST", "/predictions", {"input": {"text": 5}}, SSE),
    },
    "setup goes on": {"setup goes on: events": Asked("POST", "/predictions", {"input": {}}, SSE)},
}
