"""Predictions of a model whose `run()` is an ordinary function: one at a time, on the main thread.

On the main thread, because many libraries expect it, and because a signal can then cancel a call that only waits. The
same thread reads the requests: a hand-over between threads would take longer than many a model.
"""

from __future__ import annotations

import signal
from threading import Lock
from typing import TYPE_CHECKING, Any, NoReturn

from ._channel import receive
from ._interrupts import Run
from ._task import Desk, Task
from ._wire import Predict, Stop
from .exceptions import CancelationException

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from ._interrupts import Interrupts
    from ._loader import Model

__all__ = ["SyncPredictions"]


class SyncPredictions:
    """The main loop of a synchronous model. `serve` runs on the main thread, the others on any."""

    takes_ahead = True

    def __init__(self, model: Model, interrupts: Interrupts) -> None:
        self._model = model
        self._interrupts = interrupts
        self._running: dict[int, Run] = {}
        self._begun = 0
        self._early: set[int] = set()
        self._withdrawn: set[int] = set()
        self._beginning = Lock()

    def set_up(self) -> None:
        """Run the model's setup, which may be a coroutine. Raises what it raises."""
        if self._model.setup is not None:
            _awaited(self._model.setup())

    def cancel(self, prediction: int) -> None:
        """End a prediction, with CancelationException if it has begun, before its beginning if it has not."""
        if prediction > self._begun:
            self._early.add(prediction)
        run = self._running.get(prediction)
        if run is not None:
            self._interrupts.request(run)

    def withdraw(self, prediction: int) -> bool:
        """Leave out a prediction that has not begun; whether it was in time for that."""
        with self._beginning:
            in_time = prediction > self._begun
            if in_time:
                self._withdrawn.add(prediction)
        return in_time

    def check_health(self, done: Callable[[BaseException | None, Any], None]) -> None:
        """Call the model's healthcheck, on the calling thread, and hand on what it raised or returned."""
        if self._model.healthcheck is None:
            done(None, True)
            return
        try:
            result = _awaited(self._model.healthcheck())
        except BaseException as error:  # noqa: BLE001 - whatever the model raises ends the prediction, not the worker
            done(error, None)
        else:
            done(None, result)

    def serve(self, desk: Desk, connection: socket.socket) -> None:
        """Run the predictions that come over `connection` until `Stop`."""
        for messages in receive(connection):
            last = messages[-1]
            for message in messages:
                if isinstance(message, Predict):
                    self._predict(desk, message, more=message is not last)
                elif isinstance(message, Stop):
                    return
        self.wait_for_the_end()

    def wait_for_the_end(self) -> NoReturn:
        """The server has gone: who hears of orders ends this process, and what it has started."""
        while True:
            signal.pause()

    def _predict(self, desk: Desk, request: Predict, *, more: bool) -> None:
        task = Task(desk, request)
        run = Run()
        self._running[task.number] = run
        with self._beginning:
            self._begun = task.number
            if self._withdrawn and task.number in self._withdrawn:
                self._withdrawn.discard(task.number)
                del self._running[task.number]
                return
        if task.number in self._early:
            run.wanted = True
            self._early.discard(task.number)
        status, output, problem = "succeeded", b"null", None
        try:
            output = self._interrupts.call(run, lambda: self._run(task))
        except CancelationException:
            status = "canceled"
        except BaseException as error:  # noqa: BLE001 - whatever the model raises ends the prediction, not the worker
            status, problem = "failed", error
        del self._running[task.number]
        if run.wanted:
            status, problem = "canceled", None
        task.close(status, output, problem, more=more)

    def _run(self, task: Task) -> bytes:
        task.open(alone=True)
        value = self._model.run(**task.arguments())
        return task.output(value)


def _awaited(result: Any) -> Any:
    """What a method has returned, waited for where it is a coroutine though `run()` is none."""
    if not hasattr(result, "__await__"):
        return result
    import asyncio  # noqa: PLC0415 - takes 30 ms: only for who uses it

    async def wait() -> Any:
        return await result

    return asyncio.run(wait())
