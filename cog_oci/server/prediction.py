"""One prediction as the server sees it: a state machine that the worker's messages drive.

    starting ── started ──▶ processing ── done ──▶ succeeded | failed | canceled

A terminal state is final; whatever comes after it changes nothing. Outputs are lines of JSON that the worker has made
and that a client gets as they are.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from cog_oci.sdk.cog._wire import Done, Log, Metric, Output, to_line
from cog_oci.server.newer import UTC, StrEnum

__all__ = ["Event", "Listener", "Prediction", "Refused", "Request", "Started", "Status"]


class Status(StrEnum):
    """Where a prediction stands; the values are the API's."""

    STARTING = "starting"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"

    __hash__ = str.__hash__  # that of enumerations is written in Python, and statuses are keys all the time

    @property
    def terminal(self) -> bool:
        """Whether nothing can follow."""
        return self in _TERMINAL


_STATUS = {status: b',"status":"%b"' % status.value.encode() for status in Status}
_BY_NAME = {status.value: status for status in Status}
_TERMINAL = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELED})


@dataclass(frozen=True, slots=True)
class Started:
    """The prediction has a slot and its request is on the way to the worker."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The prediction has never been: no slot became free for it in time."""


_STARTED = Started()

Event = Started | Log | Metric | Output | Done | Refused

Listener = Callable[["Prediction", Event], None]
"""Who tells the world about a prediction as it happens: the server's log, webhooks, event streams."""


@dataclass(slots=True)
class Request:
    """What is asked of the model: a JSON object `body` with the `input`, which `given` is when it has been read."""

    given: Any = None
    body: bytes = b""
    context: dict[str, str] = field(default_factory=dict)
    upload: str | None = None
    """Where files of the output go."""
    trace: dict[str, str] | None = None
    """`traceparent` and `tracestate` of the request, if it had them."""


class Prediction:
    """What has become of one request so far. `listen` is for whoever tells the world about it as it happens."""

    __slots__ = (
        "_completed",
        "_created",
        "_items",
        "_listeners",
        "_logs",
        "_metrics",
        "_output",
        "_predict_time",
        "_started",
        "error",
        "id",
        "invalid_field",
        "number",
        "request",
        "sent",
        "status",
        "streamed",
    )

    def __init__(self, identity: str, request: Request, number: int = 0, listeners: tuple[Listener, ...] = ()) -> None:
        self.id = identity
        self.number = number
        self.request = request
        self.status = Status.STARTING
        self.streamed = False
        self.sent = False
        """Whether the worker has it, though it may not have begun."""
        self.error: str | None = None
        self.invalid_field: str | None = None
        self._output: bytes | None = None
        self._items: list[bytes] | None = None  # most predictions have none of these three
        self._logs: list[str] | None = None
        self._metrics: dict[str, Any] | None = None
        self._predict_time: float | None = None
        self._created = time.time()
        self._started: float | None = None
        self._completed: float | None = None
        self._listeners = listeners

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """Who is called, in this order."""
        return self._listeners

    def listen(self, listener: Listener) -> None:
        """Call `listener` after every event from now on, in their order."""
        self._listeners = (*self._listeners, listener)

    def ignore(self, listener: Listener) -> None:
        """Do not call `listener` any more."""
        self._listeners = tuple(other for other in self._listeners if other is not listener)

    def start(self) -> None:
        """The prediction has a slot."""
        self.apply(_STARTED)

    def apply(self, event: Event) -> None:
        """Take in the next event, unless the prediction has ended."""
        if self._completed is not None:
            return
        kind = type(event)
        if kind is Done:
            self._end(event)  # type: ignore[arg-type]  # kind says so, at a third of the cost of a match
        elif kind is Output:
            self.streamed = True
            if self._items is None:
                self._items = []
            self._items.append(event.lines)  # type: ignore[union-attr]  # as above
        elif kind is Started:
            self.status = Status.PROCESSING
            self._started = time.time()
        elif isinstance(event, Log):
            if self._logs is None:
                self._logs = []
            self._logs.append(event.text)
        elif isinstance(event, Metric):
            self._record(event)
        for listener in self._listeners:
            listener(self, event)

    @property
    def elapsed(self) -> float:
        """Seconds since it started."""
        return 0.0 if self._started is None else time.time() - self._started

    @property
    def age(self) -> float:
        """Seconds since it was asked for."""
        return time.time() - self._created

    @property
    def created_at(self) -> str:
        """When it was asked for (RFC 3339)."""
        return _iso(self._created)

    @property
    def size(self) -> int:
        """About how many bytes its request and its answer have."""
        size = len(self.request.body) + (0 if self._output is None else len(self._output))
        if self._items is not None:
            size += sum(map(len, self._items))
        if self._logs is not None:
            size += sum(map(len, self._logs))
        return size

    @property
    def logs(self) -> str:
        """Everything that was printed so far."""
        return "" if self._logs is None else "".join(self._logs)

    def to_bytes(self, *, with_input: bool = False, as_of: Status | None = None) -> bytes:
        """The prediction as the API shows it: a JSON object. What has nothing to say is left out, as Cog does.

        `as_of` shows it as it was in an earlier status, an output that came at once as a list: that, or its one item.
        """
        now, status = as_of is None, as_of or self.status
        parts = [b'{"id":', to_line(self.id)]
        if with_input:
            parts += (b',"input":', to_line(self.request.given))
        parts.append(_STATUS[status])
        if self.streamed:
            parts += (b',"output":[', b"\n".join(self._items or ()).replace(b"\n", b","), b"]")
        elif self._output is not None:
            single = not now and not self._output.startswith(b"[")
            parts += (b',"output":[', self._output, b"]") if single else (b',"output":', self._output)
        if now and self.error is not None:
            parts += (b',"error":', to_line(self.error))
        if self._logs:
            parts += (b',"logs":', to_line(self.logs))
        else:
            parts.append(b',"logs":""')
        metrics, predict_time = self._metrics, self._predict_time if now else None
        if metrics:
            shown = _nested(metrics if predict_time is None else {**metrics, "predict_time": predict_time})
            parts += (b',"metrics":', to_line(shown))
        elif predict_time is None:
            parts.append(b',"metrics":{}')
        else:  # to the nanosecond: what a float has beyond it is noise, and takes three times as long to write
            parts.append(f',"metrics":{{"predict_time":{predict_time:.9f}}}'.encode("ascii"))
        started = "" if status is Status.STARTING or self._started is None else f'","started_at":"{_iso(self._started)}'
        completed = f'","completed_at":"{_iso(self._completed)}' if now and self._completed is not None else ""
        parts.append(f',"created_at":"{_iso(self._created)}{started}{completed}"}}'.encode("ascii"))
        return b"".join(parts)

    def _record(self, event: Metric) -> None:
        if self._metrics is None:
            self._metrics = {}
        old = self._metrics.get(event.name)
        match event.mode:
            case "delete":
                self._metrics.pop(event.name, None)
            case "increment":
                self._metrics[event.name] = event.value if old is None else old + event.value
            case "append":
                items = [] if old is None else old if isinstance(old, list) else [old]
                self._metrics[event.name] = [*items, event.value]
            case _:
                self._metrics[event.name] = event.value

    def _end(self, event: Done) -> None:
        self.status = _BY_NAME[event.status]
        self.error = event.error
        self.invalid_field = event.field
        if event.streamed:
            self.streamed = True
        elif not self.streamed and (self.status is Status.SUCCEEDED or event.output != b"null"):
            self._output = event.output
        self._predict_time = event.predict_time
        self._completed = time.time()


def _nested(metrics: dict[str, Any]) -> dict[str, Any]:
    """`{"timing.load": 1}` as `{"timing": {"load": 1}}`; where a name is also a prefix, the later one wins."""
    nested: dict[str, Any] = {}
    for name, value in metrics.items():
        *path, last = name.split(".")
        level = nested
        for step in path:
            below = level.get(step)
            if not isinstance(below, dict):
                below = level[step] = {}
            level = below
        level[last] = value
    return nested


@lru_cache(maxsize=4)
def _second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat()[:-6]


def _iso(moment: float) -> str:
    """The moment as RFC 3339 has it; most moments of a prediction are in one second."""
    second = int(moment)
    return f"{_second(second)}.{int((moment - second) * 1e6):06d}+00:00"
