"""One prediction inside the worker: from the request to the message that it has ended."""

from __future__ import annotations

import io
import shutil
import time
import traceback
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ._download import DownloadError
from ._inputs import InvalidInputError, Signature
from ._outputs import to_json
from ._scope import Scope, enter_scope
from ._wire import Done, Metric, Output, Predict

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ._capture import Capture, Sink
    from ._channel import Channel

__all__ = ["Desk", "Task"]


class Desk:
    """What all predictions of one worker share."""

    def __init__(self, channel: Channel, capture: Capture, signature: Signature, folder: Path) -> None:
        self.channel = channel
        self.capture = capture
        self.signature = signature
        self._folder = folder
        self._count = 0

    def folder(self) -> Path:
        """A folder of its own for the next prediction's files; it is named by number and made when it is needed."""
        self._count += 1
        return self._folder / str(self._count)


class Task:
    """A prediction that runs: `open` it, pass each `item` of an iterator, `close` it."""

    def __init__(self, desk: Desk, request: Predict) -> None:
        self._desk = desk
        self._request = request
        self._folder = desk.folder()
        self._began = time.time()
        self._clock = time.perf_counter()
        self._sink: Sink | None = None
        self._streamed = False
        self.id = request.id

    def open(self, *, alone: bool) -> None:
        """What the calling context prints and records belongs to this prediction from now on."""
        identity, send = self.id, self._desk.channel.send
        self._sink = self._desk.capture.open(identity, alone=alone)
        enter_scope(Scope(self._request.context, lambda name, mode, value: send(Metric(identity, name, mode, value))))

    @property
    def takes_files(self) -> bool:
        """Whether `arguments` may have to wait for a download."""
        return self._desk.signature.takes_files

    def arguments(self) -> dict[str, Any]:
        """The arguments of `run()`; downloads files. Raises what `Signature.arguments` raises."""
        return self._desk.signature.arguments(self._request.input, self._folder)

    def stream(self) -> None:
        """The output is an iterator's: a list, even if nothing comes."""
        self._streamed = True

    def item(self, value: Any) -> None:
        """The next item of an iterator."""
        self._desk.channel.send(Output(self.id, to_json(value, self._began)))

    def output(self, value: Any) -> Any:
        """What `run()` has returned, as JSON; None for an iterator, whose items are sent as it gives them."""
        if isinstance(value, Iterator) and not isinstance(value, io.IOBase):
            self.stream()
            for item in value:
                self.item(item)
            return None
        return to_json(value, self._began)

    def close(self, status: str, output: Any = None, error: BaseException | None = None) -> None:
        """The prediction has ended: its logs are sent, its files removed, then the server is told."""
        predict_time = time.perf_counter() - self._clock
        if self._sink is not None:
            self._desk.capture.close(self._sink)
        if self._folder.exists():
            shutil.rmtree(self._folder, ignore_errors=True)
        field = error.field if isinstance(error, InvalidInputError) else None
        text = None if error is None else describe(error)
        self._report(Done(self.id, status, predict_time, output, self._streamed, text, field))

    def _report(self, done: Done) -> None:
        try:
            self._desk.channel.send(done)
        except (ValueError, TypeError, RecursionError) as error:  # an integer too long to print, say
            self._desk.channel.send(
                Done(done.id, "failed", done.predict_time, None, done.streamed, describe(error), None)
            )


def describe(error: BaseException) -> str:
    """An error in one line: its type and what it says."""
    if isinstance(error, (DownloadError, InvalidInputError)):
        return f"Input validation error: {error}"
    return f"{type(error).__name__}: {error}"


def explain(error: BaseException, *, skip: Callable[[str], bool]) -> str:
    """The traceback, without the frames at its top whose file `skip` names."""
    trace = error.__traceback__
    while trace is not None and skip(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    return "".join(traceback.format_exception(type(error), error, trace or error.__traceback__))
