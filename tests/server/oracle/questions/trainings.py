"""Trainings: in training mode, in prediction mode, and of a model that has none."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from tests.server.oracle.asked import Asked, Cases, run

if TYPE_CHECKING:
    from tests.server.oracle.talk import Talk

__all__ = ["CASES"]


def _train(**given: Any) -> Asked:
    return Asked("POST", "/trainings", {"input": given})


def _cancelled(path: str) -> Any:
    def question(talk: Talk) -> Any:
        answer = talk.later("POST", "/trainings", {"id": "t", "input": {"n": 1, "seconds": 1.5}})
        talk.wait_busy()
        return talk.ask("POST", f"/{path}/t/cancel"), answer.result(), talk.wait_for("READY")

    return question


def _busy(talk: Talk) -> Any:
    answer = talk.later("PUT", "/trainings/b", {"input": {"n": 1, "seconds": 0.4}})
    talk.wait_busy()
    time.sleep(0.05)
    refused = talk.ask("POST", "/trainings", {"input": {"n": 1}}, patient=False)
    polled = talk.ask("PUT", "/trainings/b", {"input": {"n": 1, "seconds": 0.4}}, patient=False)
    return refused, polled, answer.result()


def _told(talk: Talk) -> Any:
    body = {"id": "tw", "input": {"n": 2}, "webhook": f"{talk.receiver.url}/hook/training"}
    answer = talk.ask("POST", "/trainings", body, {"Prefer": "respond-async"})
    return {"answer": answer, "calls": talk.calls("/hook/training")}


CASES: Cases = {
    "training": {
        "training: index": Asked("GET", "/"),
        "training: schema": Asked("GET", "/openapi.json"),
        "training: health": Asked("GET", "/health-check"),
        "training": _train(n=3),
        "training: whole input": _train(n=3, name="v", seconds=0),
        "training: failing": _train(n=1, fail=True),
        "training: missing input": _train(),
        "training: wrong input": _train(n="x"),
        "training: beyond the limit": _train(n=11),
        "training: unknown field": _train(n=1, nonsense=2),
        "training: as a prediction": run(n=2),
        "training: as a wrong prediction": run(text="x"),
        "training: put": Asked("PUT", "/trainings/p", {"input": {"n": 1}}),
        "training: put mismatch": Asked("PUT", "/trainings/p", {"id": "q", "input": {"n": 1}}),
        "training: get": Asked("GET", "/trainings"),
        "training: get one": Asked("GET", "/trainings/p"),
        "training: malformed": Asked("POST", "/trainings", b"{", {"Content-Type": "application/json"}),
        "training: text": Asked("POST", "/trainings", b"{}", {"Content-Type": "text/plain"}),
        "training: events": Asked("POST", "/trainings", {"input": {"n": 1}}, {"Accept": "text/event-stream"}),
        "training: cancel nobody": Asked("POST", "/trainings/nobody/cancel"),
        "training: cancelled": _cancelled("trainings"),
        "training: cancelled as a prediction": _cancelled("predictions"),
        "training: busy": _busy,
        "training: webhooks": _told,
    },
    "trainable": {
        "trainable: index": Asked("GET", "/"),
        "trainable: schema": Asked("GET", "/openapi.json"),
        "trainable: prediction": run(text="x"),
        "trainable: training": _train(n=3),
        "trainable: missing input": _train(),
        "trainable: wrong input": _train(n="x"),
        "trainable: put mismatch": Asked("PUT", "/trainings/p", {"id": "q", "input": {"n": 1}}),
        "trainable: cancel nobody": Asked("POST", "/trainings/nobody/cancel"),
    },
    "plain": {
        "no training": _train(text="x"),
        "no training: wrong input": _train(text=5),
        "no training: put": Asked("PUT", "/trainings/p", {"input": {"text": "x"}}),
        "no training: put mismatch": Asked("PUT", "/trainings/p", {"id": "q", "input": {}}),
        "no training: cancel nobody": Asked("POST", "/trainings/nobody/cancel"),
        "no training: get": Asked("GET", "/trainings"),
        "no training: events": Asked("POST", "/trainings", {"input": {}}, {"Accept": "text/event-stream"}),
    },
}
