"""The worker's ends of its two socket pairs: one for predictions and all that is said of them, one for orders.

They are apart so that the thread that runs predictions reads them itself, while another one hears of cancellations.
"""

from __future__ import annotations

import os
import socket
import time
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING

from . import _wire
from ._lookout import Lookout

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._interrupts import Interrupts

__all__ = ["LOOK_SECONDS", "Channel", "Inbox", "receive"]

LOOK_SECONDS = 0.0002
"""How long the next request is looked for, where those before came as soon after an answer."""

_CHUNK = 1 << 18
_LARGE = 1 << 16
_TOGETHER = 0.0005
"""Seconds within which what may wait leaves together: many messages cost little more than one."""


class Channel:
    """Frames out over a connected stream socket, from any thread. A cancellation never cuts one in two."""

    def __init__(self, connection: socket.socket, interrupts: Interrupts) -> None:
        self._socket = connection
        self._lock = Lock()
        self._interrupts = interrupts
        self._held: list[bytes] = []
        self._items: list[bytes] = []
        self._items_of = 0
        self._last = 0.0
        self._waiting = Event()
        self._clerk: Thread | None = None

    def send(self, message: _wire.Message) -> None:
        """Send one message, whole. When nobody listens any more the process is about to end: nothing happens."""
        start, body = _wire.encode_apart(message)
        self._interrupts.hold()
        try:
            with self._lock:
                if self._held or self._items:
                    start = self._take() + start
                if len(body) < _LARGE:
                    self._socket.sendall(start + body)
                else:
                    self._socket.sendall(start)
                    self._socket.sendall(body)
        except OSError:
            pass
        finally:
            self._interrupts.release()

    def post(self, message: _wire.Message) -> None:
        """Send one message, together with those that come at nearly the same time."""
        frame = _wire.encode(message)
        self._interrupts.hold()
        try:
            with self._lock:
                self._held.append(self._take_items() + frame if self._items else frame)
                self._send_soon()
        except OSError:
            pass
        finally:
            self._interrupts.release()

    def put(self, number: int, line: bytes) -> None:
        """Send the next item of a prediction's output, together with those that come at nearly the same time."""
        self._interrupts.hold()
        try:
            with self._lock:
                if self._items and self._items_of != number:
                    self._held.append(self._take_items())
                self._items.append(line)
                self._items_of = number
                self._send_soon()
        except OSError:
            pass
        finally:
            self._interrupts.release()

    def abandon(self) -> None:
        """In a forked child, which shares the socket: two who write to it would garble each other's frames."""
        self._socket.close()

    def _take_items(self) -> bytes:
        items, self._items = self._items, []
        return _wire.encode(_wire.Output(self._items_of, b"\n".join(items)))

    def _take(self) -> bytes:
        """Everything that waits, in its order."""
        held, self._held = self._held, []
        if self._items:
            held.append(self._take_items())
        return b"".join(held)

    def _send_soon(self) -> None:
        """Now, if it is a while since the last time; else who comes next takes it along, or the clerk sees to it."""
        now = time.perf_counter()
        if now - self._last >= _TOGETHER:
            self._last = now
            self._socket.sendall(self._take())
        elif not self._waiting.is_set():
            self._waiting.set()
            if self._clerk is None:
                self._clerk = Thread(target=self._send_what_waits, name="cog-clerk", daemon=True)
                self._clerk.start()

    def _send_what_waits(self) -> None:
        while True:
            self._waiting.wait()
            time.sleep(_TOGETHER)
            with self._lock:
                self._waiting.clear()
                try:
                    if self._held or self._items:
                        self._last = time.perf_counter()
                        self._socket.sendall(self._take())
                except OSError:
                    return


def receive(connection: socket.socket) -> Iterator[list[_wire.Message]]:
    """The messages, in the batches in which they arrive, until the other side has gone."""
    inbox = Inbox(connection)
    while True:
        try:
            messages = inbox.read()
        except OSError:
            return
        if messages is None:
            return
        if messages:
            yield messages


class Inbox:
    """The receiving end of a connected stream socket."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._lookout = Lookout(LOOK_SECONDS)
        self._decoder = _wire.Decoder()
        # Read into, again and again: a fresh buffer of this size is three system calls and many page faults, more
        # than a small model takes.
        self._buffer = bytearray(_CHUNK)

    def read(self, flags: int = 0) -> list[_wire.Message] | None:
        """The messages that have arrived, maybe none yet; None when the other side has gone. Raises OSError."""
        size = self.connection.recv_into(self._buffer, 0, flags) if flags else self._wait()
        if size == 0:
            return None
        with memoryview(self._buffer) as view:
            return self._decoder.feed(bytes(view[:size]))

    def _wait(self) -> int:
        """Until something has arrived; how many bytes, 0 when the other side has gone."""
        receive, buffer, clock = self.connection.recv_into, self._buffer, time.perf_counter
        began = clock()
        if self._lookout.worthwhile:
            end = began + LOOK_SECONDS
            while clock() < end:
                try:
                    return receive(buffer, 0, socket.MSG_DONTWAIT)
                except BlockingIOError:
                    os.sched_yield()  # who is to send it may have no other processor
        size = receive(buffer)
        self._lookout.note(clock() - began)
        return size
