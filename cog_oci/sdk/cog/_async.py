"""Predictions of a model whose `run()` is asynchronous: as many at a time as it declares, on one event loop."""

from __future__ import annotations

import asyncio
import inspect
import os
import socket
import time
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

from ._channel import LOOK_SECONDS, Inbox
from ._lookout import Lookout
from ._task import Desk, Task
from ._wire import Predict, Stop
from .exceptions import CancelationException

if TYPE_CHECKING:
    from ._loader import Model

__all__ = ["AsyncPredictions"]


class AsyncPredictions:
    """The main loop of an asynchronous model. `set_up` and `serve` run on the main thread, the others on any."""

    takes_ahead = False

    def __init__(self, model: Model, *, slots: int) -> None:
        self._model = model
        self._alone = slots == 1
        self._loop = asyncio.new_event_loop()
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._checks: set[asyncio.Task[None]] = set()
        self._begun = 0
        self._canceled: set[int] = set()
        self._stopped = asyncio.Event()
        self._desk: Desk | None = None
        self._inbox: Inbox | None = None
        self._lookout = Lookout(LOOK_SECONDS)
        self._idle_since = 0.0
        """When the last prediction ended, if nothing has arrived since; else 0."""

    def set_up(self) -> None:
        """Run the model's setup, which may be a coroutine. Raises what it raises."""
        asyncio.set_event_loop(self._loop)
        if self._model.setup is None:
            return
        result = self._model.setup()
        if inspect.isawaitable(result):
            self._loop.run_until_complete(result)

    def cancel(self, prediction: int) -> None:
        """End a prediction, with asyncio.CancelledError where it waits."""
        self._loop.call_soon_threadsafe(self._cancel, prediction)

    def withdraw(self, prediction: int) -> bool:  # noqa: ARG002 - the interface of those that are sent something ahead
        """Nothing is sent ahead, so nothing can be withdrawn."""
        return False

    def check_health(self, done: Callable[[BaseException | None, Any], None]) -> None:
        """Call the model's healthcheck, on the loop, and hand on what it raised or returned."""
        self._loop.call_soon_threadsafe(self._start_check, done)

    def serve(self, desk: Desk, connection: socket.socket) -> None:
        """Run the predictions that come over `connection` until `Stop`."""
        self._desk = desk
        self._inbox = inbox = Inbox(connection)
        # Not asyncio's own protocols: they would make the socket non-blocking for those who write to it, too.
        self._loop.add_reader(connection, self._read, inbox)
        self._loop.run_until_complete(self._serve())
        self._loop.remove_reader(connection)
        self._loop.close()

    async def _serve(self) -> None:
        await self._stopped.wait()
        while self._tasks:
            await asyncio.wait(self._tasks.values())

    def _read(self, inbox: Inbox) -> None:
        try:
            messages = inbox.read(socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            messages = None
        if messages is None:
            self._loop.remove_reader(inbox.connection)  # who hears of orders ends the process
            return
        if self._idle_since:
            self._lookout.note(time.perf_counter() - self._idle_since)
            self._idle_since = 0.0
        for message in messages:
            if isinstance(message, Predict):
                self._start(message)
            elif isinstance(message, Stop):
                self._stopped.set()

    def _start(self, request: Predict) -> None:
        number = self._begun = request.number
        task = self._tasks[number] = self._loop.create_task(self._predict(request))
        if number in self._canceled:
            task.cancel()
        task.add_done_callback(lambda ended: self._ended(request, ended))

    def _ended(self, request: Predict, task: asyncio.Task[None]) -> None:
        del self._tasks[request.number]
        self._canceled.discard(request.number)
        if task.cancelled() and self._desk is not None:  # before its first step, so it could not say so itself
            Task(self._desk, request).close("canceled")
        if not self._tasks:
            self._idle_since = time.perf_counter()
            if self._lookout.worthwhile:
                self._look()

    def _look(self) -> None:
        """For the next prediction, before the loop sleeps; what else there is to do on the loop is done meanwhile."""
        assert self._inbox is not None
        self._read(self._inbox)
        if self._idle_since and time.perf_counter() - self._idle_since < LOOK_SECONDS:
            os.sched_yield()  # who is to send it may have no other processor
            self._loop.call_soon(self._look)

    def _cancel(self, prediction: int) -> None:
        task = self._tasks.get(prediction)
        if task is not None and not task.done():
            self._canceled.add(prediction)
            task.cancel()
        elif prediction > self._begun:
            self._canceled.add(prediction)

    async def _predict(self, request: Predict) -> None:
        assert self._desk is not None
        task = Task(self._desk, request)
        status, output, problem = "succeeded", b"null", None
        try:
            output = await self._run(task)
        except (asyncio.CancelledError, CancelationException):
            status = "canceled"
        except BaseException as error:  # noqa: BLE001 - whatever the model raises ends the prediction, not the worker
            status, problem = "failed", error
        if task.number in self._canceled:
            status, problem = "canceled", None
        task.close(status, output, problem)

    async def _run(self, task: Task) -> bytes:
        task.open(alone=self._alone)
        arguments = await asyncio.to_thread(task.arguments) if task.takes_files else task.arguments()
        value = self._model.run(**arguments)
        if inspect.isawaitable(value):
            value = await value
        if isinstance(value, AsyncIterator):
            task.stream()
            async for item in value:
                if task.uploads:
                    await asyncio.to_thread(task.item, item)
                else:
                    task.item(item)
            return b"null"
        return await asyncio.to_thread(task.output, value) if task.uploads else task.output(value)

    def _start_check(self, done: Callable[[BaseException | None, Any], None]) -> None:
        task = self._loop.create_task(self._check(done))
        self._checks.add(task)
        task.add_done_callback(self._checks.discard)

    async def _check(self, done: Callable[[BaseException | None, Any], None]) -> None:
        try:
            result = True if self._model.healthcheck is None else self._model.healthcheck()
            if inspect.isawaitable(result):
                result = await result
        except BaseException as error:  # noqa: BLE001 - whatever the model raises ends the prediction, not the worker
            done(error, None)
        else:
            done(None, result)
