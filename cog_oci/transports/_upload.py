"""One blob on its way into a repository (distribution-spec v1.1, "pushing blobs").

A blob of moderate size goes in one request, a large one in chunks. Where a connection breaks, the registry is asked
what it has, and the rest is sent; only a registry that has forgotten the session is sent the blob from the start.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from cog_oci.errors import CogError
from cog_oci.store import DigestMismatchError
from cog_oci.transports._failures import RegistryError, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    import requests

    from cog_oci.oci import Descriptor
    from cog_oci.progress import Task
    from cog_oci.transports._distribution import Repository

__all__ = ["Limits", "Upload"]

_PIECE = 512 << 10  # bytes that are read and handed to the connection at a time
_FAILURES = 8  # one after another, none of which has brought the blob further
_ASKED = 5  # times that a registry is asked how much it has
_STREAM = {"Content-Type": "application/octet-stream"}


@dataclass(frozen=True, slots=True)
class Limits:
    """How a blob is cut, in bytes, and how many are sent at once; the names and numbers are Cog's."""

    concurrency: int = 5
    chunk: int = 96 << 20
    threshold: int = 128 << 20

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Limits:
        """From COG_PUSH_CONCURRENCY, COG_PUSH_DEFAULT_CHUNK_SIZE and COG_PUSH_MULTIPART_THRESHOLD.

        Raises CogError for what is no number.
        """

        def number(name: str, otherwise: int) -> int:
            text = environment.get(name, "")
            if text and not re.fullmatch(r"[1-9][0-9]{0,14}", text):
                raise CogError(f"{name} must be a whole number above 0, not {text!r}")
            return int(text or otherwise)

        return cls(
            number("COG_PUSH_CONCURRENCY", cls().concurrency),
            number("COG_PUSH_DEFAULT_CHUNK_SIZE", cls().chunk),
            number("COG_PUSH_MULTIPART_THRESHOLD", cls().threshold),
        )


@dataclass(slots=True)
class _Session:
    """What the registry has said of an upload: where it goes on, from which byte, how large chunks may be."""

    url: str
    offset: int = 0
    shortest: int = 0
    longest: int = 1 << 62

    @classmethod
    def of(cls, response: requests.Response, repository: Repository) -> _Session:
        session = cls(repository.location(response))
        # The second is Cog's own; no registry has to know it.
        session.shortest = _length(response, "OCI-Chunk-Min-Length", session.shortest)
        session.longest = max(_length(response, "OCI-Chunk-Max-Length", session.longest), 1)
        return session


class Upload:
    """A blob that lies in a file, and the registry's side of it. `wire` counts the bytes sent, repeats included.

    `watch` is called before every piece; what it raises ends the upload.
    """

    def __init__(
        self,
        repository: Repository,
        descriptor: Descriptor,
        path: Path,
        limits: Limits,
        task: Task,
        watch: Callable[[], None],
    ) -> None:
        self._repository, self._blob, self._path, self._limits = repository, descriptor, path, limits
        self._task, self._watch = task, watch
        self._session: _Session | None = None
        self._shown = 0
        self.wire = 0

    def run(self, opened: requests.Response | None = None) -> None:
        """Send the blob, until the registry says that it has it; `opened` is the answer that began a session.

        Raises RegistryError and LoginError, and DigestMismatchError when the file is not the blob any more.
        """
        if opened is not None:
            self._session = _Session.of(opened, self._repository)
        furthest = failures = 0
        while True:
            try:
                self._send()
            except TransientError as trouble:
                error, pause = trouble.error, trouble.pause
            except RegistryError as refused:
                if not self._restarts(refused):
                    raise
                error, pause = refused, None
            else:
                return
            acknowledged = self._session.offset if self._session else 0
            failures = 1 if acknowledged > furthest else failures + 1
            furthest = max(furthest, acknowledged)
            if failures >= _FAILURES:
                raise error
            if pause:
                pause(failures)
            if self._arrived():
                return

    def moved(self, position: int, size: int) -> None:
        """`size` more bytes, up to `position` of the blob, are handed to the connection."""
        self._watch()
        self.wire += size
        self._show(position)

    def _show(self, position: int) -> None:
        self._task.advance(position - self._shown)
        self._shown = position

    def _send(self) -> None:
        """The rest of the blob, in the session or in a new one."""
        if self._session is None:
            self._session = _open(self._repository)
        session = self._session
        size = self._blob.size
        if session.offset == 0 and 0 < size <= min(self._limits.threshold, session.longest):
            self._finish(session, _Part(self, self._path, 0, size))
            return
        chunk = max(min(self._limits.chunk, session.longest), session.shortest)
        while session.offset < size:
            self._patch(session, min(session.offset + chunk, size))
        self._finish(session, b"")

    def _patch(self, session: _Session, stop: int) -> None:
        start = session.offset
        headers = {**_STREAM, "Content-Range": f"{start}-{stop - 1}"}
        with self._repository.once("PATCH", session.url, headers, _Part(self, self._path, start, stop)) as response:
            got = _acknowledged(response)
            session.url = self._repository.location(response)
        if got is None or got > stop:
            raise _Forgotten(session.url, f"it says that it has {got} bytes of a blob, after {stop} were sent")
        if got <= start:
            raise TransientError(RegistryError(session.url, f"it has {got} bytes of a blob, after {stop} were sent"))
        session.offset = got
        self._show(got)

    def _finish(self, session: _Session, body: _Part | bytes) -> None:
        url = f"{session.url}{'&' if '?' in session.url else '?'}digest={self._blob.digest}"
        with self._repository.once("PUT", url, _STREAM, body) as response:
            status, kept = response.status_code, response.headers.get("Docker-Content-Digest", self._blob.digest)
        if status not in {HTTPStatus.CREATED, HTTPStatus.NO_CONTENT}:
            raise _Forgotten(session.url, f"it ends the upload of a blob with HTTP {status}, not with 201")
        if kept != self._blob.digest:
            raise _Forgotten(session.url, f"it has kept {kept[:80]!r} in place of {self._blob.digest}")

    def _restarts(self, refused: RegistryError) -> bool:
        """Whether a refusal is about the session, and another one may go well."""
        if refused.code == "DIGEST_INVALID":
            self._check_file()
        elif refused.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return True  # it has another number of bytes than we think: it is asked
        elif not isinstance(refused, _Forgotten) and not (
            refused.status == HTTPStatus.NOT_FOUND or refused.code.startswith("BLOB_UPLOAD_")
        ):
            return False
        elif self._session is None:
            return False  # not even a session can be had
        self._session = None
        return True

    def _check_file(self) -> None:
        with self._path.open("rb") as file:
            actual = "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
        if actual != self._blob.digest:
            raise DigestMismatchError(str(self._path), expected=self._blob.digest, actual=actual)

    def _arrived(self) -> bool:
        """After a failure: whether the blob is there after all; if not, the session is what the registry has of it."""
        if self._session is not None and self._goes_on(self._session):
            return False
        # With nothing acknowledged a new session costs nothing, and is sure to have nothing.
        self._session = None
        self._show(0)
        return self._repository.has_blob(self._blob.digest)

    def _goes_on(self, session: _Session) -> bool:
        """Whether the registry has a part of the blob in this session, from whose end it is gone on."""
        for attempt in range(1, _ASKED + 1):
            try:
                with self._repository.once("GET", session.url, {}) as response:
                    session.offset = _acknowledged(response) or 0
                    if "Location" in response.headers:
                        session.url = self._repository.location(response)
            except RegistryError:
                return False
            except TransientError as trouble:
                trouble.pause(attempt)
            else:
                self._show(session.offset)
                return 0 < session.offset <= self._blob.size
        return False


class _Forgotten(RegistryError):  # noqa: N818 - what the registry did
    """The session cannot be gone on with."""


class _Part:
    """Some bytes of a file as the body of a request, never in memory whole."""

    def __init__(self, upload: Upload, path: Path, start: int, stop: int) -> None:
        self._upload, self._path = upload, path
        self._start, self._stop = start, stop

    def __len__(self) -> int:
        return self._stop - self._start

    def __iter__(self) -> Iterator[bytes]:
        position = self._start
        with self._path.open("rb", buffering=0) as file:
            file.seek(position)
            while position < self._stop:
                data = file.read(min(_PIECE, self._stop - position))
                if not data:
                    raise CogError(f"{self._path} has become shorter while it was sent", hint="build the image again")
                position += len(data)
                self._upload.moved(position, len(data))
                yield data


def _open(repository: Repository) -> _Session:
    with repository.request("POST", "blobs/uploads/", {}, "pull,push") as response:
        return _Session.of(response, repository)


def _acknowledged(response: requests.Response) -> int | None:
    """How many bytes the registry has, from `Range: 0-N`; of `0-0` nobody knows whether it means one byte or none."""
    match = re.fullmatch(r"(?:bytes=)?0-(\d{1,18})", response.headers.get("Range", ""))
    if match is None:
        return None
    return int(match[1]) + 1 if match[1] != "0" else 0


def _length(response: requests.Response, name: str, otherwise: int) -> int:
    text = response.headers.get(name, "")
    return int(text) if re.fullmatch(r"\d{1,15}", text) else otherwise
