"""All predictions in flight: who has a slot, who waits a moment for one, who is told no. Knows nothing of HTTP."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from cog_oci.sdk.cog._wire import Cancel, Done, Log, Message, Metric, Output, Predict
from cog_oci.server.prediction import Listener, Prediction, Started

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["AtCapacityError", "DuplicateError", "Predictions", "UnavailableError"]

_GRACE = 0.05
"""Seconds in which a slot that is about to be free counts as free. A model that is really busy stays busy longer."""


class AtCapacityError(Exception):
    """Every slot is taken, and none became free in the time that it takes to hand one on."""

    def __str__(self) -> str:
        return "At capacity - all prediction slots busy"


class DuplicateError(Exception):
    """A prediction of this id is in flight."""

    def __init__(self, prediction: Prediction) -> None:
        super().__init__(prediction.id)
        self.prediction = prediction

    def __str__(self) -> str:
        return (
            f"A prediction with the id {self.prediction.id!r} is running already, with another input or another request"
        )


class UnavailableError(Exception):
    """No prediction can be started now; the message says why."""


class Predictions:
    """The registry: `open` when a worker is ready, `close` when it is not. `listeners` hear of everything."""

    def __init__(self, unavailable: str, listeners: Sequence[Listener] = ()) -> None:
        self._listeners = tuple(listeners)
        self._unavailable: str | None = unavailable
        self._send: Callable[[Message], None] | None = None
        self._active: dict[str, Prediction] = {}
        self._running: set[str] = set()
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._slots = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def open(self, slots: int, send: Callable[[Message], None]) -> None:
        """A worker takes `slots` predictions at a time from now on."""
        self._slots, self._send, self._unavailable = slots, send, None

    def close(self, unavailable: str, error: str) -> None:
        """There is no worker: everything in flight fails with `error`, new requests hear `unavailable`."""
        self._unavailable, self._send = unavailable, None
        for prediction in list(self._active.values()):
            self._finish(prediction, Done(prediction.id, "failed", prediction.elapsed, error=error))

    @property
    def unavailable(self) -> str | None:
        """Why nothing can be started, if nothing can."""
        return self._unavailable

    @property
    def busy(self) -> bool:
        """Whether every slot is taken."""
        return self._slots > 0 and len(self._running) >= self._slots

    def get(self, identity: str) -> Prediction | None:
        """The prediction of this id, if it is in flight."""
        return self._active.get(identity)

    def alone(self) -> Prediction | None:
        """The one prediction that can be running, if one is: what a single-slot worker prints is its."""
        if self._slots == 1 and len(self._running) == 1:
            return self._active[next(iter(self._running))]
        return None

    async def start(self, identity: str | None, given: Any, context: dict[str, str]) -> Prediction:
        """A prediction that has a slot and is on its way; one that was cancelled meanwhile has ended.

        Raises UnavailableError, DuplicateError or AtCapacityError.
        """
        if self._unavailable is not None:
            raise UnavailableError(self._unavailable)
        identity = f"pred_{uuid4().hex}" if identity is None else identity
        if identity in self._active:
            raise DuplicateError(self._active[identity])
        prediction = Prediction(identity, given, context)
        for listener in self._listeners:
            prediction.listen(listener)
        self._active[identity] = prediction
        self._idle.clear()
        if self.busy or self._waiting:
            await self._wait_for_slot(prediction)
        if prediction.status.terminal:  # canceled, or out of luck, before it had a slot
            return prediction
        self._running.add(identity)
        assert self._send is not None, "a slot is never handed out without a worker"
        try:
            self._send(Predict(identity, given, context))
        except (ValueError, RecursionError) as error:
            self._finish(prediction, Done(identity, "failed", 0.0, error=f"Input validation error: {error}"))
        else:
            prediction.apply(Started())
        return prediction

    def cancel(self, identity: str) -> bool:
        """Ask for the end of a prediction; whether there is one of this id."""
        prediction = self._active.get(identity)
        if prediction is None:
            return False
        if identity in self._running and self._send is not None:
            self._send(Cancel(identity))
        else:
            self._finish(prediction, Done(identity, "canceled", 0.0))
        return True

    def handle(self, event: Log | Output | Metric | Done) -> None:
        """The worker says something about a prediction."""
        prediction = self._active.get(event.id or "")
        if prediction is None:
            return
        if isinstance(event, Done):
            self._finish(prediction, event)
        else:
            prediction.apply(event)

    async def drain(self, limit: float | None) -> bool:
        """Take nothing new and wait for what is in flight; whether that ended of itself within `limit` seconds.

        What has not is failed, with the reason.
        """
        self._unavailable = "The server is shutting down"
        try:
            async with asyncio.timeout(limit):
                await self._idle.wait()
        except TimeoutError:
            self.close(self._unavailable, f"The server shut down before the prediction had ended (after {limit:g} s)")
            return False
        return True

    def _finish(self, prediction: Prediction, done: Done) -> None:
        """Return the slot first: who hears of the end may at once ask for another prediction."""
        identity = prediction.id
        self._active.pop(identity, None)
        if identity in self._running:
            self._running.remove(identity)
            self._hand_on()
        elif (waiting := self._waiting.pop(identity, None)) is not None and not waiting.done():
            waiting.set_result(None)
        if not self._active:
            self._idle.set()
        prediction.apply(done)

    def _hand_on(self) -> None:
        """Give the slot that has just become free to who has waited longest; it counts as taken from now."""
        while self._waiting and not self.busy:
            identity = next(iter(self._waiting))
            waiting = self._waiting.pop(identity)
            if not waiting.done():
                self._running.add(identity)
                waiting.set_result(None)

    async def _wait_for_slot(self, prediction: Prediction) -> None:
        loop = asyncio.get_running_loop()
        waiting = loop.create_future()
        self._waiting[prediction.id] = waiting
        timer = loop.call_later(_GRACE, _expire, waiting)
        try:
            await waiting
        except BaseException:
            self._leave(prediction)
            raise
        finally:
            timer.cancel()

    def _leave(self, prediction: Prediction) -> None:
        """The prediction will not be started: nothing of it may remain, nor a slot that it was just given."""
        self._waiting.pop(prediction.id, None)
        if self._active.get(prediction.id) is prediction:
            del self._active[prediction.id]
            if prediction.id in self._running:
                self._running.remove(prediction.id)
                self._hand_on()
        if not self._active:
            self._idle.set()


def _expire(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_exception(AtCapacityError())
