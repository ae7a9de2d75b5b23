"""How a server ends, and what becomes of what it was doing; and how it goes on when its worker does not."""

from __future__ import annotations

import http.client
import signal
import time
from typing import TYPE_CHECKING, Any

from tests.server.oracle.asked import Cases

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.server.oracle.talk import Talk

__all__ = ["CASES"]

SLEEP = {"id": "z", "input": {"op": "sleep", "seconds": 0.6}}


def _shutdown(talk: Talk) -> Any:
    return talk.ask("POST", "/shutdown")


def _signal(number: signal.Signals) -> Callable[[Talk], Any]:
    return lambda talk: talk.popen.send_signal(number)


def _idle(end: Callable[[Talk], Any]) -> Any:
    def question(talk: Talk) -> Any:
        kept = http.client.HTTPConnection("127.0.0.1", talk.port, timeout=5)
        kept.request("GET", "/")
        kept.getresponse().read()
        said = end(talk)
        code = talk.exits()
        kept.close()
        return said, code

    return question


def _busy(end: Callable[[Talk], Any]) -> Any:
    """Told to end while it predicts: the prediction is answered, another one is not."""

    def question(talk: Talk) -> Any:
        answer = talk.later("POST", "/predictions", SLEEP)
        talk.wait_busy()
        said = end(talk)
        time.sleep(0.2)
        try:
            talk.ask("GET", "/health-check")
            refused = False
        except (ConnectionError, TimeoutError, http.client.HTTPException):
            refused = True
        return said, refused, answer.result(), talk.exits()

    return question


def _background(talk: Talk) -> Any:
    """Told to end while it predicts in the background: does the webhook hear of it?"""
    hook = "/hook/term"
    body = {**SLEEP, "webhook": talk.receiver.url + hook}
    answer = talk.ask("POST", "/predictions", body, {"Prefer": "respond-async"})
    talk.wait_busy()
    talk.popen.send_signal(signal.SIGTERM)
    return answer, talk.exits(), [call["body"]["status"] for call in talk.calls(hook, 2, 1)]


def _explicit(talk: Talk) -> Any:
    """SIGTERM is not for this one."""
    talk.popen.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    return talk.run({"text": "x"}), talk.ask("POST", "/shutdown"), talk.exits()


def _crash(talk: Talk) -> Any:
    """The worker dies; what then?"""
    crashed = talk.run({"op": "crash"})
    health = talk.wait_for("READY", 1.5)
    after = talk.ask("POST", "/predictions", {"input": {"text": "after"}}, patient=False)
    return crashed, health, after


CASES: Cases = {
    "shutdown": {"shutdown": _idle(_shutdown)},
    "shutdown of a busy one": {"shutdown of a busy one": _busy(_shutdown)},
    "SIGTERM": {"SIGTERM": _idle(_signal(signal.SIGTERM))},
    "SIGTERM of a busy one": {"SIGTERM of a busy one": _busy(_signal(signal.SIGTERM))},
    "SIGTERM of an asynchronous one": {"SIGTERM of an asynchronous one": _background},
    "SIGINT": {"SIGINT": _idle(_signal(signal.SIGINT))},
    "explicit shutdown": {"explicit shutdown": _explicit},
    "crash": {"crash": _crash},
}
