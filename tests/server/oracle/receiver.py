"""What the servers talk to besides their clients: webhooks, uploads and files to download, over real HTTP."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["Receiver"]


class Receiver:
    """Remembers what it is sent, by path.

    Of a path's words, `status-N` is answered with N, `fail-N` with 500 for the first N times, `at-WORD` with a Location
    of `/WORD`, `from-PATH` redirects to `/PATH`; a GET is answered with the path itself.
    """

    def __init__(self) -> None:
        self._received: dict[str, list[dict[str, Any]]] = {}
        self._changed = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _any(self) -> None:
                content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                count = receiver._take(self.command, self.path, dict(self.headers.items()), content)
                status, headers, body = _answer(self.command, self.path, count)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_HEAD = _any  # noqa: N815 - http.server's names

            def log_message(self, *arguments: Any) -> None:
                pass

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Receive nothing more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _take(self, method: str, path: str, headers: dict[str, str], content: bytes) -> int:
        lower = {name.lower(): value for name, value in headers.items()}
        with self._changed:
            calls = self._received.setdefault(path, [])
            calls.append({"method": method, "headers": lower, "content": content, "at": time.monotonic()})
            self._changed.notify_all()
            return len(calls)

    def calls(self, prefix: str) -> list[dict[str, Any]]:
        """What has come to paths that begin so, in the order of time, with `path` in each."""
        with self._changed:
            found = [{**c, "path": p} for p, calls in self._received.items() if p.startswith(prefix) for c in calls]
        return sorted(found, key=lambda call: call["at"])

    def wait(self, prefix: str, count: int = 0, seconds: float = 10) -> list[dict[str, Any]]:
        """The calls to `prefix` when there are `count` of them, or one that says a prediction has ended."""
        end = time.monotonic() + seconds
        with self._changed:
            while not self._enough(prefix, count) and (left := end - time.monotonic()) > 0:
                self._changed.wait(left)
        time.sleep(0.1)  # what should not come any more would come now
        return self.calls(prefix)

    def _enough(self, prefix: str, count: int) -> bool:
        calls = [call for path, calls in self._received.items() if path.startswith(prefix) for call in calls]
        if count:
            return len(calls) >= count
        return any(json.loads(call["content"]).get("status") in {"succeeded", "failed", "canceled"} for call in calls)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A server that is killed leaves connections behind; that is no fault of the receiver."""


def _answer(method: str, path: str, count: int) -> tuple[int, dict[str, str], bytes]:
    words = dict(part.split("-", 1) for part in path.strip("/").split("/") if "-" in part)
    if count <= int(words.get("fail", 0)):
        return 500, {}, b""
    if "from" in words:
        return 302, {"Location": f"/{words['from']}"}, b""
    headers = {"Location": f"/{words['at']}"} if "at" in words else {}
    return int(words.get("status", 200)), headers, path.encode() if method == "GET" else b""
