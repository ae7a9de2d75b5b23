"""An HTTP server that takes what it is sent and answers as a test wants: `with receiver() as it: … it.received`."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Received:
    """One request: `target` is path and query, `headers` have names in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Answer:
    """What a request is answered with, and after how many seconds."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    after: float = 0.0


class Receiver:
    """What has been received so far, in the order of arrival. `answer` decides; it may be replaced at any time."""

    def __init__(self, answer: Callable[[Received], Answer]) -> None:
        self.answer = answer
        self.received: list[Received] = []
        self.url = ""

    def wait_for(self, count: int, seconds: float = 60) -> list[Received]:
        """Everything received, once that is `count` requests."""
        end = time.monotonic() + seconds
        while len(self.received) < count:
            assert time.monotonic() < end, [request.body[:200] for request in self.received]
            time.sleep(0.005)
        return self.received


@contextlib.contextmanager
def receiver(
    answer: Callable[[Received], Answer] = lambda _: Answer(), address: tuple[str, int] = ("127.0.0.1", 0)
) -> Iterator[Receiver]:
    it = Receiver(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # a body does not wait until its head is acknowledged

        def do_POST(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", 0)))
            request = Received(self.command, self.path, headers, body)
            it.received.append(request)
            answer = it.answer(request)
            time.sleep(answer.after)
            with contextlib.suppress(OSError):
                self.send_response(answer.status)
                for name, value in {"Content-Length": "0", **answer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()

        do_PUT = do_POST  # noqa: N815 - the library's name

        def log_message(self, *ignored: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True  # one that waits for a client's next request does not hold up the test
        request_queue_size = 64

        def handle_error(self, request: object, client_address: object) -> None:
            pass

    with Server(address, Handler) as server:
        it.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield it
        finally:
            server.shutdown()
            thread.join()
