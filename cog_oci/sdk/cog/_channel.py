"""The worker's end of the socket pair: whole messages, sent from any thread, received by one."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from . import _wire

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from ._interrupts import Interrupts

__all__ = ["Channel"]

_CHUNK = 1 << 18


class Channel:
    """Frames over a connected stream socket. A cancellation never cuts a frame in two."""

    def __init__(self, connection: socket.socket, interrupts: Interrupts) -> None:
        self._socket = connection
        self._lock = Lock()
        self._interrupts = interrupts

    def send(self, message: _wire.Message) -> None:
        """Send one message, whole. When nobody listens any more the process is about to end: nothing happens."""
        frame = _wire.encode(message)
        self._interrupts.hold()
        try:
            with self._lock:
                self._socket.sendall(frame)
        except OSError:
            pass
        finally:
            self._interrupts.release()

    def abandon(self) -> None:
        """In a forked child, which shares the socket: two who write to it would garble each other's frames."""
        self._socket.close()

    def receive(self) -> Iterator[list[_wire.Message]]:
        """The messages, in the batches in which they arrive, until the other side has gone."""
        decoder = _wire.Decoder()
        while True:
            try:
                data = self._socket.recv(_CHUNK)
            except OSError:
                return
            if not data:
                return
            messages = decoder.feed(data)
            if messages:
                yield messages
