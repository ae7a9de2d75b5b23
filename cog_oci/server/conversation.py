"""One prediction without HTTP: the request on standard input, what happens on standard output.

The request is a line of JSON as POST /predictions takes it. What happens is told as server-sent events in the API's
form (events.py): `log`, `output`, `completed`; before them `setup`, with what setup prints, and `ready` or `failed`;
where the model is to blame for what is completed, `traceback` before that; the last is `ended`, when nothing of the
model runs any more.
"""

from __future__ import annotations

import json
import select
import sys
import time
from typing import TYPE_CHECKING, Any

from cog_oci.sdk.cog._wire import Decoder, Done, Log, Output, Predict, Ready, SetupFailed, Stop, encode, to_line
from cog_oci.server.prediction import Prediction, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cog_oci.sdk.cog._wire import Message
    from cog_oci.server.process import WorkerProcess

__all__ = ["converse"]

_STOP_SECONDS = 5.0
_LOOK_SECONDS = 0.5
"""How often a worker is looked after whose end nobody else would tell, as a child of its own holds its socket."""


def converse(process: WorkerProcess) -> None:
    """Ask the worker what the first line of standard input asks, and tell all that comes of it."""
    body = sys.stdin.buffer.readline()
    asked = json.loads(body)
    given, context = asked.get("input") or {}, asked.get("context") or {}
    prediction = Prediction(str(asked.get("id") or "once"), Request(given, body, context), number=1)
    process.work.setblocking(True)
    _tell_all(process, prediction, Predict(1, prediction.id, context, body))
    _tell("ended", {})


def _tell_all(process: WorkerProcess, prediction: Prediction, request: Predict) -> None:
    is_ready = False
    for message in _messages(process):
        if isinstance(message, Log) and not is_ready:
            _tell("setup", {"data": message.text})
        elif isinstance(message, SetupFailed):
            _tell("failed", {"error": message.error, "traceback": message.traceback})
            process.end()
            return
        elif isinstance(message, Ready):
            is_ready = True
            _tell("ready", {})
            prediction.start()
            process.work.sendall(encode(request))
        else:
            prediction.apply(message)  # type: ignore[arg-type]  # what is no event of it changes nothing
            _tell_of(message)
        if isinstance(message, Done):
            if message.traceback:
                _tell("traceback", {"data": message.traceback})
            _tell_line("completed", prediction.to_bytes())
            _stop(process)
            return
    words = process.last_words().decode("utf-8", "replace")
    crash = f"Worker crashed: {process.end()}"
    if not is_ready:
        _tell("failed", {"error": crash, "traceback": words})
        return
    if words:
        prediction.apply(Log(1, "stderr", words))
    prediction.apply(Done(1, "failed", prediction.elapsed, error=crash))
    _tell_line("completed", prediction.to_bytes())


def _messages(process: WorkerProcess) -> Iterator[Message]:
    """What the worker says, until it has ended."""
    decoder = Decoder()
    while True:
        if not select.select([process.work], [], [], _LOOK_SECONDS)[0]:
            if process.poll() is not None:
                return
            continue
        try:
            data = process.work.recv(1 << 20)
        except ConnectionError:
            return
        if not data:
            return
        yield from decoder.feed(data)


def _tell_of(message: Message) -> None:
    if isinstance(message, Log):
        _tell("log", {"data": message.text, "source": message.source})
    elif isinstance(message, Output):
        for item in message.lines.split(b"\n"):
            _tell_line("output", b'{"chunk":' + item + b"}")


def _tell(event: str, data: dict[str, Any]) -> None:
    _tell_line(event, to_line(data))


def _tell_line(event: str, line: bytes) -> None:
    sys.stdout.buffer.write(b"event: " + event.encode() + b"\ndata: " + line + b"\n\n")
    sys.stdout.buffer.flush()


def _stop(process: WorkerProcess) -> None:
    """Let the model close what it has open."""
    deadline = time.monotonic() + _STOP_SECONDS
    try:
        process.work.sendall(encode(Stop()))
        process.work.settimeout(_STOP_SECONDS)
        while process.work.recv(1 << 16) and time.monotonic() < deadline:
            pass
        process.wait(max(0, deadline - time.monotonic()))
    except OSError:
        pass
    process.end()
