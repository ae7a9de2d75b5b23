"""The life of a prediction: at once or in the background, polled, repeated, cancelled, refused."""

from __future__ import annotations

import http.client
import json
import time
from typing import TYPE_CHECKING, Any

from tests.server.oracle.asked import Asked, Cases

if TYPE_CHECKING:
    from tests.server.oracle.talk import Talk

__all__ = ["CASES"]

ASYNC = {"Prefer": "respond-async"}


def _sleep(seconds: float = 0.5, op: str = "sleep", **fields: Any) -> dict[str, Any]:
    return {"input": {"op": op, "seconds": seconds}, **fields}


def _background(preference: str) -> Any:
    def question(talk: Talk) -> Any:
        began = time.monotonic()
        first = talk.ask("POST", "/predictions", _sleep(0.3), {"Prefer": preference})
        waited = time.monotonic() - began > 0.25
        return first, waited, talk.wait_for("READY")

    return question


def _polled(talk: Talk) -> Any:
    """Started in the background, polled by PUT until it is gone."""
    first = talk.ask("PUT", "/predictions/poll", _sleep(0.4), ASYNC)
    talk.wait_busy()
    second = talk.ask("PUT", "/predictions/poll", _sleep(0.4), ASYNC)
    third = talk.ask("PUT", "/predictions/poll", _sleep(0.4))
    talk.wait_for("READY")
    return first, second, third, talk.ask("PUT", "/predictions/poll", {"input": {"text": "again"}})


def _polled_otherwise(talk: Talk) -> Any:
    """The id of one that runs, with another input."""
    talk.ask("PUT", "/predictions/other", _sleep(0.3), ASYNC)
    talk.wait_busy()
    answer = talk.ask("PUT", "/predictions/other", {"input": {"text": "other"}}, patient=False)
    talk.wait_for("READY")
    return answer


def _polled_wrongly(talk: Talk) -> Any:
    talk.ask("PUT", "/predictions/wrong", _sleep(0.3), ASYNC)
    talk.wait_busy()
    answer = talk.ask("PUT", "/predictions/wrong", {"input": {"text": 5}}, patient=False)
    talk.wait_for("READY")
    return answer


def _polled_tokens(talk: Talk) -> Any:
    """The output so far."""
    body = {"input": {"n": 2, "delay": 0.4}}
    talk.ask("PUT", "/predictions/t", body, ASYNC)
    talk.wait_busy()
    return talk.ask("PUT", "/predictions/t", body), talk.wait_for("READY")


def _refused(talk: Talk) -> Any:
    """While the only slot is taken: another prediction, one that is wrong, and one that is malformed."""
    first = talk.later("POST", "/predictions", _sleep(2.0))
    talk.wait_busy()
    return (
        talk.ask("POST", "/predictions", {"input": {}}, patient=False),
        talk.ask("POST", "/predictions", {"input": {"text": 5}}, patient=False),
        talk.ask("POST", "/predictions", b"{", {"Content-Type": "application/json"}, patient=False),
        talk.ask("PUT", "/predictions/new", {"input": {}}, patient=False),
        talk.ask("POST", "/predictions", {"input": {}}, ASYNC, patient=False),
        first.result(),
        talk.wait_for("READY"),
    )


def _cancelled(op: str, seconds: float = 1.5) -> Any:
    def question(talk: Talk) -> Any:
        answer = talk.later("POST", "/predictions", _sleep(seconds, op, id=f"c {op}"))
        talk.wait_busy()
        cancel = talk.ask("POST", f"/predictions/c%20{op}/cancel")
        return cancel, answer.result(), talk.wait_for("READY"), talk.ask("POST", f"/predictions/c%20{op}/cancel")

    return question


def _cancelled_async(**given: Any) -> Any:
    def question(talk: Talk) -> Any:
        answer = talk.later("POST", "/predictions", {"id": "ca", "input": {"seconds": 3, **given}})
        talk.wait_busy()
        return talk.ask("POST", "/predictions/ca/cancel"), answer.result(), talk.wait_for("READY")

    return question


def _cancelled_twice(talk: Talk) -> Any:
    answer = talk.later("POST", "/predictions", _sleep(0.5, "spin", id="twice"))
    talk.wait_busy()
    statuses = [talk.ask("POST", "/predictions/twice/cancel")["status"]]
    answer.result()
    talk.wait_for("READY")
    return *statuses, talk.ask("POST", "/predictions/twice/cancel")["status"]


def _cancelled_tokens(talk: Talk) -> Any:
    answer = talk.later("POST", "/predictions", {"id": "ct", "input": {"n": 50, "delay": 0.1}})
    talk.wait_busy()
    cancel = talk.ask("POST", "/predictions/ct/cancel")
    ended = answer.result()
    ended["body"].pop("output", None)  # how many tokens there were is chance
    return cancel, ended, talk.wait_for("READY")


def _hung_up(talk: Talk) -> Any:
    """The client of a synchronous prediction goes away."""
    connection = http.client.HTTPConnection("127.0.0.1", talk.port, timeout=5)
    body = json.dumps(_sleep(3, id="gone")).encode()
    connection.request("POST", "/predictions", body, {"Content-Type": "application/json"})
    talk.wait_busy()
    connection.close()
    return talk.wait_for("READY", 2), talk.run({"text": "next"})


def _hung_up_async(talk: Talk) -> Any:
    """The client of one in the background goes away, which is what it said it would do."""
    first = talk.ask("POST", "/predictions", _sleep(0.4), ASYNC)
    talk.wait_busy()
    return first["status"], talk.health()["status"], talk.wait_for("READY")


def _same_id(talk: Talk) -> Any:
    """One after the other, with one id."""
    first = talk.ask("POST", "/predictions", {"id": "same", "input": {"text": "1"}})
    return first, talk.ask("POST", "/predictions", {"id": "same", "input": {"text": "2"}})


def _parallel(talk: Talk) -> Any:
    """Six at a time where there are four slots."""
    answers = [
        talk.later("POST", "/predictions", {"id": f"p{n}", "input": {"name": f"n{n}", "seconds": 0.4}}, patient=False)
        for n in range(6)
    ]
    found = [answer.result() for answer in answers]
    statuses = sorted(answer["status"] for answer in found)
    mine = all(
        answer["body"]["logs"] == f"begin n{n}\nend n{n}\n" and answer["body"]["metrics"]["name"] == f"n{n}"
        for n, answer in enumerate(found)
        if answer["status"] == 200
    )
    return statuses, mine, talk.wait_for("READY")


def _one_of_several(talk: Talk) -> Any:
    """One of two is cancelled, the other does not notice."""
    bodies = [{"id": f"o{n}", "input": {"name": f"o{n}", "seconds": seconds}} for n, seconds in enumerate((3, 0.4))]
    answers = [talk.later("POST", "/predictions", body) for body in bodies]
    time.sleep(0.2)
    cancel = talk.ask("POST", "/predictions/o0/cancel")
    first, second = (answer.result() for answer in answers)
    first["body"].pop("output", None)
    return cancel, first, second


def _one_id_twice(talk: Talk) -> Any:
    """POST with the id of one that runs, while there is a slot."""
    body = {"id": "d", "input": {"name": "d", "seconds": 0.3}}
    first = talk.later("POST", "/predictions", body)
    time.sleep(0.1)
    second = talk.ask("POST", "/predictions", body, patient=False)
    return first.result(), second


def _mismatch(identity: str, body: dict[str, Any]) -> Asked:
    return Asked("PUT", f"/predictions/{identity}", body)


CASES: Cases = {
    "idempotence": {
        "put": _mismatch("p1", {"input": {"text": "x"}}),
        "put again": _mismatch("p1", {"input": {"text": "y"}}),
        "put with its id": _mismatch("p1", {"id": "p1", "input": {"text": "x"}}),
        "put with a slash": _mismatch("a%2Fb", {"input": {"text": "x"}}),
        "put with unicode": _mismatch("%C3%BC%20x", {"input": {"text": "x"}}),
        "put with a plus": _mismatch("a+b", {"input": {"text": "x"}}),
        "put mismatch": _mismatch("foo", {"id": "bar", "input": {}}),
        "put of an empty id": _mismatch("foo", {"id": "", "input": {}}),
        "put of a null id": _mismatch("foo", {"id": None, "input": {}}),
        "put with a failure": _mismatch("foo", {"input": {"op": "leave"}}),
        "put with a wrong input": _mismatch("foo", {"input": {"text": 5}}),
        "put, polled": _polled,
        "put, polled with another input": _polled_otherwise,
        "put, polled with a wrong input": _polled_wrongly,
        "post of one id, one after the other": _same_id,
        "in the background": _background("respond-async"),
        "in the background, in other letters": _background("Respond-Async"),
        "in the background, waiting": _background("respond-async, wait=5"),
        "in the background, among others": _background("return=minimal, respond-async"),
        "not in the background": _background("wait=5"),
        "not in the background, unknown": _background("nonsense"),
        "background with a wrong input": Asked("POST", "/predictions", {"input": {"text": 5}}, ASYNC),
        "background, put": Asked("PUT", "/predictions/background", {"input": {"text": "x"}}, ASYNC),
        "refused": _refused,
        "cancelled": _cancelled("sleep"),
        "cancelled while it is busy": _cancelled("spin"),
        "cancelled, and it does not care": _cancelled("swallow"),
        "cancelled after its end": _cancelled_twice,
        "client hangs up": _hung_up,
        "client of the background hangs up": _hung_up_async,
    },
    "tokens": {"put, polled for tokens": _polled_tokens, "cancelled tokens": _cancelled_tokens},
    "async": {
        "async: cancelled": _cancelled_async(text="c"),
        "async: cancelled, and it does not care": _cancelled_async(text="c", swallow=True),
        "async: refused": lambda talk: (
            talk.ask("POST", "/predictions", {"id": "r", "input": {"seconds": 1.0}}, ASYNC),
            talk.wait_busy(),
            talk.ask("POST", "/predictions", {"input": {}}, patient=False),
            talk.wait_for("READY"),
        ),
    },
    "async tokens": {"async tokens: cancelled": _cancelled_tokens},
    "several": {
        "several: in parallel": _parallel,
        "several: one is cancelled": _one_of_several,
        "several: one id twice": _one_id_twice,
    },
}
