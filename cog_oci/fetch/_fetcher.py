"""Downloads into a store: each is tried again, and goes on where it broke off."""

from __future__ import annotations

import hashlib
from threading import Event, Lock
from typing import TYPE_CHECKING

from cog_oci.errors import CogError
from cog_oci.fetch._failures import FetchError, NotFoundError, OfflineError, redacted
from cog_oci.fetch._session import new_session
from cog_oci.oci import Digest
from cog_oci.progress import SILENT
from cog_oci.store import DigestMismatchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    import requests

    from cog_oci.lock import Artifact
    from cog_oci.progress import Progress, Task
    from cog_oci.store import Incoming, Store

__all__ = ["Fetcher"]

_PARALLEL = 8
_ATTEMPTS = 5
_TIMEOUT = (15.0, 60.0)  # seconds to connect, and between two reads
_CHUNK = 1 << 18
_LARGEST = 1 << 30  # bytes of a file whose size nobody has said
_WHOLE = {"Accept-Encoding": "identity"}
"""What it is compressed with on the wire is not ours to undo: a hash is over the file."""
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})


class _Cancelled(Exception):  # noqa: N818 - a signal between threads, not an error
    """Another download has failed, or the user interrupted."""


class Fetcher:
    """Downloads into a store. One for a command; its connections are shared by its threads.

    One that is `offline` has what the store has and raises OfflineError for everything else. When `given_up` is set,
    by any thread, what is being fetched ends.
    """

    def __init__(
        self, store: Store, progress: Progress = SILENT, *, offline: bool = False, given_up: Event | None = None
    ) -> None:
        self._store = store
        self._offline = offline
        self._progress = progress
        self._cancelled = given_up or Event()
        self._lock = Lock()
        self._shared: requests.Session | None = None
        self._trusted: frozenset[str] = frozenset()

    def trust(self, hosts: Iterable[str]) -> None:
        """Speak TLS with these without a look at their certificates: `host` with any port, or `host:port`.

        Whoever such a server sends us to is looked at; what has a hash is verified all the same.
        """
        with self._lock:
            self._trusted |= {host.lower() for host in hosts}

    def get(self, url: str, *, limit: int, accept: str | None = None, name: str | None = None) -> bytes:
        """The body at `url`, at most `limit` bytes; for documents whose hash is not known before they are read.

        Raises NotFoundError on 404 and 410, FetchError on everything else that stays wrong after retries.
        """
        name = name or redacted(url).rsplit("/", 1)[-1]
        headers = {"Accept": accept} if accept else {}
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                body = bytearray()
                for chunk in self._stream(name, url, headers, decode=True):
                    body += chunk
                    if len(body) > limit:
                        raise FetchError(name, url, f"it is larger than {limit} bytes")
                return bytes(body)
            except _TransientError as error:
                self._pause(error, attempt, name, url)
        raise AssertionError("unreachable: the last attempt raises")

    def blob(self, name: str, urls: Iterable[str], digest: Digest, size: int | None) -> Path:
        """Bring one blob into the store, trying the addresses in order; a blob that is there is not fetched again.

        `size` is in bytes; None where only the digest is known. Raises DigestMismatchError when an address serves other
        bytes, FetchError when none serves any.
        """
        if self._store.has(digest, size):
            return self._store.path(digest)
        missing: FetchError | None = None
        with self._progress.task(name, size) as task:
            for url in urls:
                try:
                    return self._download(name, url, digest, size, task)
                except NotFoundError as error:
                    missing = missing or error
        raise missing or CogError(f"{name}: no address is known for it")

    def unknown(self, name: str, url: str) -> tuple[Digest, int]:
        """Bring what is at `url` into the store, whatever it is: its digest, and its size in bytes.

        Only for what somebody names by its address alone, to lock it. Raises what `blob` raises.
        """
        try:
            size: int | None = self.size(name, url)
        except FetchError:  # it need not say that; what is wrong besides comes up again
            size = None
        with self._progress.task(name, size or 0) as task:
            path = self._download(name, url, None, size, task)
        return Digest(f"sha256:{path.name}"), path.stat().st_size

    def size(self, name: str, url: str) -> int:
        """How many bytes are at `url`, as the server says before it sends them; raises what `blob` raises."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._length(name, url)
            except _TransientError as error:
                self._pause(error, attempt, name, url)
        raise AssertionError("unreachable: the last attempt raises")

    def artifacts(self, artifacts: Iterable[Artifact], locate: Callable[[Artifact], Iterable[str]]) -> None:
        """Bring all of them into the store, in parallel; the first failure ends the rest."""
        wanted = [item for item in artifacts if not self._store.has(item.digest, item.size)]
        if not wanted:
            return
        if self._offline:
            raise OfflineError(sorted(item.file.rsplit("/", 1)[-1] for item in wanted))
        from concurrent.futures import ThreadPoolExecutor, as_completed  # noqa: PLC0415 - what is there needs no threads

        total = sum(item.size for item in wanted)
        self._progress.say(f"fetching {len(wanted)} file{'s' if len(wanted) > 1 else ''}, {total / 1e6:.1f} MB")
        with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="fetch") as pool:
            # The largest first: the last one to finish is then a small one.
            jobs = [
                pool.submit(self._artifact, item, locate)
                for item in sorted(wanted, key=lambda item: (-item.size, item.sha256))
            ]
            try:
                for job in as_completed(jobs):
                    job.result()
            except BaseException:
                self._cancelled.set()
                pool.shutdown(wait=True, cancel_futures=True)
                self._cancelled.clear()
                raise

    def _artifact(self, item: Artifact, locate: Callable[[Artifact], Iterable[str]]) -> None:
        self.blob(item.file.rsplit("/", 1)[-1], locate(item), item.digest, item.size)

    def _length(self, name: str, url: str) -> int:
        if self._offline:
            raise OfflineError([name])
        import requests  # noqa: PLC0415 - as in _stream

        try:
            # Not HEAD, which not every server answers, nor every signed address allows.
            with self._asked(name, url, _WHOLE) as response:
                self._check(response, name, url)
                length = response.headers.get("Content-Length", "")
        except requests.RequestException as error:
            raise _TransientError(_reason(error)) from error
        if not length.isdigit():
            raise FetchError(name, url, "the server does not say how large it is")
        return int(length)

    def _download(self, name: str, url: str, digest: Digest | None, size: int | None, task: Task) -> Path:
        with self._store.incoming() as incoming:
            body = _Body(incoming, task)
            for attempt in range(1, _ATTEMPTS + 1):
                try:
                    self._fill(body, name, url, size)
                    break
                except _TransientError as error:
                    self._pause(error, attempt, name, url)
                except BaseException:
                    task.advance(-body.size)
                    raise
            if digest is not None and body.digest != digest:
                task.advance(-body.size)
                raise DigestMismatchError(name, expected=digest, actual=body.digest)
            return incoming.commit(body.digest)

    def _fill(self, body: _Body, name: str, url: str, size: int | None) -> None:
        """Read from where the last attempt ended; a server that ignores Range makes us begin anew (RFC 9110 §14)."""
        headers = {**_WHOLE, **({"Range": f"bytes={body.size}-"} if body.size else {})}
        for chunk in self._stream(name, url, headers, decode=False, restart=body.restart, size=size):
            body.write(chunk)
            if body.size > (_LARGEST if size is None else size):
                raise DigestMismatchError(name, expected=f"{_LARGEST if size is None else size} bytes", actual="more")
        if size is not None and body.size < size:
            raise _TransientError(f"the connection ended after {body.size} of {size} bytes")

    def _stream(
        self,
        name: str,
        url: str,
        headers: Mapping[str, str],
        *,
        decode: bool,
        restart: Callable[[], None] = lambda: None,
        size: int | None = None,
    ) -> Iterator[bytes]:
        if self._offline:
            raise OfflineError([name])
        import requests  # noqa: PLC0415 - costs 60 ms, and a build that has everything never comes here
        import urllib3  # noqa: PLC0415 - likewise

        try:
            with self._asked(name, url, headers) as response:
                self._check(response, name, url)
                if "Range" in headers and response.status_code != requests.codes.partial_content:
                    restart()
                if size is not None and (said := _said_size(response)) not in {None, size}:
                    # Another file, a mirror's next state for one: no use in asking again, or in reading it.
                    raise DigestMismatchError(name, expected=f"{size} bytes", actual=f"{said}")
                # What has arrived, not a full buffer: an interrupt must not wait for a slow server.
                while chunk := response.raw.read1(_CHUNK, decode_content=decode):
                    if self._cancelled.is_set():
                        raise _Cancelled
                    yield chunk
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise _TransientError(_reason(error)) from error

    def _asked(self, name: str, url: str, headers: Mapping[str, str]) -> requests.Response:
        try:
            return self._session().get(url, headers=headers, stream=True, timeout=_TIMEOUT)
        except ValueError as error:  # so are requests' own for an address, and Python's for one that it cannot read
            raise FetchError(name, url, "this is not an address that can be fetched") from error

    def _check(self, response: requests.Response, name: str, url: str) -> None:
        status = response.status_code
        if status in _RETRIED:
            after = response.headers.get("Retry-After", "")
            raise _TransientError(f"HTTP {status}", wait=float(after) if after.isdigit() else None)
        if status in {404, 410}:
            raise NotFoundError(name, url, f"HTTP {status}")
        if status >= 400:
            raise FetchError(name, url, f"HTTP {status} {response.reason}")

    def _pause(self, error: _TransientError, attempt: int, name: str, url: str) -> None:
        if attempt == _ATTEMPTS:
            raise FetchError(name, url, str(error)) from error
        wait = error.wait if error.wait is not None else 0.25 * 2**attempt
        if self._cancelled.wait(min(wait, 60.0)):
            raise _Cancelled

    def _session(self) -> requests.Session:
        with self._lock:
            if self._shared is None:
                self._shared = new_session(_PARALLEL, lambda: self._trusted)
            return self._shared


class _TransientError(Exception):
    """Worth another try; `wait` is what the server asked for, in seconds."""

    def __init__(self, reason: str, *, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


class _Body:
    """A file being filled, with its hash and its length."""

    def __init__(self, incoming: Incoming, task: Task) -> None:
        self._incoming, self._task = incoming, task
        self._hash = hashlib.sha256()
        self.size = 0

    @property
    def digest(self) -> Digest:
        return Digest("sha256:" + self._hash.hexdigest())

    def write(self, chunk: bytes) -> None:
        self._incoming.write(chunk)
        self._hash.update(chunk)
        self.size += len(chunk)
        self._task.advance(len(chunk))

    def restart(self) -> None:
        self._task.advance(-self.size)
        self._incoming.file.seek(0)
        self._incoming.file.truncate()
        self._hash, self.size = hashlib.sha256(), 0


def _reason(error: Exception) -> str:
    """The innermost cause, in its own words, without the address (which may carry a password)."""
    cause: BaseException = error
    while (inner := cause.__cause__ or cause.__context__) is not None:
        cause = inner
    return f"{type(cause).__name__}: {cause}" if not isinstance(cause, OSError) else (cause.strerror or str(cause))


def _said_size(response: requests.Response) -> int | None:
    """How large the server says that the whole file is, in bytes; None where it does not say (RFC 9110 §8.6, §14.4)."""
    if response.status_code == 206:
        said = response.headers.get("Content-Range", "").rpartition("/")[2]
    else:
        said = "" if "Content-Encoding" in response.headers else response.headers.get("Content-Length", "")
    return int(said) if said.isdecimal() else None
