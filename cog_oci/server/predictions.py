"""All predictions in flight: who has a slot, who waits for one, who is told no. Knows nothing of HTTP."""

from __future__ import annotations

import asyncio
import math
import time
from itertools import count, islice
from random import Random
from typing import TYPE_CHECKING

from cog_oci.sdk.cog._wire import Cancel, Done, Kept, Log, Message, Metric, Output, Predict, Withdraw
from cog_oci.server.lane import Lane
from cog_oci.server.newer_asyncio import timeout
from cog_oci.server.prediction import Listener, Prediction, Refused, Request
from cog_oci.server.recent import Recent
from cog_oci.server.refusals import DuplicateError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Predictions"]

_random = Random()  # noqa: S311 - unlike every other, not unlike any guess: ids are no secrets
_GRACE = 0.1
"""Seconds in which a slot that is about to be free counts as free. A model that is really busy stays busy longer."""
_AHEAD = 32
"""How many predictions may wait at a worker: as many as make the time to wake it, and us, not count."""
_GRACES = 20
"""How many times that long one waits at most while slots become free all the time, and go to others before it."""


class Predictions:
    """The registry: `open` when a worker is ready, `close` when it is not. `listeners` hear of everything.

    `queue` predictions may wait for a slot for as long as it takes; beyond those, one waits for `grace` seconds only.
    """

    def __init__(
        self, unavailable: str, listeners: Sequence[Listener] = (), *, queue: int = 0, grace: float = _GRACE
    ) -> None:
        self._listeners = tuple(listeners)
        self._unavailable: str | None = unavailable
        self._queue = queue
        self._grace = grace
        self._last_end = 0.0
        self._draining = False
        self._lanes: dict[object, Lane] = {}
        self._sole: Lane | None = None
        """The one worker that there is, if it takes something ahead: of several, who knows which is free first."""
        self._replaced: set[object] = set()
        """Workers that have gone and are to come again."""
        self._active: dict[str, Prediction] = {}
        self._numbered: dict[int, tuple[Prediction, Lane]] = {}
        self._withdrawing: set[int] = set()
        self._waiting: dict[Prediction, float] = {}
        """Until when each waits, by the monotonic clock; those in the queue for ever."""
        self._sweeper: asyncio.TimerHandle | None = None
        self._numbers = count(1)
        self._idle = asyncio.Event()
        self._idle.set()
        self.recent = Recent()

    def open(self, worker: object, slots: int, send: Callable[[Message], None], *, ahead: bool = False) -> None:
        """`worker` takes `slots` predictions at a time from now on; with `ahead`, some more that wait there."""
        lane = self._lanes[worker] = Lane(slots, send, takes_ahead=ahead)
        self._replaced.discard(worker)
        self._look_who_is_there()
        if not self._draining:
            self._unavailable = None
        self._hand_on(lane)

    def close(self, worker: object, unavailable: str, error: str, *, replaced: bool = False) -> None:
        """`worker` has gone: what it ran fails with `error`; without another one, so does what waits.

        Where it or another one is being `replaced`, the queue goes on waiting, for the successor.
        """
        lane = self._lanes.pop(worker, None)
        if replaced:
            self._replaced.add(worker)
        else:
            self._replaced.discard(worker)
        self._look_who_is_there()
        if lane is not None:
            lane.slots = 0
            for waiting in lane.ahead.values():
                waiting.sent = False
                self._withdrawing.discard(waiting.number)
            lane.ahead.clear()
            for other in self._lanes.values():
                self._hand_on(other)
            for number in sorted(lane.running):
                prediction = self._numbered[number][0]
                self._finish(prediction, Done(number, "failed", prediction.elapsed, error=error))
        if not self._lanes:
            if not self._draining and (replaced or not self._replaced):
                self._unavailable = unavailable
            for prediction in list(self._waiting):
                if not (self._replaced and self.queued(prediction)):
                    self._finish(prediction, Done(prediction.number, "failed", 0.0, error=f"{error}, before its turn"))
        elif self._sweeper is None:
            self._sweep()  # whom this worker was to leave out

    @property
    def unavailable(self) -> str | None:
        """Why nothing can be started, if nothing can."""
        return self._unavailable

    @property
    def slots(self) -> int:
        """How many predictions can run at a time."""
        return sum(lane.slots for lane in self._lanes.values())

    @property
    def running(self) -> int:
        """How many predictions run."""
        return len(self._numbered)

    @property
    def waiting(self) -> int:
        """How many predictions wait for a slot."""
        return len(self._waiting)

    @property
    def busy(self) -> bool:
        """Whether every slot is taken."""
        return bool(self._lanes) and self._free_lane() is None

    def get(self, identity: str) -> Prediction | None:
        """The prediction of this id, if it is in flight."""
        return self._active.get(identity)

    def queued(self, prediction: Prediction) -> bool:
        """Whether it waits in the queue, for as long as it takes."""
        return self._waiting.get(prediction, 0.0) == math.inf

    def alone(self, worker: object) -> Prediction | None:
        """The one prediction that `worker` can be running, if one is: what a single-slot worker prints is its."""
        lane = self._lanes.get(worker)
        if lane is not None and lane.slots == 1 and lane.running:
            return self._numbered[next(iter(lane.running))][0]
        return None

    def begin(self, identity: str | None, request: Request, listeners: tuple[Listener, ...] = ()) -> Prediction:
        """A prediction that is on its way, or that waits for a slot; `listeners` hear all of it, Refused included.

        Raises UnavailableError or DuplicateError.
        """
        if self._unavailable is not None:
            raise UnavailableError(self._unavailable)
        if identity is None:
            identity = f"pred_{_random.getrandbits(128):032x}"
        elif identity in self._active:
            raise DuplicateError(self._active[identity])
        prediction = Prediction(identity, request, next(self._numbers), self._listeners + listeners)
        lane = None if self._waiting and self._someone_is_first() else self._free_lane()
        self._active[identity] = prediction
        self._idle.clear()
        if lane is not None:
            self._start(prediction, lane)
        else:
            self._wait(prediction)
        return prediction

    def cancel(self, identity: str) -> bool:
        """Ask for the end of a prediction; whether there is one of this id."""
        prediction = self._active.get(identity)
        if prediction is None:
            return False
        running = self._numbered.get(prediction.number)
        if running is not None:
            running[1].send(Cancel(prediction.number))
        else:
            self._finish(prediction, Done(prediction.number, "canceled", 0.0))
        return True

    def handle(self, event: Log | Output | Metric | Done | Kept) -> None:
        """The worker says something about a prediction."""
        running = self._numbered.get(event.number)
        if running is None:
            self._handle_ahead(event)
            return
        if type(event) is Done:
            self._finish(running[0], event)
        elif not isinstance(event, Kept):
            running[0].apply(event)

    def _handle_ahead(self, event: Log | Output | Metric | Done | Kept) -> None:
        """It is about a prediction that was sent ahead, most likely in answer to its withdrawal."""
        number = event.number
        self._withdrawing.discard(number)
        lane = next((lane for lane in self._lanes.values() if number in lane.ahead), None)
        if lane is None:
            return
        prediction = lane.ahead[number]
        if isinstance(event, Done) and event.status == "withdrawn":
            del lane.ahead[number]
            self._drop(prediction)
            self._hand_on(lane)
        elif isinstance(event, Kept):
            self._hand_on(lane)
        else:
            del self._waiting[prediction]
            self._start(prediction, lane)
            self.handle(event)

    async def drain(self, limit: float | None) -> bool:
        """Take nothing new and wait for what is in flight; whether that ended of itself within `limit` seconds.

        What has not is failed, with the reason.
        """
        self._draining, self._unavailable = True, "The server is shutting down"
        try:
            async with timeout(limit):
                await self._idle.wait()
        except TimeoutError:
            error = f"The server shut down before the prediction had ended (after {limit:g} s)"
            for prediction in list(self._active.values()):
                self._finish(prediction, Done(prediction.number, "failed", prediction.elapsed, error=error))
            return False
        return True

    def _look_who_is_there(self) -> None:
        lanes = list(self._lanes.values())
        self._sole = lanes[0] if len(lanes) == 1 and lanes[0].takes_ahead else None

    def _someone_is_first(self) -> bool:
        """Whether one that comes now has to wait as others do: those that wait at one worker leave another one free."""
        return self._sole is not None or self._next() is not None

    def _free_lane(self) -> Lane | None:
        """The worker with the most slots that are free, and nobody who waits there."""
        best, most = None, 0
        for lane in self._lanes.values():
            free = lane.slots - len(lane.running)
            if free > most and not lane.ahead:
                best, most = lane, free
        return best

    def _start(self, prediction: Prediction, lane: Lane) -> None:
        """It has a slot; unless it was sent ahead, it is sent now."""
        number = prediction.number
        self._numbered[number] = (prediction, lane)
        lane.running.add(number)
        if prediction.sent:
            del lane.ahead[number]
        else:
            self._send(prediction, lane)
        prediction.start()

    @staticmethod
    def _send(prediction: Prediction, lane: Lane) -> None:
        prediction.sent = True
        request = prediction.request
        lane.send(
            Predict(prediction.number, prediction.id, request.context, request.body, request.upload, request.trace)
        )

    def _wait(self, prediction: Prediction) -> None:
        """Until there is a slot: for as long as it takes if the queue has room, else for a moment."""
        if self._queue and sum(map(math.isinf, self._waiting.values())) < self._queue:
            self._waiting[prediction] = math.inf
        else:
            self._waiting[prediction] = time.monotonic() + self._grace
            if self._sweeper is None:
                self._sweeper = asyncio.get_running_loop().call_later(self._grace, self._sweep)
        self._send_ahead()

    def _send_ahead(self) -> None:
        """Who has waited longest may wait at the worker, if it takes that and no other may be free first."""
        lane = self._sole
        if lane is None or len(lane.running) < lane.slots:
            return
        ahead = lane.ahead
        while len(ahead) < _AHEAD and (prediction := self._next()) is not None:
            ahead[prediction.number] = prediction
            self._send(prediction, lane)

    def _next(self) -> Prediction | None:
        """Who has waited longest of those that wait here: who waits at a worker has waited longer."""
        ahead = sum(len(lane.ahead) for lane in self._lanes.values()) if self._sole is None else len(self._sole.ahead)
        return next(islice(self._waiting, ahead, None), None)

    def _sweep(self) -> None:
        """Refuse those whose moment is over, unless others have had their turn in it."""
        now = time.monotonic()
        moving = now - self._last_end < self._grace
        for prediction, deadline in list(self._waiting.items()):
            if deadline > now:
                continue
            if moving and prediction.age < self._grace * _GRACES:
                self._waiting[prediction] = now + self._grace
            else:
                self._refuse(prediction)
        deadlines = [deadline for deadline in self._waiting.values() if deadline > now and not math.isinf(deadline)]
        loop = asyncio.get_running_loop()
        self._sweeper = loop.call_later(min(deadlines) - now, self._sweep) if deadlines else None

    def _refuse(self, prediction: Prediction) -> None:
        """One that was sent ahead may have begun just now, which only its worker knows."""
        number = prediction.number
        if number in self._withdrawing:
            return
        for lane in self._lanes.values():
            if number in lane.ahead:
                self._withdrawing.add(number)
                lane.send(Withdraw(number))
                return
        self._drop(prediction)

    def _drop(self, prediction: Prediction) -> None:
        del self._waiting[prediction]
        self._forget(prediction)
        prediction.apply(Refused())

    def _finish(self, prediction: Prediction, done: Done) -> None:
        """Return the slot first: who hears of the end may at once ask for another prediction."""
        number = prediction.number
        self._forget(prediction)
        running = self._numbered.pop(number, None)
        if running is not None:
            lane = running[1]
            lane.running.discard(number)
            if self._waiting:
                self._last_end = time.monotonic()
                self._hand_on(lane)
        elif prediction in self._waiting:
            self._leave(prediction)
        prediction.apply(done)
        self.recent.add(prediction)

    def _leave(self, prediction: Prediction) -> None:
        """It does not wait any more; where it was sent ahead, it is not to begin."""
        del self._waiting[prediction]
        self._withdrawing.discard(prediction.number)
        for lane in self._lanes.values():
            if lane.ahead.pop(prediction.number, None) is not None:
                lane.send(Cancel(prediction.number))
                self._hand_on(lane)

    def _forget(self, prediction: Prediction) -> None:
        del self._active[prediction.id]
        if not self._active:
            self._idle.set()

    def _hand_on(self, lane: Lane) -> None:
        """Give what is free there to who has waited longest."""
        waiting = self._waiting
        while waiting and len(lane.running) < lane.slots:
            prediction = next(iter(lane.ahead.values()), None) or self._next()
            if prediction is None or prediction.number in self._withdrawing:
                return
            del waiting[prediction]
            self._start(prediction, lane)
        if len(waiting) > len(lane.ahead):
            self._send_ahead()
