"""A conversation with a server, and what of it can be compared: everything but ids, times, ports and folders."""

from __future__ import annotations

import concurrent.futures
import http.client
import json
import re
import socket
import tempfile
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from tests.server.oracle.receiver import Receiver

__all__ = ["Talk"]

JSON = {"Content-Type": "application/json"}
SSE = {"Accept": "text/event-stream"}
TEMPORARY = re.compile(rf"(/tmp|{re.escape(tempfile.gettempdir())})/([\w-]+/)+(?=[\w.-]+)")
HEADERS = ("content-type", "allow", "cache-control", "connection", "location", "retry-after")
"""The headers that matter to clients. Length and framing are the connection's own affair."""


class Talk:
    """Requests to one running server. What the methods return is already comparable."""

    def __init__(self, port: int, folder: Path, receiver: Receiver, popen: subprocess.Popen[Any]) -> None:
        self.port = port
        self.folder = folder
        self.receiver = receiver
        self.popen = popen
        self._threads = concurrent.futures.ThreadPoolExecutor(8)

    def close(self) -> None:
        """Wait for what `later` has begun."""
        self._threads.shutdown()

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
        *,
        patient: bool = True,
    ) -> dict[str, Any]:
        """One request: a body that is bytes is sent as it is, another one as JSON, None is no body.

        With `patient`, 409 is asked again: Cog answers so while it is still putting its slot back.
        """
        for _ in range(100 if patient else 1):
            answer = self._once(method, path, body, headers)
            if answer[0] != 409:
                break
            time.sleep(0.02)
        return self._essence(*answer)

    def later(self, *arguments: Any, **options: Any) -> concurrent.futures.Future[dict[str, Any]]:
        """`ask`, on another thread."""
        return self._threads.submit(self.ask, *arguments, **options)

    def run(self, given: Any = None, **fields: Any) -> dict[str, Any]:
        """A synchronous prediction."""
        return self.ask("POST", "/predictions", {"input": given or {}, **fields})

    def health(self) -> dict[str, Any]:
        """The body of the health check, as it is."""
        status, _, content = self._once("GET", "/health-check")
        assert status == 200
        return json.loads(content)

    def wait_for(self, status: str, seconds: float = 10) -> dict[str, Any]:
        """The health check's status, when it is this or time is over."""
        end = time.monotonic() + seconds
        while (found := self.health()["status"]) != status and time.monotonic() < end:
            time.sleep(0.02)
        return found

    def wait_busy(self) -> None:
        """Until every slot is taken."""
        self.wait_for("BUSY")
        time.sleep(0.1)  # and the model has begun

    def raw(self, content: bytes, *, until: Callable[[bytes], bool] = lambda _: False) -> str:
        """What comes back for these bytes, until the connection is closed or `until` is content; its lines end in \\n."""
        received = b""
        with socket.create_connection(("127.0.0.1", self.port), timeout=3) as connection:
            connection.sendall(content)
            while not until(received):
                try:
                    data = connection.recv(1 << 16)
                except TimeoutError:
                    received += b"\n(open)"
                    break
                if not data:
                    break
                received += data
        text = re.sub(r"(?m)^[\w-]+(?=: )", lambda found: found[0].lower(), received.decode().replace("\r\n", "\n"))
        return re.sub(r"(?mi)^(date|content-length|server): .*\n", "", text)

    def events(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, *, at_most: int = 10_000
    ) -> dict[str, Any]:
        """The answer's events, the first `at_most` of them: a list of name and data."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        for _ in range(100):
            content = json.dumps(body).encode()
            connection.request(method, path, content, {**JSON, **SSE, **(headers or {})})
            answer = connection.getresponse()
            if answer.status != 409:
                break
            answer.read()
            time.sleep(0.02)
        try:
            if answer.headers["Content-Type"] != "text/event-stream":
                return {**self._essence(answer.status, answer.headers, answer.read()), "events": []}
            found: list[Any] = []
            name = ""
            for line in answer:
                word, _, rest = line.decode().rstrip("\r\n").partition(":")
                if word == "event":
                    name = rest.strip()
                elif word == "data":
                    found.append([name, self.normal(json.loads(rest))])
                    if len(found) == at_most:
                        break
            return {"status": 200, "headers": _headers(200, answer.headers), "events": found}
        finally:
            connection.close()

    def events_later(self, *arguments: Any, **options: Any) -> concurrent.futures.Future[dict[str, Any]]:
        """`events`, on another thread."""
        return self._threads.submit(self.events, *arguments, **options)

    def calls(self, prefix: str, count: int = 0, seconds: float = 10) -> list[dict[str, Any]]:
        """What the receiver has got, when there are `count` calls or the prediction has ended."""
        found = []
        for call in self.receiver.wait(prefix, count, seconds):
            headers = {name: call["headers"].get(name) for name in ("content-type", "authorization", "traceparent")}
            content = call["content"]
            body = (
                self.normal(json.loads(content)) if headers["content-type"] == "application/json" else content.decode()
            )
            found.append({"method": call["method"], "path": call["path"], "headers": headers, "body": body})
        return found

    def exits(self, seconds: float = 10) -> int:
        """The exit status of the server."""
        return self.popen.wait(seconds)

    def normal(self, value: Any) -> Any:
        """`value` without what varies from one run to the next."""
        if isinstance(value, list):
            return [self.normal(item) for item in value]
        if isinstance(value, dict):
            found = {name: self.normal(item) for name, item in value.items()}
            if isinstance(found.get("metrics"), dict) and "predict_time" in found["metrics"]:
                found["metrics"]["predict_time"] = found["metrics"]["predict_time"] >= 0
            for moment in ("started_at", "completed_at"):
                if isinstance(found.get("setup"), dict) and moment in found["setup"]:
                    found["setup"][moment] = "a time"
            return found
        if not isinstance(value, str):
            return value
        value = value.replace(self.receiver.url, "RECEIVER").replace(str(self.folder), "FOLDER")
        value = TEMPORARY.sub("TEMPORARY/", value)
        value = re.sub(r"slot [0-9a-f-]{36}", "slot", value)
        return re.sub(r"^pred_[0-9a-f]{16,}$", "pred_", value)

    def _once(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            if body is None or isinstance(body, bytes):
                connection.request(method, path, body, headers or {})
            else:
                connection.request(method, path, json.dumps(body).encode(), {**JSON, **(headers or {})})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def _essence(self, status: int, headers: http.client.HTTPMessage, content: bytes) -> dict[str, Any]:
        try:
            body = self.normal(json.loads(content))
        except ValueError:
            # Where a mistake is, parsers count differently.
            body = self.normal(content.decode().partition(" at line ")[0])
        return {"status": status, "headers": _headers(status, headers), "body": body}


def _headers(status: int, headers: http.client.HTTPMessage) -> dict[str, str]:
    """After a refusal Cog closes the connection or not, as it happens: it depends on whether it has read the body."""
    return {name: headers[name] for name in HEADERS if name in headers and (status == 200 or name != "connection")}
