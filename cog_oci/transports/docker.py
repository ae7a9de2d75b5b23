"""An image straight into a Docker daemon, without the layers that it has (Docker Engine API, /images/load).

The daemon looks for each layer by the chain of diff IDs below it before it looks into the archive; what it finds there
need not be in the archive at all. Shown on 20.10's store, and on containerd's.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from cog_oci.errors import CogError
from cog_oci.progress import SILENT
from cog_oci.transports import archive

if TYPE_CHECKING:
    from collections.abc import Callable

    from cog_oci.oci import DiffID, StoredImage
    from cog_oci.progress import Progress
    from cog_oci.store import Store
    from cog_oci.transports.archive import Archive

__all__ = ["Docker", "DockerError"]

_SOCKET = "/var/run/docker.sock"
_TIMEOUT = 600.0  # seconds for one answer: a load unpacks gigabytes before it says anything


class DockerError(CogError):
    """The daemon could not be asked, or refused."""

    def __init__(self, address: str, reason: str) -> None:
        self.address, self.reason = address, reason
        super().__init__(
            f"the Docker daemon at {address}: {reason}",
            hint="write an archive (`cog-oci image -o image.tar`) and load it with `docker load -i image.tar`",
        )


class Docker:
    """The daemon of this host, or the one that DOCKER_HOST names by a unix socket."""

    def __init__(self, host: str | None = None) -> None:
        self.address = host or os.environ.get("DOCKER_HOST") or f"unix://{_SOCKET}"
        if not self.address.startswith("unix://"):
            raise DockerError(self.address, "only unix:// addresses are spoken to")
        self._path = self.address.removeprefix("unix://")

    def load(self, whole: Archive, store: Store, progress: Progress = SILENT) -> int:
        """Load the image under its name; how many bytes of layers went over. Raises DockerError.

        What the image of that name has in common with this one, from the bottom up, stays where it is. When the daemon
        lost a layer meanwhile, everything is sent.
        """
        there = self._layers(whole.reference.familiar)
        sparse = replace(whole, left_out=_common(whole.images[0], there))
        try:
            return self._load(sparse, store, progress)
        except DockerError:
            if not sparse.left_out:
                raise
            return self._load(whole, store, progress)

    def _layers(self, name: str) -> list[str]:
        """The diff IDs of an image, bottom up; none when there is no such image."""
        status, body = self._ask("GET", f"/images/{quote(name, safe='')}/json")
        if status == http.client.NOT_FOUND:
            return []
        if status != http.client.OK:
            raise DockerError(self.address, _message(body))
        return list(json.loads(body).get("RootFS", {}).get("Layers") or [])

    def _load(self, whole: Archive, store: Store, progress: Progress) -> int:
        def send(connection: http.client.HTTPConnection) -> None:
            archive.write(_Chunks(connection), whole, store, progress)  # type: ignore[arg-type]  # a sink is all it needs

        status, body = self._ask("POST", "/images/load?quiet=1", send)
        failed = status != http.client.OK or any("error" in row for row in _rows(body))
        if failed:
            raise DockerError(self.address, _message(body))
        return sum(blob.size for blob in whole.blobs)

    def _ask(
        self, method: str, path: str, send: Callable[[http.client.HTTPConnection], None] | None = None
    ) -> tuple[int, bytes]:
        connection = _Unix(self._path)
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            if send is not None:
                connection.putheader("Content-Type", "application/x-tar")
                connection.putheader("Transfer-Encoding", "chunked")
            connection.endheaders()
            if send is not None:
                try:
                    send(connection)
                    connection.send(b"0\r\n\r\n")
                except (BrokenPipeError, ConnectionResetError):
                    pass  # the daemon has said why
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise DockerError(self.address, str(error) or type(error).__name__) from None
        finally:
            connection.close()


class _Unix(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_TIMEOUT)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class _Chunks:
    """A sink that sends what is written as chunks (RFC 9112 §7.1)."""

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        self._connection = connection

    def write(self, data: bytes) -> int:
        if data:
            self._connection.send(b"%x\r\n" % len(data))
            self._connection.send(data)
            self._connection.send(b"\r\n")
        return len(data)

    def writelines(self, pieces: Any) -> None:
        for piece in pieces:
            self.write(piece)

    def flush(self) -> None:
        """Everything has been sent."""


def _common(image: StoredImage, there: list[str]) -> frozenset[DiffID]:
    """The diff IDs that both have, counted from the bottom up to the first that differs."""
    same = 0
    for layer, other in zip(image.layers, there, strict=False):
        if layer.diff_id != other:
            break
        same += 1
    above = {layer.diff_id for layer in image.layers[same:]}
    return frozenset(layer.diff_id for layer in image.layers[:same]) - above


def _rows(body: bytes) -> list[dict[str, Any]]:
    """The daemon's answer: JSON objects, one after another."""
    rows = []
    for line in body.splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            rows.append(row)
    return rows


def _message(body: bytes) -> str:
    for row in _rows(body):
        if text := row.get("error") or row.get("message"):
            return str(text)
    return body.decode("utf-8", "replace").strip() or "it said nothing"
