"""What a prediction prints: through Python, through a file descriptor or from a subprocess, under its own name.

Descriptors 1 and 2 are pipes whose reading ends this process holds too. In the order of time, because whatever waits in
the pipes is taken before anything that Python prints is sent. With one slot, everything belongs to the prediction that
runs; with several, what comes through the pipes cannot be told apart and belongs to none.
"""

from __future__ import annotations

import codecs
import io
import os
import select
import sys
import threading
import time
from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING, Any

from ._wire import Log

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._channel import Channel
    from ._interrupts import Interrupts

__all__ = ["Capture", "Sink"]

_AT_ONCE = 0.001
"""Seconds since the pipes were last empty in which a prediction that begins need not look into them again."""
_PENDING = 8192
_CHUNK = 1 << 16
_PATIENCE = 0.02
"""Seconds that bytes stay in a pipe: the server can still read there what a process prints just before it
dies."""


class Sink:
    """Where the output of a prediction goes, or of several that run as one, in whole lines where there are any."""

    __slots__ = ("_pending", "_send", "closed", "numbers")

    def __init__(self, predictions: tuple[int, ...], send: Callable[[Log], None]) -> None:
        self.numbers = predictions
        self.closed = False
        self._send = send
        self._pending: dict[str, str] = {}

    def write(self, source: str, text: str) -> None:
        """Send the lines that are complete; keep the rest, unless it grows long."""
        text = self._pending.pop(source, "") + text
        cut = len(text) if len(text) > _PENDING else max(text.rfind("\n"), text.rfind("\r")) + 1
        if cut:
            self._put(source, text[:cut])
        if cut < len(text):
            self._pending[source] = text[cut:]

    def flush(self) -> None:
        """Send what waits for the end of its line."""
        for source in list(self._pending):
            self._put(source, self._pending.pop(source))

    def _put(self, source: str, text: str) -> None:
        for number in self.numbers:
            self._send(Log(number, source, text))


_sink: ContextVar[Sink | None] = ContextVar("cog_sink", default=None)


class Capture:
    """Takes over standard output and standard error of the process. `pipes` maps stdout and stderr to reading ends."""

    def __init__(self, channel: Channel, interrupts: Interrupts, pipes: dict[str, int]) -> None:
        self._lock = threading.RLock()
        self._channel = channel
        self._interrupts = interrupts
        self._pipes = {fd: source for source, fd in pipes.items()}
        self._ready = _Ready()
        self._drained = 0.0
        self._decoders = {fd: codecs.getincrementaldecoder("utf-8")("replace") for fd in self._pipes}
        self._streams: dict[str, _Stream] = {}
        self._nobody = Sink((0,), channel.send)
        self._foreground = self._nobody

    def install(self) -> None:
        """From now on nothing that is printed is lost, and threads print for the prediction that started them."""
        self._streams = {"stdout": _Stream(self, "stdout", 1), "stderr": _Stream(self, "stderr", 2)}
        sys.stdout, sys.stderr = self._streams.values()
        for fd in self._pipes:
            os.set_blocking(fd, False)
            self._ready.watch(fd)
        if self._pipes:
            threading.Thread(target=self._pump, name="cog-pipes", daemon=True).start()
        _let_threads_inherit()
        os.register_at_fork(after_in_child=self._leave)

    def _leave(self) -> None:
        """In a forked child: print through the descriptors, which this process goes on reading."""
        self._channel.abandon()
        for name, stream in self._streams.items():
            ordinary = stream.give_way()
            if getattr(sys, name) is stream:
                setattr(sys, name, ordinary)

    def open(self, *predictions: int, alone: bool) -> Sink:
        """The calling context prints for `predictions` from now on; with `alone`, so does everything without a name."""
        sink = Sink(predictions, self._channel.send)
        if alone:
            with self._interrupts, self._lock:
                if time.perf_counter() - self._drained > _AT_ONCE:
                    self._drain()
                self._foreground.flush()
                self._foreground = sink
        _sink.set(sink)
        return sink

    def close(self, sink: Sink) -> None:
        """Everything that was printed has been sent; what still comes under this name belongs to nobody."""
        with self._interrupts, self._lock:
            if self._foreground is sink:
                self._drain()
                self._foreground = self._nobody
            sink.flush()
            sink.closed = True

    def write(self, source: str, text: str) -> None:
        """Something was printed in the calling context."""
        sink = _sink.get()
        with self._interrupts, self._lock:
            self._drain()
            target = self._foreground if sink is None else self._nobody if sink.closed else sink
            target.write(source, text)

    def flush(self) -> None:
        """Send what waits in the pipes, and what the calling context has printed, though its line has not ended."""
        sink = _sink.get()
        with self._interrupts, self._lock:
            self._drain()
            (self._foreground if sink is None or sink.closed else sink).flush()

    def _drain(self) -> None:
        self._drained = time.perf_counter()
        if not self._ready.any():  # a quarter of the cost of two reads that find nothing
            return
        for fd, source in self._pipes.items():
            while True:
                try:
                    data = os.read(fd, _CHUNK)
                except BlockingIOError:
                    break
                if not data:
                    break
                self._foreground.write(source, self._decoders[fd].decode(data))

    def _pump(self) -> None:
        poll = select.poll()
        for fd in self._pipes:
            poll.register(fd, select.POLLIN)
        open_pipes = len(self._pipes)
        while open_pipes:
            for fd, event in poll.poll():
                if not event & select.POLLIN:  # the model has closed the other end
                    poll.unregister(fd)
                    open_pipes -= 1
            time.sleep(_PATIENCE)
            with self._lock:
                self._drain()
                self._foreground.flush()


class _Ready:
    """Whether there is something to read: one system call, and of those that tell the quickest (epoll(7))."""

    def __init__(self) -> None:
        self._poll: Any = select.epoll() if hasattr(select, "epoll") else select.poll()
        self._nothing_more = (0, 1) if hasattr(select, "epoll") else (0,)

    def watch(self, fd: int) -> None:
        """Ask this one too; POLLIN and EPOLLIN are the same number."""
        self._poll.register(fd, select.POLLIN)

    def any(self) -> bool:
        """Whether one of them has something, or has ended."""
        return bool(self._poll.poll(*self._nothing_more))


class _Stream(io.TextIOBase):
    """`sys.stdout` and `sys.stderr` of the worker."""

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, capture: Capture, source: str, fd: int) -> None:
        self._capture = capture
        self._source = source
        self._fd = fd
        self._ordinary: io.TextIOWrapper | None = None
        self.buffer = io.FileIO(fd, "wb", closefd=False)

    def write(self, text: str) -> int:
        """Print `text`."""
        if self._ordinary is not None:
            return self._ordinary.write(text)
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self._capture.write(self._source, text)
        return len(text)

    def flush(self) -> None:
        """Send what has been printed."""
        if self._ordinary is not None:
            self._ordinary.flush()
        elif not self.closed:
            self._capture.flush()

    def give_way(self) -> io.TextIOWrapper:
        """An ordinary stream, to which goes as well what is printed by those who keep this one, as loggers do."""
        raw = io.FileIO(self._fd, "wb", closefd=False)
        self._ordinary = io.TextIOWrapper(io.BufferedWriter(raw), errors="replace", line_buffering=True)
        return self._ordinary

    def writable(self) -> bool:
        """Always true."""
        return True

    def reconfigure(self, **options: Any) -> None:
        """What models ask of `sys.stdout`, line by line and in UTF-8, it does anyway."""

    def fileno(self) -> int:
        """The descriptor, which is captured as well."""
        return self._fd

    def close(self) -> None:
        """The process keeps its standard streams."""


def _let_threads_inherit() -> None:
    """Make a new thread run in a copy of its starter's context, as Python's free-threaded builds do.

    Threads of a ThreadPoolExecutor are left alone: they serve whoever submits next.
    """
    start = threading.Thread.start

    def start_in_context(self: Any) -> None:
        target = getattr(self, "_target", None)
        if getattr(target, "__module__", "") != "concurrent.futures.thread" and _sink.get() is not None:
            context, run = copy_context(), self.run
            self.run = lambda: context.run(run)
        start(self)

    threading.Thread.start = start_in_context  # type: ignore[method-assign]  # the one place that every thread passes
