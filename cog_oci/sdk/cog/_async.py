"""Predictions of a model whose `run()` is asynchronous: as many at a time as it declares, on one event loop."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

from ._task import Desk, Task
from .exceptions import CancelationException

if TYPE_CHECKING:
    from ._loader import Model
    from ._wire import Predict

__all__ = ["AsyncPredictions"]


class AsyncPredictions:
    """The main loop of an asynchronous model. `set_up` and `serve` run on the main thread, the others on any."""

    def __init__(self, model: Model, *, slots: int) -> None:
        self._model = model
        self._alone = slots == 1
        self._loop = asyncio.new_event_loop()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._canceled: set[str] = set()
        self._stopped = asyncio.Event()
        self._desk: Desk | None = None

    def set_up(self) -> None:
        """Run the model's setup, which may be a coroutine. Raises what it raises."""
        asyncio.set_event_loop(self._loop)
        if self._model.setup is None:
            return
        result = self._model.setup()
        if inspect.isawaitable(result):
            self._loop.run_until_complete(result)

    def submit(self, request: Predict) -> None:
        """Start a prediction."""
        self._loop.call_soon_threadsafe(self._start, request)

    def cancel(self, prediction: str) -> None:
        """End a prediction, with asyncio.CancelledError where it waits."""
        self._loop.call_soon_threadsafe(self._cancel, prediction)

    def stop(self) -> None:
        """Return from `serve` when what was submitted has ended."""
        self._loop.call_soon_threadsafe(self._stopped.set)

    def check_health(self, done: Callable[[BaseException | None, Any], None]) -> None:
        """Call the model's healthcheck, on the loop, and hand on what it raised or returned."""
        self._loop.call_soon_threadsafe(lambda: self._keep(self._loop.create_task(self._check(done))))

    def serve(self, desk: Desk) -> None:
        """Run predictions until `stop`."""
        self._desk = desk
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        await self._stopped.wait()
        while self._tasks:
            await asyncio.wait(self._tasks.values())

    def _start(self, request: Predict) -> None:
        task = self._loop.create_task(self._predict(request))
        self._tasks[request.id] = task
        task.add_done_callback(lambda ended: self._ended(request, ended))

    def _ended(self, request: Predict, task: asyncio.Task[None]) -> None:
        if self._tasks.get(request.id) is task:
            del self._tasks[request.id]
        if task.cancelled() and self._desk is not None:  # before its first step, so it could not say so itself
            self._canceled.discard(request.id)
            Task(self._desk, request).close("canceled")

    def _cancel(self, prediction: str) -> None:
        task = self._tasks.get(prediction)
        if task is not None and not task.done():
            self._canceled.add(prediction)
            task.cancel()

    async def _predict(self, request: Predict) -> None:
        assert self._desk is not None
        task = Task(self._desk, request)
        status, output, problem = "succeeded", None, None
        try:
            output = await self._run(task)
        except (asyncio.CancelledError, CancelationException):
            status = "canceled"
        except BaseException as error:  # noqa: BLE001 - whatever the model raises ends the prediction, not the worker
            status, problem = "failed", error
        if task.id in self._canceled:
            self._canceled.discard(task.id)
            status, problem = "canceled", None
        task.close(status, output, problem)

    async def _run(self, task: Task) -> Any:
        task.open(alone=self._alone)
        arguments = await asyncio.to_thread(task.arguments) if task.takes_files else task.arguments()
        value = self._model.run(**arguments)
        if inspect.isawaitable(value):
            value = await value
        if isinstance(value, AsyncIterator):
            task.stream()
            async for item in value:
                task.item(item)
            return None
        return task.output(value)

    async def _check(self, done: Callable[[BaseException | None, Any], None]) -> None:
        try:
            result = True if self._model.healthcheck is None else self._model.healthcheck()
            if inspect.isawaitable(result):
                result = await result
        except BaseException as error:  # noqa: BLE001 - whatever the model raises ends the prediction, not the worker
            done(error, None)
        else:
            done(None, result)

    def _keep(self, task: asyncio.Task[None]) -> None:
        """Hold on to a task, of which the loop itself keeps only a weak reference."""
        self._tasks[f"\0{id(task)}"] = task
        task.add_done_callback(lambda _: self._tasks.pop(f"\0{id(task)}", None))
