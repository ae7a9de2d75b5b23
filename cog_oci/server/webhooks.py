"""Tell a URL of the client's what becomes of its prediction: which events, when, and in which order.

Every event is the whole prediction as it stands, so a later one makes an earlier one superfluous. What Cog does and its
documentation says otherwise, and what is done here:

* `start`: the status is "starting", as documented (Cog sends "processing").
* `output`: at once, one for what comes at one moment, as Cog does (documented as throttled). An output that is
  neither an iterator's nor a list is in a list of its own while the status is "processing", as Cog has it.
* `logs`: no sooner after the event before than the interval says; what was printed in between follows at its end.
* The next event is sent when the one before has arrived or is given up, the terminal one last (Cog sends them side by
  side). A receiver that cannot keep up gets the latest state instead of everything that has led to it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING

from cog_oci.sdk.cog._wire import Done, Log, Output
from cog_oci.server._delivery import Courier, Receiver
from cog_oci.server.newer_asyncio import timeout
from cog_oci.server.prediction import Event, Prediction, Started, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from cog_oci.server.prediction import Listener

__all__ = ["Webhooks"]

_EVENTS = frozenset({"start", "output", "logs", "completed"})

_NOTHING = frozenset({b"null", b"[]"})
_BACKLOG = 16
"""Events that may wait for a receiver; where there would be more, the latest state replaces them."""
_BACKLOG_BYTES = 1 << 20
_PATIENCE = 1.0
"""Seconds for which a terminal event lets those before it go first."""

log = logging.getLogger("cog_oci.webhook")


class Webhooks:
    """All webhooks of a server. `interval` is in seconds, `token` is for receivers that ask who is calling.

    `counted` hears of each request: interim or terminal; delivered, failed or to be retried.
    """

    def __init__(
        self, *, interval: float, token: str | None, counted: Callable[[str, str], None] = lambda _kind, _outcome: None
    ) -> None:
        self._interval = interval
        self._courier = Courier(token, counted)
        self._sending: set[asyncio.Task[None]] = set()

    def listener(self, url: str, events: Collection[str] | None, headers: Mapping[str, str]) -> Listener:
        """Who tells `url` of one prediction: of `events`, or of all where that is None.

        `headers` are those of the client's request that receivers want too: the trace context.
        """
        wanted = _EVENTS if events is None else frozenset(events)
        return _Sequence(self, Receiver(url, headers), wanted, self._interval).hear

    async def drain(self, seconds: float | None) -> bool:
        """Wait until everything has been delivered or given up; whether that took no longer than `seconds`."""
        try:
            async with timeout(seconds):
                while self._sending:
                    await asyncio.wait(self._sending)
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        """Give up what has not been sent."""
        if self._sending:
            log.error("The server ends before the webhooks of %d prediction(s) have been sent", len(self._sending))
        for task in self._sending:
            task.cancel()
        self._courier.close()

    def send(self, sequence: _Sequence) -> None:
        """Deliver what waits in `sequence`, until nothing does."""
        task = asyncio.get_running_loop().create_task(self._send(sequence))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send(self, sequence: _Sequence) -> None:
        while (event := sequence.take()) is not None:
            body, terminal = event
            if not await self._courier.deliver(
                sequence.receiver, body, prediction=sequence.prediction, terminal=terminal
            ):
                sequence.forget()


class _Sequence:
    """The events of one prediction, in the order in which they go out."""

    def __init__(self, webhooks: Webhooks, receiver: Receiver, wanted: frozenset[str], interval: float) -> None:
        self.receiver = receiver
        self.prediction = ""
        self._webhooks = webhooks
        self._wanted = wanted
        self._interval = interval
        self._loop = asyncio.get_running_loop()
        self._backlog: deque[bytes] = deque()
        self._behind: Prediction | None = None
        self._terminal: bytes | None = None
        self._ended = 0.0
        self._last = -interval
        self._timer: asyncio.TimerHandle | None = None
        self._sending = False

    def hear(self, prediction: Prediction, event: Event) -> None:
        """A listener of the prediction."""
        self.prediction = prediction.id
        match event:
            case Started() if "start" in self._wanted:
                self._put(prediction.to_bytes(as_of=Status.STARTING))
            case Output() if "output" in self._wanted:
                self._show(prediction)
            case Log() if "logs" in self._wanted:
                self._show_soon(prediction)
            case Done():
                self._end(prediction, event)
            case _:
                pass

    def take(self) -> tuple[bytes, bool] | None:
        """The next event, and whether it is the terminal one; None when there is none."""
        if self._terminal is not None and self._loop.time() - self._ended > _PATIENCE:
            self._backlog.clear()
        if self._backlog:
            body = self._backlog.popleft()
            if self._behind is not None:
                self._show(self._behind)
            return body, False
        if self._terminal is not None:
            body, self._terminal = self._terminal, None
            return body, True
        self._sending = False
        return None

    def forget(self) -> None:
        """Nothing arrives at this receiver: nothing more is sent."""
        self._wanted = frozenset()
        self._backlog.clear()
        self._behind = self._terminal = None
        self._disarm()

    def _show(self, prediction: Prediction) -> None:
        """The prediction as it stands is the next event: now, or when a receiver that is behind has caught up a bit."""
        self._disarm()
        full = len(self._backlog) >= _BACKLOG or sum(map(len, self._backlog)) >= _BACKLOG_BYTES
        self._behind = prediction if full else None
        if not full:
            self._put(prediction.to_bytes())

    def _show_soon(self, prediction: Prediction) -> None:
        if self._timer is not None or self._behind is not None:
            return
        due = self._last + self._interval
        if due <= self._loop.time():
            self._show(prediction)
        else:
            self._timer = self._loop.call_at(due, self._show, prediction)

    def _end(self, prediction: Prediction, done: Done) -> None:
        unsaid = self._timer is not None or self._behind is not None
        large = prediction.size >= _BACKLOG_BYTES and "completed" in self._wanted  # not twice in a row
        whole = done.status == "succeeded" and not prediction.streamed and done.output not in _NOTHING
        last = whole and "output" in self._wanted and not large
        self._disarm()
        self._behind = None
        if last or (unsaid and "completed" not in self._wanted):
            self._put(prediction.to_bytes(as_of=Status.PROCESSING))
        if "completed" in self._wanted:
            self._terminal, self._ended = prediction.to_bytes(), self._loop.time()
            self._wake()

    def _put(self, body: bytes) -> None:
        self._last = self._loop.time()
        self._backlog.append(body)
        self._wake()

    def _wake(self) -> None:
        if not self._sending:
            self._sending = True
            self._webhooks.send(self)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
