"""One prediction inside the worker: from the request to the message that it has ended."""

from __future__ import annotations

import io
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ._download import DownloadError
from ._inputs import InvalidInputError, Signature
from ._outputs import UploadError, json_line
from ._scope import Scope, enter_scope
from ._wire import Done, Metric, Predict

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from ._capture import Capture, Sink
    from ._channel import Channel
    from ._outputs import Put

_QUICK = 0.001
_COARSE = 5 if sys.platform == "linux" else time.CLOCK_REALTIME
"""CLOCK_REALTIME_COARSE (clock_gettime(2)), for which Python has no name."""
_WHITESPACE = " \t\n\r"
_SDK = os.path.dirname(__file__)  # noqa: PTH120 - a prefix of names
_ASYNCIO = os.sep + "asyncio" + os.sep
_READ = json.JSONDecoder().raw_decode

__all__ = ["Desk", "Task", "describe", "explain"]


class Desk:
    """What all predictions of one worker share."""

    def __init__(self, channel: Channel, capture: Capture, signature: Signature, folder: Path) -> None:
        self.channel = channel
        self.capture = capture
        self.signature = signature
        self._folder = folder

    def folder(self, number: int) -> Path:
        """A folder of its own for the files of a prediction that has any; it is made when it is needed."""
        return self._folder / str(number) if self.signature.takes_files else self._folder


class Task:
    """A prediction that runs: `open` it, pass each `item` of an iterator, `close` it."""

    __slots__ = ("_began", "_clock", "_desk", "_put", "_request", "_sink", "_streamed", "number")

    def __init__(self, desk: Desk, request: Predict) -> None:
        self._desk = desk
        self._request = request
        self._began = time.clock_gettime(_COARSE)  # what a file gets which is made now, on most kernels
        self._clock = time.perf_counter()
        self._sink: Sink | None = None
        self._streamed = False
        self._put: Put | None = None
        self.number = request.number

    def open(self, *, alone: bool) -> None:
        """What the calling context prints and records belongs to this prediction from now on."""
        self._sink = self._desk.capture.open(self.number, alone=alone)
        enter_scope(Scope(self._request.context, self._metric))

    @staticmethod
    def open_together(desk: Desk, tasks: list[Task]) -> None:
        """What the calling context prints and records belongs to each of `tasks` from now on."""
        sink = desk.capture.open(*(task.number for task in tasks), alone=True)
        for task in tasks:
            task._sink = sink  # noqa: SLF001 - its own kind

        def changed(name: str, mode: str, value: Any) -> None:
            for task in tasks:
                desk.channel.send(Metric(task.number, name, mode, value))

        contexts = [task._request.context for task in tasks]  # noqa: SLF001 - its own kind
        enter_scope(Scope(contexts[0] if all(each == contexts[0] for each in contexts) else {}, changed))

    def _metric(self, name: str, mode: str, value: Any) -> None:
        self._desk.channel.send(Metric(self.number, name, mode, value))

    @property
    def takes_files(self) -> bool:
        """Whether `arguments` may have to wait for a download."""
        return self._desk.signature.takes_files

    def arguments(self) -> dict[str, Any]:
        """The arguments of `run()`; downloads files. Raises what `Signature.arguments` raises."""
        body = self._request.body.decode().lstrip(_WHITESPACE)
        given = _READ(body)[0].get("input") if body else None
        return self._desk.signature.arguments({} if given is None else given, self._desk.folder(self.number))

    @property
    def uploads(self) -> bool:
        """Whether `item` and `output` may have to wait for a file to be uploaded."""
        return bool(self._request.upload)

    def stream(self) -> None:
        """The output is an iterator's: a list, even if nothing comes."""
        self._streamed = True

    def item(self, value: Any) -> None:
        """The next item of an iterator."""
        self._desk.channel.put(self.number, json_line(value, self._began, self._upload()))

    def output(self, value: Any) -> bytes:
        """What `run()` has returned, as a line of JSON; null for an iterator, whose items are sent as it gives them."""
        if isinstance(value, Iterator) and not isinstance(value, io.IOBase):
            self.stream()
            for item in value:
                self.item(item)
            return b"null"
        return json_line(value, self._began, self._upload())

    def _upload(self) -> Put | None:
        """Where files of the output go; None for into it. Raises OSError or ImportError."""
        request = self._request
        if self._put is None and request.upload:
            from ._upload import Uploader  # noqa: PLC0415 - takes long to import: only where files go out

            self._put = Uploader(request.upload, request.id, request.trace or {}).put
        return self._put

    def close(
        self, status: str, output: bytes = b"null", error: BaseException | None = None, *, more: bool = False
    ) -> None:
        """The prediction has ended: its logs are sent, its files removed, then the server is told.

        With `more` to come at once, of a prediction that was quick, that may wait for it.
        """
        predict_time = time.perf_counter() - self._clock
        if self._sink is not None:
            self._desk.capture.close(self._sink)
        if self.takes_files:
            with suppress(ImportError, OSError):  # a model that holds too many files keeps modules from being read
                import shutil  # noqa: PLC0415 - takes long to import: only where files may have come in

                shutil.rmtree(self._desk.folder(self.number), ignore_errors=True)
        field = error.field if isinstance(error, InvalidInputError) else None
        text, trace = (None, None) if error is None else (describe(error), _trace(error))
        tell = self._desk.channel.post if more and predict_time < _QUICK else self._desk.channel.send
        tell(Done(self.number, status, predict_time, output, self._streamed, text, field, trace))


def describe(error: BaseException) -> str:
    """An error in one line: its type and what it says."""
    if isinstance(error, (DownloadError, InvalidInputError)):
        return f"Input validation error: {error}"
    if isinstance(error, UploadError):
        return str(error)
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001 - an error of the model's own kind, which fails when it is asked what it says
        return f"{type(error).__name__}: (it cannot be printed)"


def _trace(error: BaseException) -> str | None:
    """How the model's code came to it; None for an error that did not come from there."""
    if isinstance(error, (DownloadError, InvalidInputError, UploadError)) or _below_ours(error) is None:
        return None
    return explain(error)


def explain(error: BaseException) -> str:
    """The traceback, without our frames at its top; the error alone if they are all of them, or if it cannot be had."""
    try:
        import traceback  # noqa: PLC0415 - takes long to import: only where something went wrong

        return "".join(traceback.format_exception(type(error), error, _below_ours(error)))
    except Exception:  # noqa: BLE001 - an error that fails when it is looked at, or no file can be opened any more
        return f"{describe(error)}\n"


def _below_ours(error: BaseException) -> TracebackType | None:
    """Its frames from the model's first on."""
    trace = error.__traceback__
    while trace is not None and _is_ours(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    return trace


def _is_ours(file: str) -> bool:
    """Whether a frame of this file says nothing to the author of the model."""
    return file.startswith((_SDK, "<")) or _ASYNCIO in file
