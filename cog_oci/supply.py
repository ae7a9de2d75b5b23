"""Layers that need not be made: known to this machine's store, to the lock and a place that has them, or to a cache.

Nobody's word is taken for what a layer is but the lock's, this store's about what it made itself, and that of a trusted
cache. What came by the lock's word is remembered for that word alone: no lock decides the layers of others.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cog_oci.layers import blob_key, kept, recipe, remembered
from cog_oci.recorded import MEDIA_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cog_oci.cache import Cache
    from cog_oci.layers import Compression, Layer
    from cog_oci.oci import Descriptor, DiffID, LayerBlob
    from cog_oci.recorded import Records
    from cog_oci.store import Store

    Elsewhere = Callable[[Descriptor], bool]
    """Whether a blob is where the image is going: it need not be here, then."""

__all__ = ["Supply"]

_AT_ONCE = 5


class Supply:
    """Where the layers of one image may come from.

    `elsewhere` says which blobs the place that the image is for has already. Where it is given, a layer that is there,
    or in the cache, is left where it is.
    """

    def __init__(
        self,
        store: Store,
        records: Records,
        compression: Compression,
        cache: Cache | None = None,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        self._store, self._records, self._compression = store, records, compression
        self._cache, self._elsewhere = cache, elsewhere

    def known(self, layers: Sequence[Layer], locked: int) -> list[LayerBlob | None]:
        """Each layer as a blob, or None for one that has to be made.

        The lock decides the first `locked`. Of the others, those of the project's own files, only the store is asked.
        """
        found = [remembered(layer, self._store, self._compression) for layer in layers]
        missing = [number for number, blob in enumerate(found[:locked]) if blob is None]
        if not missing:
            return found
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - a change of the code needs no threads

        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="supply") as pool:
            for number, blob in zip(missing, pool.map(lambda one: self._find(layers[one]), missing), strict=True):
                found[number] = blob
        if self._cache is not None:
            self._cache.say_unknown(sum(self._records.diff_id(layers[one]) is None for one in missing))
        return found

    def _find(self, layer: Layer) -> LayerBlob | None:
        diff_id = self._records.diff_id(layer)
        here = self._store.layer(self._by_word(layer, diff_id)) if diff_id else None
        if here is not None:
            return replace(here, name=layer.name)
        blob = self._records.known(layer, self._compression)
        if blob is None:
            return self._of_cache(layer, diff_id)
        if self._elsewhere is not None and (kept(layer) or self._elsewhere(blob.descriptor)):
            return blob  # of a base image: where it is going may mount it, and else it is fetched
        if self._cache is None or not self._cache.has(blob.descriptor):
            return None
        if self._elsewhere is not None:
            return blob
        return self._brought(layer, blob, diff_id)

    def _of_cache(self, layer: Layer, diff_id: DiffID | None) -> LayerBlob | None:
        """A layer whose rendering the lock does not know, and perhaps not even what it is."""
        if self._cache is None or (diff_id is None and not self._cache.trusted):
            return None
        blob = self._cache.find(blob_key(layer, self._compression), layer.name)
        if blob is None:
            return None
        if (kind := blob.descriptor.media_type) != MEDIA_TYPES[self._compression]:
            self._cache.refuse(layer.name, f"it is of type {kind}, which was not asked for")
            return None
        if diff_id is not None and blob.diff_id != diff_id:
            self._cache.refuse(layer.name, f"cog.lock recorded {diff_id}, and there it is {blob.diff_id}")
            return None
        if diff_id is not None and blob.uncompressed_size != (size := self._records.size(layer)):
            self._cache.refuse(layer.name, f"its tar has {size} bytes, and {blob.uncompressed_size} there")
            return None
        if diff_id is None and self._elsewhere is not None:
            return blob  # it is trusted: whoever pulls the image has its diff IDs checked by the engine
        return self._brought(layer, blob, diff_id)

    def _brought(self, layer: Layer, blob: LayerBlob, diff_id: DiffID | None) -> LayerBlob | None:
        if self._cache is None or not self._cache.bring(blob):
            return None
        key = blob_key(layer, self._compression) if diff_id is None else self._by_word(layer, diff_id)
        self._store.remember(key, blob)
        return blob

    def _by_word(self, layer: Layer, diff_id: DiffID) -> str:
        """What the store remembers a layer by that somebody says is this."""
        return recipe("as recorded", 1, layer=blob_key(layer, self._compression), diff_id=diff_id)
