"""HTTP/1.1 (RFC 9112) with a daemon, as far as one request needs it; light, as it is spoken early."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from cog_oci.transports._daemon import Daemon

__all__ = ["NotHttpError", "Request"]

_TIMEOUT = 600.0  # seconds for one answer: a load unpacks gigabytes before it says anything
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r]")
_LARGE = 1 << 16  # bytes that are not worth a copy


class NotHttpError(OSError):
    """An answer that is no HTTP."""

    def __init__(self) -> None:
        super().__init__("it does not speak HTTP")


class Request:
    """A request whose head is sent: what is written next is its body; a context, as it owns a connection.

    Raises OSError for whatever keeps the daemon from being spoken to.
    """

    def __init__(self, daemon: Daemon, method: str, target: str) -> None:
        self._socket = daemon.connect(_TIMEOUT)
        try:
            if method == "GET":
                # The answer to 1.0 has no chunks and ends with the connection (§9.3 of RFC 9112).
                head = f"GET {target} HTTP/1.0\r\n\r\n"
            else:
                head = (
                    f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                    "Content-Type: application/x-tar\r\nTransfer-Encoding: chunked\r\n\r\n"
                )
            self._socket.sendall(head.encode("ascii"))
        except BaseException:
            self._socket.close()
            raise

    def write(self, data: bytes) -> int:
        """More of the body, as a chunk (§7.1)."""
        if len(data) < _LARGE:
            if data:
                self._socket.sendall(b"%x\r\n%b\r\n" % (len(data), data))
        else:
            self._socket.sendall(b"%x\r\n" % len(data))
            self._socket.sendall(data)
            self._socket.sendall(b"\r\n")
        return len(data)

    def writelines(self, pieces: Iterable[bytes]) -> None:
        """All of these."""
        for piece in pieces:
            self.write(piece)

    def flush(self) -> None:
        """Everything has been sent."""

    def end(self) -> None:
        """The body is whole."""
        self._socket.sendall(b"0\r\n\r\n")

    def short_answer(self) -> tuple[int, bytes]:
        """Status and body of the answer to a GET."""
        data = b"".join(iter(lambda: self._socket.recv(1 << 16), b""))
        head, _, body = data.partition(b"\r\n\r\n")
        status = _STATUS.match(head)
        if status is None:
            raise NotHttpError
        return int(status[1]), body

    def answer(self) -> tuple[int, bytes]:
        """Status and body of any answer."""
        from http.client import HTTPException, HTTPResponse  # noqa: PLC0415 - while the daemon works there is time

        response = HTTPResponse(self._socket)
        try:
            response.begin()
            return response.status, response.read()
        except HTTPException as error:
            raise NotHttpError from error

    def close(self) -> None:
        """Whatever was not sent is not sent, and the daemon forgets the rest."""
        self._socket.close()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()
