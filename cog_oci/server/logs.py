"""The server's own log on standard error: one JSON object a line, or plain lines with LOG_FORMAT=console.

Lines go through `Sink`, whatever wrote them, so that they keep their order, and those of one moment leave together.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import json
import logging
import os
import time
from collections import deque

__all__ = ["Sink", "configure"]

_NAMES = {"WARNING": "WARN"}  # as Cog's log says it
_EXTRA = ("prediction_id", "trace_id")  # what code may say with `extra=`
_STDERR = 2


class Sink:
    """Lines on their way to standard error. `write` is cheap: what one turn of the event loop says is one write."""

    def __init__(self, *, console: bool, descriptor: int = _STDERR) -> None:
        self._render = _console_line if console else _json_line
        self._descriptor = descriptor
        self._lines: deque[str] = deque()
        self._scheduled = False
        self._second = -1
        self._prefix = ""

    def write(
        self, level: str, target: str, message: str, moment: float, fields: tuple[tuple[str, str], ...] = ()
    ) -> None:
        """One line; `moment` is in seconds since 1970, `level` and `target` are words that need no escapes."""
        second = int(moment)
        if second != self._second:
            self._second = second
            self._prefix = time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(second))
        stamp = f"{self._prefix}{int((moment - second) * 1e6):06d}Z"
        self._lines.append(self._render(stamp, level, target, message, fields))
        if not self._scheduled:
            self._schedule()

    def flush(self) -> None:
        """Write what there is. A log that nobody can take must not stop the server."""
        self._scheduled = (
            False  # first: a line that another thread adds from here on is taken now or has a turn to come
        )
        lines: list[str] = []
        with contextlib.suppress(IndexError):
            while True:
                lines.append(self._lines.popleft())
        data = memoryview("".join(lines).encode("utf-8", "backslashreplace"))
        with contextlib.suppress(OSError):
            while data:
                data = data[os.write(self._descriptor, data) :]

    def _schedule(self) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # another thread, or before and after everything
            self.flush()
        else:
            self._scheduled = True
            loop.call_soon(self.flush)


def _json_line(stamp: str, level: str, target: str, message: str, fields: tuple[tuple[str, str], ...]) -> str:
    more = "".join([f', "{name}": {_quote(value)}' for name, value in fields])
    return (
        f'{{"timestamp": "{stamp}", "level": "{level}", "fields": {{"message": {_quote(message)}{more}}}, '
        f'"target": "{target}"}}\n'
    )


def _console_line(stamp: str, level: str, target: str, message: str, fields: tuple[tuple[str, str], ...]) -> str:
    more = "".join([f"\n{value}" if name == "traceback" else f" {name}={value}" for name, value in fields])
    return f"{stamp} {level} {target}: {message}{more}\n"


_quote = json.encoder.encode_basestring
"""A string as JSON, other than ASCII as it is: escaped by C, as `json.dumps` would after 2 µs of asking what it is."""


class _Handler(logging.Handler):
    """Brings what `logging` is told to the sink."""

    def __init__(self, sink: Sink) -> None:
        super().__init__()
        self._sink = sink
        self._formatter = logging.Formatter()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            level = _NAMES.get(record.levelname, record.levelname)
            fields = [(name, str(value)) for name in _EXTRA if (value := getattr(record, name, None)) is not None]
            if record.exc_info:
                fields.append(("traceback", self._formatter.formatException(record.exc_info)))
            self._sink.write(level, record.name, record.getMessage(), record.created, tuple(fields))
        except Exception:  # noqa: BLE001 - as every handler of `logging` does: a line that cannot be made is no error
            self.handleError(record)


def configure(level: int, *, console: bool) -> Sink:
    """Send everything of `level` and above to standard error; of other people's code, warnings and errors."""
    sink = Sink(console=console)
    atexit.register(sink.flush)
    logging.basicConfig(level=max(level, logging.WARNING), handlers=[_Handler(sink)])
    logging.getLogger("cog_oci").setLevel(level)
    return sink
