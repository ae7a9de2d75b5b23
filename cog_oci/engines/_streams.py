"""A container's standard streams over a connection of the Docker API, and the terminal of whoever looks on."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import struct
import sys
import termios
import threading
import tty
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Streams", "raw_terminal"]

_HEADER = struct.Struct(">BxxxL")  # which stream, how many bytes (Engine API, "Stream format")
_STDOUT, _STDERR = 1, 2


class Streams:
    """Copies what a container prints, and what it is to read; without a terminal, its two outputs are told apart.

    `source` and `sink` are file descriptors: of what it reads, and for what it prints on its standard output. With
    `closing`, they are closed at the end of either.
    """

    def __init__(
        self, stream: socket.socket, begun: bytes, *, terminal: bool, source: int | None, sink: int, closing: bool
    ) -> None:
        self._stream, self._begun = stream, begun
        self._terminal, self._closing = terminal, closing
        self._source, self._sink = source, sink
        self._printing = threading.Thread(target=self._print, daemon=True)
        self._over = False

    def start(self) -> None:
        """Begin to copy."""
        self._printing.start()
        if self._source is not None:
            threading.Thread(target=self._read, daemon=True).start()

    @property
    def ended(self) -> bool:
        """Whether the container has said its last; then it has ended."""
        return self._over

    def cut(self) -> None:
        """Nothing that comes from now on is of interest."""
        with suppress(OSError):  # it is over
            self._stream.shutdown(socket.SHUT_RDWR)

    def finish(self, seconds: float = 10) -> None:
        """Wait for what has been printed, and close. Only a lost connection takes as long as `seconds`."""
        if self._printing.ident is not None:
            self._printing.join(seconds)
        elif self._closing and self._source is not None:
            os.close(self._sink)
            os.close(self._source)
        self._stream.close()

    def _print(self) -> None:
        with suppress(OSError):
            self._copy()
        self._over = True  # before whoever reads the pipe learns of it
        if self._closing:
            os.close(self._sink)

    def _copy(self) -> None:
        if self._terminal:
            _write(self._sink, self._begun)
            while data := self._stream.recv(1 << 16):
                _write(self._sink, data)
        else:
            while header := self._exactly(_HEADER.size):
                kind, size = _HEADER.unpack(header)
                to = self._sink if kind == _STDOUT else _STDERR
                while size and (data := self._some(size)):
                    size -= len(data)
                    _write(to, data)

    def _some(self, size: int) -> bytes:
        if self._begun:
            data, self._begun = self._begun[:size], self._begun[size:]
            return data
        return self._stream.recv(min(size, 1 << 16))

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size and (more := self._some(size - len(data))):
            data += more
        return data if len(data) == size else b""

    def _read(self) -> None:
        assert self._source is not None
        with suppress(OSError):
            while data := os.read(self._source, 1 << 16):
                self._stream.sendall(data)
            self._stream.shutdown(socket.SHUT_WR)
        if self._closing:
            os.close(self._source)


@contextmanager
def raw_terminal(resize: Callable[[int, int], None]) -> Iterator[None]:
    """Our terminal gives every key to the container meanwhile; `resize` hears of its columns and rows."""

    def changed(*_: object) -> None:
        size = shutil.get_terminal_size()
        resize(size.columns, size.lines)

    descriptor = sys.stdin.fileno()
    settings = termios.tcgetattr(descriptor)
    with ExitStack() as after:
        after.callback(termios.tcsetattr, descriptor, termios.TCSADRAIN, settings)
        tty.setraw(descriptor, termios.TCSANOW)  # what has been typed already is for the container, too
        after.callback(signal.signal, signal.SIGWINCH, signal.signal(signal.SIGWINCH, changed))
        changed()
        yield


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
