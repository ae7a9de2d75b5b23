"""The worker: the process that holds the model. It talks to the server over sockets and knows nothing of HTTP.

main thread      setup, then predictions, which it reads itself
cog-orders       reads cancellations and health checks from the server, and ends the process when that has gone
cog-pipes        reads what comes through file descriptors 1 and 2
cog-clerk        sends what waited for more to go with it
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import warnings
from pathlib import Path
from typing import Any, Protocol

from ._capture import Capture
from ._channel import Channel, receive
from ._inputs import Signature
from ._interrupts import Interrupts
from ._loader import Model, load
from ._sync import SyncPredictions
from ._task import Desk, describe, explain
from ._wire import Cancel, CheckHealth, Done, Health, Hello, Kept, Ready, SetupFailed, Withdraw

__all__ = ["main"]


class Predictions(Protocol):
    """What the worker asks of either kind of model."""

    takes_ahead: bool

    def set_up(self) -> None: ...
    def cancel(self, prediction: int) -> None: ...
    def withdraw(self, prediction: int) -> bool: ...
    def check_health(self, done: Any) -> None: ...
    def serve(self, desk: Desk, connection: socket.socket) -> None: ...


def main(reference: str, mode: str, work: int, orders: int, stdout: int, stderr: int, folder: str) -> None:
    """Serve what `reference` names until the server says stop or has gone; `mode` is predict or train.

    `work` and `orders` are connected stream sockets, `stdout` and `stderr` the reading ends of the pipes on descriptors
    1 and 2, `folder` is where input files may be put. All descriptors are closed in programs that the model starts.
    """
    for fd in (work, orders, stdout, stderr):
        os.set_inheritable(fd, False)
    interrupts = Interrupts()
    interrupts.install()
    connection = socket.socket(fileno=work)
    channel = Channel(connection, interrupts)
    channel.send(Hello(".".join(map(str, sys.version_info[:3]))))
    capture = Capture(channel, interrupts, {"stdout": stdout, "stderr": stderr})
    capture.install()
    warnings.filterwarnings("default", category=DeprecationWarning, message=".* (is|are) (deprecated|defined)")
    switchboard = _Switchboard(channel, socket.socket(fileno=orders), folder)
    threading.Thread(target=switchboard.listen, name="cog-orders", daemon=True).start()
    try:
        model = load(reference, training=mode == "train")
        slots = _slots(model)
        predictions = _predictions(model, slots, interrupts)
        desk = Desk(channel, capture, Signature(model.run, batched=model.batching is not None), Path(folder))
        predictions.set_up()
    except BaseException as error:  # noqa: BLE001 - SystemExit too means that setup has failed
        capture.flush()
        channel.send(SetupFailed(describe(error), explain(error)))
        return
    capture.flush()
    switchboard.connect(predictions)
    channel.send(Ready(slots, model.healthcheck is not None, predictions.takes_ahead))
    predictions.serve(desk, connection)


def _slots(model: Model) -> int:
    """COG_MAX_CONCURRENCY, else what the model declares. Raises ValueError for several of a synchronous model."""
    try:
        wanted = int(os.environ.get("COG_MAX_CONCURRENCY", ""))
    except ValueError:
        wanted = 0
    if model.batching is not None:
        return 2 * model.batching.max_size  # one batch fills while another runs
    slots = wanted if wanted > 0 else model.concurrency
    if slots > 1 and not model.asynchronous:
        origin = "COG_MAX_CONCURRENCY > 1" if wanted > 1 else "@concurrent(max > 1)"
        raise ValueError(f"{origin} requires an async run() or predict() method")
    return slots


def _predictions(model: Model, slots: int, interrupts: Interrupts) -> Predictions:
    if model.batching is not None:
        from ._batch import BatchPredictions  # noqa: PLC0415 - few models ask for it

        return BatchPredictions(model, model.batching, interrupts)
    if not model.asynchronous:
        return SyncPredictions(model, interrupts)
    from ._async import AsyncPredictions  # noqa: PLC0415 - asyncio takes 30 ms to import: only for who uses it

    return AsyncPredictions(model, slots=slots)


class _Switchboard:
    """Takes orders on a thread of its own, so that a busy model is no obstacle."""

    def __init__(self, channel: Channel, orders: socket.socket, folder: str) -> None:
        self._channel = channel
        self._orders = orders
        self._folder = folder
        self._predictions: Predictions | None = None

    def connect(self, predictions: Predictions) -> None:
        """From now on there is a model to give orders to. The server gives none before it has heard `Ready`."""
        self._predictions = predictions

    def listen(self) -> None:
        """Until the server has gone; then nothing of this process group may remain."""
        for messages in receive(self._orders):
            for message in messages:
                self._handle(message)
        try:
            import shutil  # noqa: PLC0415 - takes long to import

            shutil.rmtree(self._folder, ignore_errors=True)
        finally:  # whatever keeps the module from being read, as too many open files do
            os.killpg(os.getpgrp(), signal.SIGKILL) if os.getpgrp() == os.getpid() else os._exit(1)

    def _handle(self, message: Any) -> None:
        predictions = self._predictions
        if predictions is None:
            return
        if isinstance(message, Cancel):
            predictions.cancel(message.number)
        elif isinstance(message, Withdraw):
            in_time = predictions.withdraw(message.number)
            self._channel.send(Done(message.number, "withdrawn", 0.0) if in_time else Kept(message.number))
        elif isinstance(message, CheckHealth):
            threading.Thread(target=self._check_health, args=(predictions,), name="cog-health", daemon=True).start()

    def _check_health(self, predictions: Predictions) -> None:
        predictions.check_health(lambda error, result: self._channel.send(Health(_verdict(error, result))))


def _verdict(error: BaseException | None, result: Any) -> str | None:
    if error is not None:
        return describe(error)
    return None if result else "user-defined healthcheck returned False"
