"""Predictions of a model whose `run()` is an ordinary function: one at a time, on the main thread.

On the main thread, because many libraries expect it, and because a signal can then cancel a call that only waits.
"""

from __future__ import annotations

from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from ._interrupts import Run
from ._task import Desk, Task
from .exceptions import CancelationException

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._interrupts import Interrupts
    from ._loader import Model
    from ._wire import Predict

__all__ = ["SyncPredictions"]


class SyncPredictions:
    """The main loop of a synchronous model. Every method but `serve` may be called on any thread."""

    def __init__(self, model: Model, interrupts: Interrupts) -> None:
        self._model = model
        self._interrupts = interrupts
        self._requests: SimpleQueue[Predict | None] = SimpleQueue()
        self._runs: dict[str, Run] = {}

    def set_up(self) -> None:
        """Run the model's setup. Raises what it raises."""
        if self._model.setup is not None:
            self._model.setup()

    def submit(self, request: Predict) -> None:
        """Run a prediction when those before it have ended."""
        self._runs[request.id] = Run()
        self._requests.put(request)

    def cancel(self, prediction: str) -> None:
        """End a prediction, with CancelationException if it has begun."""
        run = self._runs.get(prediction)
        if run is not None:
            self._interrupts.request(run)

    def stop(self) -> None:
        """Return from `serve` when what was submitted has ended."""
        self._requests.put(None)

    def check_health(self, done: Callable[[BaseException | None, Any], None]) -> None:
        """Call the model's healthcheck, on the calling thread, and hand on what it raised or returned."""
        if self._model.healthcheck is None:
            done(None, True)
            return
        try:
            result = self._model.healthcheck()
        except BaseException as error:  # noqa: BLE001 - whatever the model raises ends the prediction, not the worker
            done(error, None)
        else:
            done(None, result)

    def serve(self, desk: Desk) -> None:
        """Run predictions until `stop`."""
        while (request := self._requests.get()) is not None:
            self._predict(desk, request)

    def _predict(self, desk: Desk, request: Predict) -> None:
        task, run = Task(desk, request), self._runs[request.id]
        status, output, problem = "succeeded", None, None
        try:
            output = self._interrupts.call(run, lambda: self._run(task))
        except CancelationException:
            status = "canceled"
        except BaseException as error:  # noqa: BLE001 - whatever the model raises ends the prediction, not the worker
            status, problem = "failed", error
        del self._runs[request.id]
        if run.wanted:
            status, problem = "canceled", None
        task.close(status, output, problem)

    def _run(self, task: Task) -> Any:
        task.open(alone=True)
        value = self._model.run(**task.arguments())
        return task.output(value)
