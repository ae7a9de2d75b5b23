"""The worker: the process that holds the model. It talks to the server over one socket and knows nothing of HTTP.

main thread      setup, then predictions
cog-protocol     reads messages from the server: predictions, cancellations, health checks
cog-pipes        reads what comes through file descriptors 1 and 2
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
import threading
import warnings
from pathlib import Path
from typing import Any, Protocol

from ._capture import Capture
from ._channel import Channel
from ._inputs import Signature
from ._interrupts import Interrupts
from ._loader import Model, load
from ._sync import SyncPredictions
from ._task import Desk, describe, explain
from ._wire import Cancel, CheckHealth, Health, Predict, Ready, SetupFailed, Stop

__all__ = ["main"]

_SDK = str(Path(__file__).parent)


class Predictions(Protocol):
    """What the worker asks of either kind of model."""

    def set_up(self) -> None: ...
    def submit(self, request: Predict) -> None: ...
    def cancel(self, prediction: str) -> None: ...
    def stop(self) -> None: ...
    def check_health(self, done: Any) -> None: ...
    def serve(self, desk: Desk) -> None: ...


def main(reference: str, connection: int, stdout: int, stderr: int, folder: str) -> None:
    """Serve the model that `reference` names until the server says stop or has gone.

    `connection` is a connected stream socket, `stdout` and `stderr` are the reading ends of the pipes on descriptors 1
    and 2, `folder` is where input files may be put. All descriptors are closed in programs that the model starts.
    """
    for fd in (connection, stdout, stderr):
        os.set_inheritable(fd, False)
    interrupts = Interrupts()
    interrupts.install()
    channel = Channel(socket.socket(fileno=connection), interrupts)
    capture = Capture(channel, interrupts, {"stdout": stdout, "stderr": stderr})
    capture.install()
    warnings.filterwarnings("default", category=DeprecationWarning, message=".* (is|are) (deprecated|defined)")
    switchboard = _Switchboard(channel, folder)
    threading.Thread(target=switchboard.listen, name="cog-protocol", daemon=True).start()
    try:
        model = load(reference)
        slots = _slots(model)
        predictions = _predictions(model, slots, interrupts)
        desk = Desk(channel, capture, Signature(model.run), Path(folder))
        predictions.set_up()
    except BaseException as error:  # noqa: BLE001 - SystemExit too means that setup has failed
        capture.flush()
        channel.send(SetupFailed(describe(error), explain(error, skip=lambda file: file.startswith((_SDK, "<")))))
        return
    capture.flush()
    switchboard.connect(predictions)
    python = ".".join(map(str, sys.version_info[:3]))
    channel.send(Ready(slots, model.healthcheck is not None, python))
    predictions.serve(desk)


def _slots(model: Model) -> int:
    """COG_MAX_CONCURRENCY, else what the model declares. Raises ValueError for several of a synchronous model."""
    try:
        wanted = int(os.environ.get("COG_MAX_CONCURRENCY", ""))
    except ValueError:
        wanted = 0
    slots = wanted if wanted > 0 else model.concurrency
    if slots > 1 and not model.asynchronous:
        origin = "COG_MAX_CONCURRENCY > 1" if wanted > 1 else "@concurrent(max > 1)"
        raise ValueError(f"{origin} requires an async run() or predict() method")
    return slots


def _predictions(model: Model, slots: int, interrupts: Interrupts) -> Predictions:
    if not model.asynchronous:
        return SyncPredictions(model, interrupts)
    from ._async import AsyncPredictions  # noqa: PLC0415 - asyncio takes 30 ms to import: only for who uses it

    return AsyncPredictions(model, slots=slots)


class _Switchboard:
    """Hands the server's messages to whom they concern, on a thread of its own, so that a busy model is no obstacle."""

    def __init__(self, channel: Channel, folder: str) -> None:
        self._channel = channel
        self._folder = folder
        self._predictions: Predictions | None = None
        self._checking = threading.Lock()

    def connect(self, predictions: Predictions) -> None:
        """From now on there is a model to hand messages to. The server sends none before it has heard `Ready`."""
        self._predictions = predictions

    def listen(self) -> None:
        """Until the server has gone; then nothing of this process group may remain."""
        for messages in self._channel.receive():
            for message in messages:
                self._handle(message)
        shutil.rmtree(self._folder, ignore_errors=True)
        os.killpg(os.getpgrp(), signal.SIGKILL) if os.getpgrp() == os.getpid() else os._exit(1)

    def _handle(self, message: Any) -> None:
        predictions = self._predictions
        if predictions is None:
            return
        if isinstance(message, Predict):
            predictions.submit(message)
        elif isinstance(message, Cancel):
            predictions.cancel(message.id)
        elif isinstance(message, CheckHealth):
            threading.Thread(target=self._check_health, args=(predictions,), name="cog-health", daemon=True).start()
        elif isinstance(message, Stop):
            predictions.stop()

    def _check_health(self, predictions: Predictions) -> None:
        predictions.check_health(lambda error, result: self._channel.send(Health(_verdict(error, result))))


def _verdict(error: BaseException | None, result: Any) -> str | None:
    if error is not None:
        return describe(error)
    return None if result else "user-defined healthcheck returned False"
