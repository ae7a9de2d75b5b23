"""A prediction as a stream of server-sent events (WHATWG HTML §9.2), for any number of readers at any speed.

Events are numbered from 1, each item of an output by itself. A reader that was cut off names the last one that it has
seen (`Last-Event-ID`) and goes on after it. One that is slower than the model skips what is no longer kept, is told how
much that was, and gets the last event whatever happens.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from cog_oci.sdk.cog._wire import Done, Log, Metric, Output, to_line
from cog_oci.server.prediction import Prediction, Refused, Started
from cog_oci.server.refusals import AtCapacityError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cog_oci.server.prediction import Event

__all__ = ["EventLog", "EventStream"]

_KEEP_ALIVE = 15.0
_KEEP_ALIVE_COMMENT = b": keep-alive\n\n"


class EventLog:
    """A listener that keeps the last `capacity` events of one prediction, and the streams that read them.

    `abandoned` is called when the last stream has been closed before the end of the prediction.
    """

    def __init__(self, capacity: int, abandoned: Callable[[Prediction], None] | None = None) -> None:
        self._capacity = capacity
        self._abandoned = abandoned
        self._events: deque[tuple[int, int, Event]] = deque()
        self._streams: list[EventStream] = []
        self._items = 0
        self._first = 1
        self.count = 0
        """The number of the last event."""
        self.ended = False

    def __call__(self, prediction: Prediction, event: Event) -> None:
        """Take in an event, and let the streams write it."""
        index = self._items
        if isinstance(event, Output):
            number = event.lines.count(b"\n") + 1
            self._items += number
        else:
            number = 1
        self._events.append((self.count + 1, index, event))
        self.count += number
        self.ended = isinstance(event, (Done, Refused))
        for stream in list(self._streams):
            stream.advance(prediction)
        self._trim()

    def stream(self, after: int = 0) -> EventStream:
        """A stream of what comes after the event of number `after`; 0 is everything that is kept."""
        return EventStream(self, after)

    def attach(self, stream: EventStream) -> None:
        """`stream` is told of new events from now on."""
        if stream not in self._streams:
            self._streams.append(stream)

    def detach(self, stream: EventStream, prediction: Prediction) -> None:
        """`stream` reads no more."""
        if stream in self._streams:
            self._streams.remove(stream)
            if not self._streams and not self.ended and self._abandoned is not None:
                self._abandoned(prediction)

    def render(self, after: int, prediction: Prediction) -> bytes:
        """The events after number `after`, as they go to the client."""
        parts: list[bytes] = []
        missed = self._first - 1 - after
        if missed > 0:
            text = (
                "SSE stream lagged; events were dropped"
                if after
                else "SSE stream replay truncated; events were dropped"
            )
            parts.append(b'event: error\ndata: {"error":"%s","skipped":%d}\n\n' % (text.encode(), missed))
        newest = self._events if after < self._first else _after(self._events, after)
        for first, index, event in newest:
            if isinstance(event, Output):
                lines = event.lines.split(b"\n")
                skip = max(0, after + 1 - first)
                parts += [
                    b'id: %d\nevent: output\ndata: {"chunk":%b,"index":%d}\n\n'
                    % (first + offset, lines[offset], index + offset)
                    for offset in range(skip, len(lines))
                ]
            elif first > after:
                parts.append(b"id: %d\nevent: %b\n\n" % (first, _describe(event, prediction)))
        return b"".join(parts)

    def _trim(self) -> None:
        """Forget the oldest events, but never the last."""
        while len(self._events) > 1 and self.count - self._first + 1 > self._capacity:
            self._events.popleft()
            self._first = self._events[0][0]


class EventStream:
    """One reader. `open` it with the means to write and to end; `pause` it while the reader cannot follow."""

    def __init__(self, log: EventLog, after: int) -> None:
        self._log = log
        self._after = after
        self._paused = False
        self._prediction: Prediction | None = None
        self._write: Callable[[bytes], None] | None = None
        self._end: Callable[[], None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def open(self, prediction: Prediction, write: Callable[[bytes], None], end: Callable[[], None]) -> None:
        """Write everything so far, and what comes; call `end` after the last event."""
        self._prediction, self._write, self._end = prediction, write, end
        self._log.attach(self)
        self._remind()
        self.advance(prediction)

    def advance(self, prediction: Prediction) -> None:
        """Write what there is to write."""
        if self._paused or self._write is None:
            return
        if self._after < self._log.count:
            content = self._log.render(self._after, prediction)
            self._after = self._log.count
            self._write(content)
        if self._log.ended and self._end is not None and not self._paused:
            end = self._end
            self.close()
            end()

    def pause(self) -> None:
        """The reader has enough for now."""
        self._paused = True

    def resume(self) -> None:
        """The reader takes more."""
        self._paused = False
        if self._prediction is not None:
            self.advance(self._prediction)

    def close(self) -> None:
        """The reader has gone, or has everything."""
        if self._timer is not None:
            self._timer.cancel()
        self._write = self._end = None
        if self._prediction is not None:
            self._log.detach(self, self._prediction)

    def _remind(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(_KEEP_ALIVE, self._keep_alive)

    def _keep_alive(self) -> None:
        if self._write is not None and not self._paused:
            self._write(_KEEP_ALIVE_COMMENT)
        self._remind()


def _after(events: deque[tuple[int, int, Event]], number: int) -> list[tuple[int, int, Event]]:
    """The events from the one that holds `number` on; most readers are near the end."""
    newest = []
    for entry in reversed(events):
        newest.append(entry)
        if entry[0] <= number:
            break
    newest.reverse()
    return newest


def _describe(event: Event, prediction: Prediction) -> bytes:
    """The event's name and data."""
    if isinstance(event, Started):
        return b'start\ndata: {"id":%b,"status":"processing"}' % to_line(prediction.id)
    if isinstance(event, Log):
        return b"log\ndata: " + to_line({"data": event.text, "source": event.source})
    if isinstance(event, Metric):
        return b"metric\ndata: " + to_line({"mode": event.mode, "name": event.name, "value": event.value})
    if isinstance(event, Refused):
        return b"error\ndata: " + to_line({"error": str(AtCapacityError())})
    return b"completed\ndata: " + prediction.to_bytes()
