"""Blobs from the store into a repository: what is there is not sent, and what is near is mounted."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TYPE_CHECKING, Literal, Self

from cog_oci.errors import CogError
from cog_oci.progress import SILENT
from cog_oci.transports._authorization import LoginError
from cog_oci.transports._failures import RegistryError
from cog_oci.transports._upload import Limits, Upload
from cog_oci.transports._whereabouts import Whereabouts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from concurrent.futures import Future
    from pathlib import Path
    from types import TracebackType

    import requests

    from cog_oci.oci import Descriptor, Digest
    from cog_oci.progress import Progress
    from cog_oci.store import Store
    from cog_oci.transports._distribution import Repository

__all__ = ["Fate", "Sender"]

_NEAR = 3  # repositories that are asked for a blob: one may be gone, or not ours to read
_MOUNTED = 201

Fate = Literal["sent", "mounted", "there"]


class _Cancelled(Exception):  # noqa: N818 - a signal between threads, not an error
    """Another blob has failed, or the user interrupted."""


class Sender:
    """One repository to send to, as a context that ends what is on its way when there is an error.

    Blobs come from the store; `provide` brings one there that must be sent and is not. `wire` counts the bytes of blobs
    that were sent, repeats included. `whereabouts` knows what can be mounted.
    """

    def __init__(
        self,
        repository: Repository,
        store: Store,
        limits: Limits | None = None,
        progress: Progress = SILENT,
        provide: Callable[[Descriptor], object] = lambda _: None,
    ) -> None:
        self._repository, self._store = repository, store
        self._limits = limits or Limits()
        self._progress, self._provide = progress, provide
        self.whereabouts = Whereabouts(store, repository.host)
        self._cancelled = threading.Event()
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(self._limits.concurrency, thread_name_prefix="push")
        self._jobs: dict[Digest, Future[Fate]] = {}
        self.wire = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """What has not arrived by now is not wanted any more."""
        self._cancelled.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def begin(self, blobs: Iterable[Descriptor], names: Mapping[Digest, str]) -> None:
        """Begin to send these, the largest first: the last one to arrive is then a small one. Threads may call it.

        `names` are for whoever watches.
        """
        with self._lock:
            new = (blob for blob in blobs if blob.digest not in self._jobs)
            for blob in sorted(new, key=lambda blob: (-blob.size, blob.digest)):
                name = names.get(blob.digest, blob.digest[7:19])
                self._jobs[blob.digest] = self._pool.submit(self._blob, blob, name)

    def send(self, blobs: Sequence[Descriptor], names: Mapping[Digest, str]) -> list[tuple[Descriptor, Fate]]:
        """Have every blob in the repository.

        Raises RegistryError, LoginError, and CogError for a blob that the store does not have.
        """
        self.begin(blobs, names)
        wanted = {blob.digest: blob for blob in blobs}
        for job in as_completed([self._jobs[digest] for digest in wanted]):
            if not isinstance(job.exception(), _Cancelled):  # the error that all the others ended for
                job.result()
        self.whereabouts.note(self._repository.path, wanted)
        return [(blob, self._jobs[digest].result()) for digest, blob in wanted.items()]

    def _blob(self, blob: Descriptor, name: str) -> Fate:
        try:
            return self._brought(blob, name)
        except BaseException:
            self._cancelled.set()
            raise

    def _brought(self, blob: Descriptor, name: str) -> Fate:
        self._watch()
        if self._repository.has_blob(blob.digest):
            return "there"
        opened = self._mount(blob)
        if opened is not None and opened.status_code == _MOUNTED:
            return "mounted"
        with self._progress.task(f"pushing {name}", blob.size) as task:
            upload = Upload(self._repository, blob, self._file(blob), self._limits, task, self._watch)
            try:
                upload.run(opened)
            finally:
                with self._lock:
                    self.wire += upload.wire
        return "sent"

    def _mount(self, blob: Descriptor) -> requests.Response | None:
        """Ask for the blob of other repositories; whatever they answer, the blob can still be sent."""
        near = [path for path in self.whereabouts.of(blob.digest) if path != self._repository.path]
        opened = None
        for path in near[:_NEAR]:
            query = f"blobs/uploads/?mount={blob.digest}&from={path}"
            try:
                with self._repository.request("POST", query, {}, "pull,push", reading=path) as opened:
                    if opened.status_code == _MOUNTED:
                        break
            except (RegistryError, LoginError):
                continue
        return opened

    def _file(self, blob: Descriptor) -> Path:
        if not self._store.has(blob.digest, blob.size):
            self._provide(blob)
        if not self._store.has(blob.digest, blob.size):
            raise CogError(f"the store does not have the blob {blob.digest}", hint="build the image again")
        return self._store.path(blob.digest)

    def _watch(self) -> None:
        if self._cancelled.is_set():
            raise _Cancelled
