"""The worker's life: connect, wait for its setup, pass messages, start it again when it dies."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from cog_oci.sdk.cog._wire import (
    CheckHealth,
    Done,
    Health,
    Hello,
    Kept,
    Log,
    Message,
    Metric,
    Output,
    Ready,
    SetupFailed,
    Stop,
)
from cog_oci.server.link import Link, watch
from cog_oci.server.newer import UTC
from cog_oci.server.newer_asyncio import timeout

if TYPE_CHECKING:
    from collections.abc import Callable

    from cog_oci.server.outbox import Outbox
    from cog_oci.server.predictions import Predictions
    from cog_oci.server.process import WorkerProcess

__all__ = ["Setup", "State", "Worker"]

_RESTARTS = 3
"""How many times in a row a worker may fail to come up again before that is given up."""
_STOP_SECONDS = 5.0
_TERMINATE_SECONDS = 1.0

log = logging.getLogger("cog_oci")


class State(Enum):
    """What a health check has to know of the worker."""

    STARTING = auto()
    READY = auto()
    SETUP_FAILED = auto()
    DEFUNCT = auto()


@dataclass(frozen=True, slots=True)
class Setup:
    """The last setup: its status is starting, succeeded or failed."""

    started_at: datetime
    completed_at: datetime | None = None
    status: str = "starting"
    printed: list[str] = field(default_factory=list)
    """What it has printed so far, in pieces: to put each to a text would copy all of it, for every line."""

    @property
    def logs(self) -> str:
        """The pieces as one, and one from then on."""
        self.printed[:] = ["".join(self.printed)]
        return self.printed[0]


class Worker:
    """Keeps a worker running. `predictions` is opened and closed as it comes and goes."""

    def __init__(
        self,
        predictions: Predictions,
        respawn: Callable[[], WorkerProcess],
        outbox: Outbox,
        *,
        setup_timeout: float | None,
        changed: Callable[[State], None],
        restarted: Callable[[], None] = lambda: None,
    ) -> None:
        self.state = State.STARTING
        self.setup = Setup(datetime.now(UTC))
        self.python: str | None = None
        self.has_healthcheck = False
        self._predictions = predictions
        self._respawn = respawn
        self._outbox = outbox
        self._setup_timeout = setup_timeout
        self._changed = changed
        self._restarted = restarted
        self._process: WorkerProcess | None = None
        self._connection: Link | None = None
        self._answers: list[asyncio.Future[str | None]] = []
        self._set_up = asyncio.Event()
        self._stopping = asyncio.Event()
        self._failure: str | None = None

    async def run(self, process: WorkerProcess) -> None:
        """Look after `process` and its successors until `stop`, or until there is no point in another one."""
        failures = 0
        been_ready = False
        while True:
            end = await self._live(process)
            if self._stopping.is_set():
                return
            came_up = self.state is State.READY
            been_ready = been_ready or came_up
            failures = 0 if came_up else failures + 1
            if not been_ready or failures >= _RESTARTS:
                self._give_up(State.DEFUNCT if been_ready else State.SETUP_FAILED, end)
                return
            next_process = await self._start_again(end, delay=0 if came_up else 2.0**failures / 8)
            if next_process is None:
                return
            process = next_process

    async def _start_again(self, end: str, delay: float) -> WorkerProcess | None:
        """Another worker in place of one that ended like `end`; None when there cannot be one."""
        end = self._failure or end  # a setup that fails says why, and ends as any other program
        unavailable = f"The worker crashed ({end}) and is being started again"
        self._predictions.close(self, unavailable, f"Worker crashed: {end}", replaced=True)
        log.error("worker crashed, starting it again: %s", end)
        self._restarted()
        self.setup = Setup(datetime.now(UTC))
        self._enter(State.STARTING)
        with contextlib.suppress(TimeoutError):
            async with timeout(delay):
                await self._stopping.wait()
        if self._stopping.is_set():
            return None
        try:
            process = await asyncio.to_thread(self._respawn)
        except OSError as error:
            self._give_up(State.DEFUNCT, str(error))
            return None
        if self._stopping.is_set():
            await asyncio.to_thread(process.end)
            return None
        return process

    def _give_up(self, state: State, end: str) -> None:
        failure = self._failure or f"worker crashed: {end}"
        if self._failure is None:
            self._append_logs(f"{failure}\n")
        self.setup = replace(self.setup, status="failed", completed_at=datetime.now(UTC))
        text = "Setup failed" if state is State.SETUP_FAILED else "The worker crashed and could not be started again"
        self._predictions.close(self, f"{text}: {failure}. GET /health-check for its logs.", f"{text}: {failure}")
        log.error("%s: %s", text, failure)
        self._enter(state)

    async def check_health(self) -> str | None:
        """What the model's own healthcheck has to complain of, None when it is well. Raises ConnectionError."""
        if self._connection is None:
            raise ConnectionError("there is no worker")
        answer: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._answers.append(answer)
        self._connection.send(CheckHealth())
        return await answer

    async def stop(self, *, gently: bool) -> None:
        """End the worker; `gently` lets one that is idle close what it has open."""
        self._stopping.set()
        process, connection = self._process, self._connection
        if process is None:
            return
        if gently and connection is not None and self.state is State.READY:
            connection.send(Stop())
            if await self._gone(_STOP_SECONDS):
                return
        process.kill(signal.SIGTERM)
        if not await self._gone(_TERMINATE_SECONDS):
            process.kill()

    async def _gone(self, seconds: float) -> bool:
        if self._connection is None:
            return True
        done, _ = await asyncio.wait([self._connection.lost], timeout=seconds)
        return bool(done)

    async def _live(self, process: WorkerProcess) -> str:
        """From the first message of a worker to its end; how it ended."""
        loop = asyncio.get_running_loop()
        self._process, self._failure = process, None
        self.setup = Setup(datetime.fromtimestamp(process.started, UTC))
        self._set_up.clear()
        # Known before it is made: a worker that is quick has said it is ready by the time the call returns.
        connection = self._connection = Link(self._handle_all)
        await loop.create_connection(lambda: connection.orders, sock=process.orders)
        await loop.create_connection(lambda: connection, sock=process.work)
        stop_watching = watch(process.pid, connection)
        try:
            await self._wait_for_setup(process, connection)
            await connection.lost
        finally:
            stop_watching()
            self._connection = None
        for answer in self._answers:
            if not answer.done():
                answer.set_exception(ConnectionError("the worker has ended"))
        self._answers.clear()
        self._last_words(process)
        end = await asyncio.to_thread(process.end)
        self._process = None
        return end

    async def _wait_for_setup(self, process: WorkerProcess, connection: Link) -> None:
        waiting = asyncio.create_task(self._set_up.wait())
        either: list[asyncio.Future[Any]] = [waiting, connection.lost]
        await asyncio.wait(either, timeout=self._setup_timeout, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if not self._set_up.is_set() and not connection.lost.done():
            self._failure = "worker setup timed out"
            self._append_logs(f"worker setup timed out after {self._setup_timeout:g} seconds\n")
            process.kill()
        elif self._failure is not None and not await self._gone(_STOP_SECONDS):
            process.kill()  # something that setup has begun, a thread maybe, does not let it end

    def _handle_all(self, messages: list[Message]) -> None:
        if len(messages) == 1:
            self._handle(messages[0])
            return
        with self._outbox:
            for message in messages:
                self._handle(message)

    def _handle(self, message: Message) -> None:
        if type(message) is Done or type(message) is Output:  # nearly all that is ever said
            self._predictions.handle(message)
            return
        match message:
            case Log(number=0):
                self._print(message)
            case Log() | Metric() | Kept():
                self._predictions.handle(message)
            case Hello():
                self.python = message.python
            case Ready():
                self._on_ready(message)
            case SetupFailed():
                self._failure = message.error
                self._append_logs(message.traceback)
                self._set_up.set()
            case Health():
                if self._answers:
                    answer = self._answers.pop(0)
                    if not answer.done():
                        answer.set_result(message.error)

    def _on_ready(self, ready: Ready) -> None:
        assert self._connection is not None
        self.has_healthcheck = ready.has_healthcheck
        self.setup = replace(self.setup, status="succeeded", completed_at=datetime.now(UTC))
        self._set_up.set()
        self._predictions.open(self, ready.slots, self._connection.send, ahead=ready.takes_ahead)
        self._enter(State.READY)
        log.info("setup succeeded, taking %d prediction(s) at a time", ready.slots)

    def _enter(self, state: State) -> None:
        self.state = state
        self._changed(state)

    def _print(self, message: Log) -> None:
        """Output that belongs to no prediction: setup's, until that has ended."""
        if self.setup.status == "starting":
            self._append_logs(message.text)
        logging.getLogger("cog_oci.setup" if self.setup.status == "starting" else "cog_oci.user").info(
            "%s", message.text.rstrip("\n")
        )

    def _append_logs(self, text: str) -> None:
        self.setup.printed.append(text)

    def _last_words(self, process: WorkerProcess) -> None:
        words = process.last_words().decode("utf-8", "replace")
        if not words:
            return
        prediction = self._predictions.alone(self)
        if prediction is not None:
            self._predictions.handle(Log(prediction.number, "stderr", words))
        else:
            self._print(Log(0, "stderr", words))
