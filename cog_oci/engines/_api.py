"""The Docker Engine API (1.41 and later): JSON in, JSON out, and streams."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping

    from cog_oci.transports._daemon import Daemon

__all__ = ["Api", "ApiError", "Meanwhile"]

_HEAD_LIMIT = 1 << 16
_BAD_REQUEST = 400


class ApiError(Exception):
    """What the daemon said no to: the HTTP status, 0 when it could not be asked, and its words."""

    def __init__(self, status: int, message: str) -> None:
        self.status, self.message = status, message
        super().__init__(message)


class Meanwhile:
    """Something that is done while an answer is waited for; what it raises is told after that, when there is room.

    So is an interruption, Ctrl-C or a signal that ends us: what the daemon is making can be removed once it has a name.
    """

    def __init__(self, what: Callable[[], None]) -> None:
        self._what = what
        self._raised: BaseException | None = None

    def do(self) -> None:
        """Whatever is raised is kept."""
        try:
            self._what()
        except BaseException as error:  # noqa: BLE001 - Ctrl-C, too, leaves the daemon with a container to remove
            self._raised = error

    def receive(self, stream: socket.socket, size: int) -> bytes:
        """As `stream.recv`; who interrupts twice is not kept waiting."""
        try:
            return stream.recv(size)
        except (KeyboardInterrupt, SystemExit) as error:
            if isinstance(self._raised, (KeyboardInterrupt, SystemExit)):
                raise
            self._raised = error
            return stream.recv(size)

    def check(self) -> None:
        """Raise what was raised."""
        if self._raised is not None:
            raise self._raised


class Api:
    """What is asked of one daemon."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = 60,
        meanwhile: Meanwhile | None = None,
        **query: str | int,
    ) -> bytes:
        """The body of the answer. `timeout` is in seconds, None waits for ever. Raises ApiError.

        `meanwhile` is done when all has been asked, and the answer waited for after it, also by who is interrupted.
        """
        data = b"" if body is None else json.dumps(body).encode()
        # The answer to 1.0 has no chunks and ends with the connection (RFC 9112 §9.3).
        fields = {
            "Host": "docker",
            "Content-Type": "application/json",
            "Content-Length": str(len(data)),
            **(headers or {}),
        }
        lines = [f"{method} {_target(path, query)} HTTP/1.0", *(f"{name}: {value}" for name, value in fields.items())]
        head = "\r\n".join([*lines, "", ""])
        try:
            with self._connect(timeout) as stream:
                stream.sendall(head.encode() + data)
                if meanwhile is not None:
                    meanwhile.do()
                receive = stream.recv if meanwhile is None else partial(meanwhile.receive, stream)
                answer = b"".join(iter(lambda: receive(1 << 16), b""))
        except OSError as error:
            raise ApiError(0, str(error) or type(error).__name__) from None
        status, content = _split(answer)
        if status >= _BAD_REQUEST:
            raise ApiError(status, _message(content))
        return content

    def ask(self, method: str, path: str, body: object = None, *, meanwhile: Meanwhile | None = None) -> Any:
        """The answer as JSON. Raises ApiError."""
        content = self.call(method, path, body, meanwhile=meanwhile)
        try:
            return json.loads(content)
        except ValueError:
            raise ApiError(0, "its answer breaks off") from None

    def tell(self, method: str, path: str, **query: str | int) -> None:
        """Ask, and do not wait for the answer: who asked has nothing to say to any. Raises ApiError."""
        head = f"{method} {_target(path, query)} HTTP/1.0\r\nHost: docker\r\nContent-Length: 0\r\n\r\n"
        try:
            with self._connect(60) as stream:
                stream.sendall(head.encode())
        except OSError as error:
            raise ApiError(0, str(error)) from None

    def upgrade(self, path: str, **query: str | int) -> tuple[socket.socket, bytes]:
        """A connection that has become a stream, both ways, and what came with the head of the answer."""
        stream = self._connect(60)
        try:
            stream.sendall(
                f"POST {_target(path, query)} HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
                "Content-Length: 0\r\n\r\n".encode()
            )
            head = b""
            while b"\r\n\r\n" not in head and len(head) < _HEAD_LIMIT:
                data = stream.recv(4096)
                if not data:
                    break
                head += data
            stream.settimeout(None)
        except OSError as error:
            stream.close()
            raise ApiError(0, str(error)) from None
        try:
            status, rest = _split(head)
        except ApiError:
            stream.close()
            raise
        if status not in {101, 200}:
            stream.close()
            raise ApiError(status, _message(rest))
        return stream, rest

    def _connect(self, timeout: float | None) -> socket.socket:
        try:
            return self._daemon.connect(timeout)
        except OSError as error:
            raise ApiError(0, str(error)) from None


def _split(answer: bytes) -> tuple[int, bytes]:
    """Status and body."""
    head, _, body = answer.partition(b"\r\n\r\n")
    words = head.split(None, 2)
    if not head.startswith(b"HTTP/1.") or len(words) < 2 or not words[1].isdigit():
        raise ApiError(0, "it does not speak HTTP")
    return int(words[1]), body


def _target(path: str, query: dict[str, str | int]) -> str:
    return path + (f"?{urlencode(query)}" if query else "")


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body.decode("utf-8", "replace").strip() or "it said nothing"
