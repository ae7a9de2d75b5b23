"""Clients that behave badly, and clients that keep a server busy."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import struct
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit

from tests.server.live import PATIENCE, Server

_SETTINGS = b"\x04"
"""The type of the frame that a server begins with, after its length of three bytes (RFC 9113 §3.4, §4.1)."""


def port_of(server: Server) -> int:
    port = urlsplit(server.url).port
    assert port is not None
    return port


def connect(server: Server, timeout: float = PATIENCE) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port_of(server)), timeout=timeout)


def send(server: Server, data: bytes, *, silence: float = 0.15) -> str:
    """The status of the first answer to `data`; `closed` when the connection is, `silent` when the server waits.

    One that waits has `silence` seconds to think of something. `h2` is an answer in frames of HTTP/2.
    """
    with connect(server, silence) as client:
        with contextlib.suppress(ConnectionError, TimeoutError):  # an answer may come before all has been sent
            client.sendall(data)
        raw = b""
        try:
            while b"\r\n" not in raw and (more := client.recv(1 << 16)):
                raw += more
        except TimeoutError:
            return "silent"
        except ConnectionError:
            pass
    if raw[3:4] == _SETTINGS:
        return "h2"
    return raw.split()[1].decode("latin-1") if raw.startswith(b"HTTP/") else "closed" if not raw else repr(raw[:40])


def hang_up(client: socket.socket, *, rudely: bool) -> None:
    """Close with a FIN, or with a reset (SO_LINGER of 0, socket(7))."""
    if rudely:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


@dataclass
class Traffic:
    """`clients` that each send one prediction after the other to the model `ledger`, until `stop`.

    With a `webhook`, they do not wait for its end. `answers` has what each prediction, by its name, was answered with;
    `broken` how requests ended that were not.
    """

    server: Server
    clients: int
    seconds: float
    webhook: str | None = None
    answers: dict[str, tuple[int, dict[str, Any]]] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(self.clients)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Send no more, and wait for every answer."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def accepted(self) -> set[str]:
        """What the server has promised to see through; its end may be there by the time of the answer."""
        return {name for name, (status, _) in self.answers.items() if status in {200, 202}}

    def statuses(self) -> Counter[str]:
        """How many answers there were of each HTTP status, those with 200 by the prediction's."""
        return Counter(
            str(body.get("status")) if status == 200 else str(status) for status, body in self.answers.values()
        )

    def _run(self, client: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port_of(self.server), timeout=PATIENCE)
        number = 0
        while not self._stopping.is_set():
            name = f"{'early' if self.webhook else 'late'}-{client}-{number}"
            number += 1
            body: dict[str, Any] = {"id": name, "input": {"name": name, "seconds": self.seconds}}
            headers = {"Content-Type": "application/json"}
            if self.webhook is not None:
                body |= {"webhook": self.webhook, "webhook_events_filter": ["completed"]}
                headers["Prefer"] = "respond-async"
            try:
                connection.request("POST", "/predictions", json.dumps(body), headers)
                answer = connection.getresponse()
                self.answers[name] = (answer.status, json.loads(answer.read()))
            except (OSError, http.client.HTTPException) as error:
                self.broken[name] = type(error).__name__
                connection.close()
                time.sleep(0.005)
            else:
                if answer.status != 200:
                    time.sleep(0.005)  # as clients do that are refused, or have asked enough for the moment
        connection.close()
