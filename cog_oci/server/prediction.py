"""One prediction as the server sees it: a state machine that the worker's messages drive.

    starting ── started ──▶ processing ── done ──▶ succeeded | failed | canceled

A terminal state is final; whatever comes after it changes nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from cog_oci.sdk.cog._wire import Done, Log, Metric, Output

__all__ = ["Event", "Listener", "Prediction", "Started", "Status"]


class Status(StrEnum):
    """Where a prediction stands; the values are the API's."""

    STARTING = "starting"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def terminal(self) -> bool:
        """Whether nothing can follow."""
        return self not in {Status.STARTING, Status.PROCESSING}


@dataclass(frozen=True, slots=True)
class Started:
    """The prediction has a slot and its request is on the way to the worker."""


Event = Started | Log | Metric | Output | Done

Listener = Callable[["Prediction", Event], None]
"""Who tells the world about a prediction as it happens: the server's log, later webhooks and event streams."""


class Prediction:
    """What has become of one request so far. `listen` is for whoever tells the world about it as it happens."""

    def __init__(self, identity: str, given: Any, context: dict[str, str]) -> None:
        self.id = identity
        self.input = given
        self.context = context
        self.status = Status.STARTING
        self.output: Any = None
        self.streamed = False
        self.error: str | None = None
        self.invalid_field: str | None = None
        self._logs: list[str] = []
        self._metrics: dict[str, Any] = {}
        self._created = time.time()
        self._started: float | None = None
        self._completed: float | None = None
        self._ended = asyncio.Event()
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> None:
        """Call `listener` after every event from now on, in their order."""
        self._listeners.append(listener)

    def apply(self, event: Event) -> None:
        """Take in the next event, unless the prediction has ended."""
        if self.status.terminal:
            return
        match event:
            case Started():
                self.status = Status.PROCESSING
                self._started = time.time()
            case Log(text=text):
                self._logs.append(text)
            case Output(value=value):
                self.streamed = True
                self.output = [] if self.output is None else self.output
                self.output.append(value)
            case Metric():
                self._record(event)
            case Done():
                self._end(event)
        for listener in self._listeners:
            listener(self, event)

    async def wait(self, limit: float | None = None) -> bool:
        """Until the prediction has ended, or for `limit` seconds; whether it has."""
        if limit is None:
            await self._ended.wait()
            return True
        try:
            async with asyncio.timeout(limit):
                await self._ended.wait()
        except TimeoutError:
            return self.status.terminal
        return True

    @property
    def elapsed(self) -> float:
        """Seconds since it started."""
        return 0.0 if self._started is None else time.time() - self._started

    def answer(self, *, with_input: bool = False) -> dict[str, Any]:
        """The prediction as the API shows it. Fields that have nothing to say are left out, as Cog does."""
        body: dict[str, Any] = {"id": self.id}
        if with_input:
            body["input"] = self.input
        body["status"] = self.status.value
        if self.output is not None or self.streamed or self.status is Status.SUCCEEDED:
            body["output"] = self.output
        if self.error is not None:
            body["error"] = self.error
        body["logs"] = "".join(self._logs)
        body["metrics"] = _nested(self._metrics)
        moments = {"created_at": self._created, "started_at": self._started, "completed_at": self._completed}
        body.update({name: _iso(moment) for name, moment in moments.items() if moment is not None})
        return body

    def _record(self, event: Metric) -> None:
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
        self.status = Status(event.status)
        self.error = event.error
        self.invalid_field = event.field
        if event.streamed:
            self.streamed = True
            self.output = [] if self.output is None else self.output
        elif not self.streamed:
            self.output = event.output
        self._metrics["predict_time"] = event.predict_time
        self._completed = time.time()
        self._ended.set()


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


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat()
