"""An image straight into a Docker daemon, without the layers that it has (Docker Engine API, /images/load).

The daemon looks for each layer by the chain of diff IDs below it before it looks into the archive; what it finds there
need not be in the archive at all. Shown on 20.10's store, and on containerd's.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from cog_oci.errors import CogError
from cog_oci.progress import SILENT
from cog_oci.transports import archive
from cog_oci.transports._daemon import Daemon, find_daemon
from cog_oci.transports._unix_http import Request

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

    from cog_oci.progress import Progress
    from cog_oci.store import Store
    from cog_oci.transports.archive import Archive

__all__ = ["Docker", "DockerError"]

_OK, _NOT_FOUND = 200, 404
_OURS = '{"label":["run.cog.config"]}'
_MUCH = 1 << 20  # bytes: less is sent sooner than it is found out whether that is needed
_MOST = 100  # images that are looked at
_UNESCAPED = str.maketrans({"[": "%5B", "]": "%5D"})  # of the characters of a reference, those that no path may have


class DockerError(CogError):
    """The daemon could not be asked, or refused."""

    def __init__(self, address: str, reason: str) -> None:
        self.address, self.reason = address, reason
        super().__init__(
            f"the Docker daemon at {address}: {reason}",
            hint="write an archive (`cog-oci image -o image.tar`) and load it with `docker load -i image.tar`",
        )


class Docker:
    """The daemon that is given, or that which DOCKER_HOST or a context names; a context, as it owns connections."""

    def __init__(self, host: Daemon | str | None = None) -> None:
        self._daemon = host if isinstance(host, Daemon) else Daemon(host) if host else find_daemon()
        self.address = self._daemon.address
        self._looking: dict[str, Request] = {}
        self._loading: Request | None = None

    def expect(self, name: str) -> None:
        """An image of this name is going to be loaded: the daemon gets ready for it, which takes it a while.

        It begins to unpack as soon as it has seen the first bytes. When no load follows, it forgets about it at the end
        of the context. Raises DockerError.
        """
        self._looking[name] = self._look(name)
        self._loading = self._begin()

    def load(self, whole: Archive, store: Store, progress: Progress = SILENT, *, relatives: Sequence[str] = ()) -> int:
        """Load the image under its name; how many bytes of layers went over. Raises DockerError.

        What the image of that name has in common with this one, from the bottom up, stays where it is; so does what
        one of its `relatives` has, and where much is left after that, what any image that cog-oci or Cog has made has.
        When the daemon lost a layer meanwhile, or the patience for what it was to expect, everything is sent.
        """
        there = [self._layers(name) for name in (whole.reference.familiar, *relatives)]
        sparse = whole.beyond(*there)
        if sum(blob.size for blob in sparse.blobs) > _MUCH:
            sparse = whole.beyond(*there, *self._others())
        begun, self._loading = self._loading, None
        try:
            return self._load(begun or self._begin(), sparse, store, progress)
        except DockerError:
            if not sparse.left_out and begun is None:
                raise
            return self._load(self._begin(), whole, store, progress)

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close what is open."""
        for request in (*self._looking.values(), self._loading):
            if request is not None:
                request.close()

    def _look(self, name: str) -> Request:
        return self._ask("GET", f"/images/{name.translate(_UNESCAPED)}/json")

    def _begin(self) -> Request:
        request = self._ask("POST", "/images/load?quiet=1")
        with suppress(BrokenPipeError, ConnectionResetError):  # the daemon has said why
            archive.begin(request)  # type: ignore[arg-type]  # a sink is all it needs
        return request

    def _ask(self, method: str, target: str) -> Request:
        try:
            return Request(self._daemon, method, target)
        except OSError as error:
            raise self._lost(error) from None

    def _layers(self, name: str) -> list[str]:
        """The diff IDs of an image, bottom up; none when there is no such image."""
        with self._looking.pop(name, None) or self._look(name) as asked:
            try:
                status, body = asked.short_answer()
            except OSError as error:
                raise self._lost(error) from None
        if status == _NOT_FOUND:
            return []
        if status != _OK:
            raise DockerError(self.address, _message(body))
        return list((json.loads(body).get("RootFS") or {}).get("Layers") or [])

    def _others(self) -> Iterator[list[str]]:
        """The diff IDs of the images with a label of Cog's, but for those that the daemon cannot show."""
        for one in self._with_label():
            with suppress(DockerError):
                yield self._layers(one)

    def _with_label(self) -> list[str]:
        """Images with a label of Cog's, by their ids."""
        with self._ask("GET", f"/images/json?filters={quote(_OURS)}") as asked:
            try:
                status, body = asked.short_answer()
            except OSError as error:
                raise self._lost(error) from None
        with suppress(ValueError, TypeError, KeyError):
            return [str(one["Id"]) for one in json.loads(body)][:_MOST] if status == _OK else []
        return []  # whoever does not answer this is sent more than need be

    def _load(self, request: Request, whole: Archive, store: Store, progress: Progress) -> int:
        with request:
            try:
                try:
                    archive.write(request, whole, store, progress, begun=True)  # type: ignore[arg-type]  # as in _begin
                    request.end()
                except (BrokenPipeError, ConnectionResetError):
                    pass  # the daemon has said why
                status, body = request.answer()
            except OSError as error:
                raise self._lost(error) from None
        if status != _OK or any("error" in row for row in _rows(body)):
            raise DockerError(self.address, _message(body))
        return sum(blob.size for blob in whole.blobs)

    def _lost(self, error: OSError) -> DockerError:
        return DockerError(self.address, str(error) or type(error).__name__)


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
