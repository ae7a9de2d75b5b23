"""A build cache as builds see it: it may save work, and is never in the way.

What it cannot do is said once and done without it; what it gives and is not what it should be is refused by name.
"""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self, TypeVar

from cog_oci.blobs import DamagedBlobError
from cog_oci.errors import CogError
from cog_oci.progress import SILENT
from cog_oci.store import DigestMismatchError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from cog_oci.cache_settings import CacheSettings
    from cog_oci.oci import Descriptor, Digest, LayerBlob
    from cog_oci.progress import Progress
    from cog_oci.store import Store
    from cog_oci.transports.layer_cache import LayerCache
    from cog_oci.transports.registry import Limits

__all__ = ["Cache"]

_T = TypeVar("_T")
_ATTEMPTS = 2  # of a request: whoever waits could be building


class Cache:
    """The cache that the user or the project names, as a context. Nothing is connected to before it is asked.

    With `trusted`, what it says of a layer that the lock knows nothing of is taken. Threads may share it.
    """

    def __init__(self, settings: CacheSettings, store: Store, progress: Progress = SILENT) -> None:
        self._settings, self._store, self._progress = settings, store, progress
        self.trusted = settings.trust
        self._stack = ExitStack()
        self._opened: LayerCache | None = None
        self._lock = threading.Lock()
        self._broken = False
        self._seen: set[Digest] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        self._stack.close()

    def find(self, key: str, name: str) -> LayerBlob | None:
        """The layer that lies under this key, to be called `name`; its word for what that is."""
        found = self._asked(lambda cache: cache.find(key, name), None)
        if found is not None:
            self._seen.add(found.descriptor.digest)
        return found

    def has(self, blob: Descriptor) -> bool:
        """Whether it has this very blob."""
        found = self._asked(lambda cache: cache.has(blob), False)
        if found:
            self._seen.add(blob.digest)
        return found

    def note(self, host: str, blob: Descriptor) -> None:
        """Remember that it was found to have this, if it was: repositories of the same registry can mount it."""
        if blob.digest in self._seen and self._opened is not None and self._opened.host == host:
            from cog_oci.transports._whereabouts import Whereabouts  # noqa: PLC0415 - most builds ask no cache

            Whereabouts(self._store, host).note(self._opened.path, [blob.digest])

    def bring(self, layer: LayerBlob) -> bool:
        """The layer into the store; whether that went well, and it is what was said in every byte."""

        def brought(cache: LayerCache) -> bool:
            try:
                cache.bring(layer)
            except (DigestMismatchError, DamagedBlobError) as error:
                self.refuse(layer.name, str(error))
                return False
            return True

        return self._asked(brought, False)

    def refuse(self, layer: str, why: str) -> None:
        """Say that a layer from here is not taken."""
        self._progress.say(f"the cache {self._settings.repository} is not believed about layer {layer}: {why}")

    def say_unknown(self, layers: int) -> None:
        """Say that it was not asked for so many layers, which no lock knows, if that is so."""
        if layers and not self.trusted:
            self._progress.say(
                f"cog.lock does not know {layers} of the layers yet: they are made here, as the cache "
                f"{self._settings.repository} is not trusted to say what they are (COG_CACHE_TRUST=1 trusts it)"
            )

    def keep(self, layers: Mapping[str, LayerBlob], limits: Limits, near: tuple[str, str]) -> None:
        """Have these layers there, by key, if that is wanted; `near` is a registry and a repository that has them."""
        if not self._settings.push:
            return
        host, path = near
        with self._lock:
            self._broken = False  # who may not read what is not there yet may still write it

        def kept(cache: LayerCache) -> int:
            return cache.keep(layers, limits, path if cache.host == host and cache.path != path else None)

        if new := self._asked(kept, 0):
            self._progress.say(f"the cache {self._settings.repository} has {new} more layers")

    def _asked(self, question: Callable[[LayerCache], _T], otherwise: _T) -> _T:
        """The answer, or `otherwise` from a cache that cannot be used."""
        if self._broken:
            return otherwise
        try:
            return question(self._open())
        except CogError as error:
            with self._lock:
                if not self._broken:
                    self._progress.say(f"going on without the cache {self._settings.repository}: {error}")
                self._broken = True
            return otherwise

    def _open(self) -> LayerCache:
        from cog_oci.transports._distribution import Repository  # noqa: PLC0415 - most builds ask no cache
        from cog_oci.transports._place import Place  # noqa: PLC0415 - likewise
        from cog_oci.transports.layer_cache import LayerCache  # noqa: PLC0415 - likewise

        with self._lock:
            if self._opened is None:
                place = Place.parse(self._settings.repository)
                repository = Repository(
                    place.reference.host, place.path, plain_http=place.plain_http, attempts=_ATTEMPTS
                )
                self._opened = LayerCache(self._stack.enter_context(repository), self._store, self._progress)
            return self._opened
