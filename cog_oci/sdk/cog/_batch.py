"""Predictions of a model whose `run()` takes several at once (`@cog.batch`): gathered, run together, told apart again.

One batch runs at a time, on the main thread. What it prints and records belongs to each of its predictions, because
nobody can say to which. One that is cancelled while it runs ends as canceled when the batch does; the others are not
disturbed.
"""

from __future__ import annotations

import inspect
import select
import time
from typing import TYPE_CHECKING, Any

from ._channel import Inbox
from ._sync import SyncPredictions
from ._task import Desk, Task
from ._wire import Predict, Stop
from .exceptions import CancelationException

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from ._decorators import Batching
    from ._interrupts import Interrupts
    from ._loader import Model

__all__ = ["BatchPredictions"]


class BatchPredictions(SyncPredictions):
    """The main loop of a model that takes batches. A coroutine function is run to its end on a loop of its own."""

    takes_ahead = False  # the batch that fills has slots of its own

    def __init__(self, model: Model, batching: Batching, interrupts: Interrupts) -> None:
        super().__init__(model, interrupts)
        self._batching = batching
        self._await: Callable[[Any], Any] | None = None
        self._canceled: set[int] = set()
        self._inbox: list[Predict] = []
        self._stopped = False

    def set_up(self) -> None:
        """Run the model's setup, which may be a coroutine where `run()` is one. Raises what it raises."""
        if not self._model.asynchronous:
            super().set_up()
            return
        import asyncio  # noqa: PLC0415 - takes 30 ms: only for who uses it

        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        self._await = loop.run_until_complete
        result = None if self._model.setup is None else self._model.setup()
        if inspect.isawaitable(result):
            self._await(result)

    def cancel(self, prediction: int) -> None:
        """Leave a prediction out, or its result if it runs already."""
        self._canceled.add(prediction)

    def serve(self, desk: Desk, connection: socket.socket) -> None:
        """Run the predictions that come over `connection` until `Stop`."""
        inbox = Inbox(connection)
        while not self._stopped or self._inbox:
            batch = self._gather(connection, inbox)
            if batch:
                self._predict_all(desk, batch)

    def _gather(self, connection: socket.socket, inbox: Inbox) -> list[Predict]:
        """The next batch: full, or what there is when its first prediction has waited long enough."""
        limit, deadline = self._batching.max_size, 0.0
        while len(self._inbox) < limit and not self._stopped:
            patience = None
            if self._inbox:
                deadline = deadline or time.monotonic() + self._batching.max_wait
                patience = max(0.0, deadline - time.monotonic())
            if not select.select([connection], [], [], patience)[0]:
                break
            messages = inbox.read()
            if messages is None:
                self.wait_for_the_end()
            for message in messages:
                if isinstance(message, Predict):
                    self._inbox.append(message)
                elif isinstance(message, Stop):
                    self._stopped = True
        batch, self._inbox = self._inbox[:limit], self._inbox[limit:]
        return batch

    def _predict_all(self, desk: Desk, requests: list[Predict]) -> None:
        tasks: list[Task] = []
        arguments: list[dict[str, Any]] = []
        for request in requests:
            task = Task(desk, request)
            if task.number in self._canceled:
                self._canceled.discard(task.number)
                task.close("canceled")
                continue
            try:
                arguments.append(task.arguments())
            except Exception as error:  # noqa: BLE001 - one input that cannot be used is no concern of the others
                task.close("failed", error=error)
            else:
                tasks.append(task)
        if not tasks:
            return
        outputs: list[Any] = []
        problem: BaseException | None = None
        try:
            Task.open_together(desk, tasks)
            outputs = self._run_all(arguments)
        except BaseException as error:  # noqa: BLE001 - whatever the model raises ends the predictions, not the worker
            problem = error
        for number, task in enumerate(tasks):
            self._close(task, outputs[number] if problem is None else None, problem)

    def _run_all(self, arguments: list[dict[str, Any]]) -> list[Any]:
        columns = {name: [each[name] for each in arguments] for name in arguments[0]}
        value = self._model.run(**columns)
        if self._await is not None and inspect.isawaitable(value):
            value = self._await(value)
        if not isinstance(value, (list, tuple)) or len(value) != len(arguments):
            what = f"{len(value)} outputs" if isinstance(value, (list, tuple)) else type(value).__name__
            raise TypeError(f"@batch: run() must return a list with an output for each of {len(arguments)}, got {what}")
        return list(value)

    def _close(self, task: Task, value: Any, problem: BaseException | None) -> None:
        status, output = "failed", b"null"
        if problem is None:
            try:
                status, output = "succeeded", task.output(value)
            except Exception as error:  # noqa: BLE001 - an output that has no JSON form is no concern of the others
                status, problem = "failed", error
        if task.number in self._canceled or isinstance(problem, CancelationException):
            self._canceled.discard(task.number)
            status, problem = "canceled", None
        task.close(status, output, problem)
