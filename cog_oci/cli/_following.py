"""One prediction, followed while it runs: what it prints and what it has made so far, as they come.

A model that streams tells of both in events. Of any other its state is asked for again and again, beside the request
that waits for the end: our server has GET for that; Cog's answers a PUT of the same id, and its input is one that no
model can take, should the prediction have ended meanwhile.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from typing import TYPE_CHECKING, Any

from cog_oci.cli._events import events_of
from cog_oci.cli._exchange import exchange, open_exchange
from cog_oci.cli._lifetime import ended_soon
from cog_oci.errors import CogError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cog_oci.cli._asked import Asked, Viewer
    from cog_oci.engines import Container

__all__ = ["follow"]

_FIRST, _OFTEN, _SHARE = 0.3, 0.25, 10  # seconds before the first look, between looks; of the time that a look takes


def follow(base: str, asked: Asked, container: Container, viewer: Viewer) -> dict[str, Any]:
    """The whole answer.

    Raises CogError when the server refuses the input, or is gone before it has answered.
    """
    path = f"/{asked.kind}/run-{secrets.token_hex(6)}"
    try:
        way = _by_events if asked.events else _by_looking
        return way(base, path, asked.body, viewer)
    except OSError as error:
        status = ended_soon(container)
        why = f"the container ended with status {status}" if status is not None else str(error)
        raise CogError(f"there is no answer: {why}") from None


def _by_events(base: str, path: str, body: Mapping[str, Any], viewer: Viewer) -> dict[str, Any]:
    with open_exchange(base, "PUT", path, body, accept="text/event-stream", wait=None) as answer:
        if not (answer.headers.get("Content-Type") or "").startswith("text/event-stream"):
            return _taken(answer.status, _document(answer.read()))
        for event, data in events_of(answer):
            if event == "log":
                viewer.log(data["data"])
            elif event == "output":
                viewer.items([data["chunk"]])
            elif event == "completed":
                return dict(data)
    raise ConnectionError("the events ended before the prediction did")


def _by_looking(base: str, path: str, body: Mapping[str, Any], viewer: Viewer) -> dict[str, Any]:
    ended = threading.Event()
    answers: list[tuple[int, Any] | OSError] = []

    def wait() -> None:
        try:
            answers.append(exchange(base, "PUT", path, body, wait=None))
        except OSError as error:
            answers.append(error)
        finally:
            ended.set()

    threading.Thread(target=wait, daemon=True).start()
    look, pause = _Look(base, path), _FIRST
    logged = told = 0
    while not ended.wait(pause):
        before = time.monotonic()
        state = look()
        if state is not None and not ended.is_set():
            logs, output = state.get("logs") or "", state.get("output")
            viewer.log(logs[logged:])
            logged = len(logs)
            if isinstance(output, list):
                viewer.items(output[told:])
                told = len(output)
        pause = max(_OFTEN, _SHARE * (time.monotonic() - before))
    (answer,) = answers
    if isinstance(answer, OSError):
        raise answer
    return _taken(*answer)


class _Look:
    """How far the prediction is; None where nobody knows."""

    def __init__(self, base: str, path: str) -> None:
        self._base, self._path = base, path
        self._asks: Callable[[], tuple[int, Any]] = self._get

    def __call__(self) -> dict[str, Any] | None:
        try:
            status, state = self._asks()
            if status == 405 and self._asks == self._get:
                self._asks = self._put
                status, state = self._asks()
        except OSError:  # the request that waits for the end will say
            return None
        return state if status in {200, 202} and isinstance(state, dict) else None

    def _get(self) -> tuple[int, Any]:
        return exchange(self._base, "GET", self._path)

    def _put(self) -> tuple[int, Any]:
        return exchange(self._base, "PUT", self._path, {"input": []})


def _taken(status: int, answer: Any) -> dict[str, Any]:
    """The answer, unless it is a refusal."""
    if isinstance(answer, dict):
        if status < 300:
            return dict(answer)
        raise CogError(f"the model refused the input: {_refusal(answer)}")
    raise CogError(f"the server answered HTTP {status}: {answer}")


def _document(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return content.decode("utf-8", "replace")


def _refusal(document: Mapping[str, Any]) -> str:
    detail = document.get("detail")
    if isinstance(detail, list):
        return "; ".join(f"{'.'.join(map(str, item['loc'][2:]))}: {item['msg']}" for item in detail)
    return str(document.get("error", document))
