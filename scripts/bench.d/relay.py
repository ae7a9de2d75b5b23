"""A TCP relay that counts: what a client and a server really say to each other, headers and all."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Relay", "relayed"]

_PIECE = 1 << 16


@dataclass(slots=True)
class Relay:
    """Where it listens, as `127.0.0.1:PORT`, and the bytes that have gone through it, both ways together."""

    address: str
    moved: int = 0


@contextmanager
def relayed(to: str) -> Iterator[Relay]:
    """A relay to `host:port` while the context is open; connections that are open then end with it."""
    host, _, port = to.rpartition(":")
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        relay = Relay(f"127.0.0.1:{listener.getsockname()[1]}")

        def accept() -> None:
            while not ended.is_set():
                client, _ = listener.accept()
                server = socket.create_connection((host, int(port)))
                for one, other in ((client, server), (server, client)):
                    threading.Thread(target=_copy, args=(one, other, relay), daemon=True).start()

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield relay
        finally:
            ended.set()
            socket.create_connection(listener.getsockname()).close()  # it waits for one
            thread.join()


_COUNTING = threading.Lock()


def _copy(one: socket.socket, other: socket.socket, relay: Relay) -> None:
    with suppress(OSError):
        while data := one.recv(_PIECE):
            with _COUNTING:
                relay.moved += len(data)
            other.sendall(data)
    with suppress(OSError):
        other.shutdown(socket.SHUT_WR)
