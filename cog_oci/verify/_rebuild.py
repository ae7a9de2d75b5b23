"""Layers made again from their artifacts, in a store in which nothing was made before."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cog_oci.layers import realise
from cog_oci.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from cog_oci.layers import Compression, Layer
    from cog_oci.lock import Artifact
    from cog_oci.oci import LayerBlob
    from cog_oci.workshop import Workshop

__all__ = ["Bench", "open_bench"]


class Bench:
    """A store of its own; artifacts come from the machine's store, or are fetched, and are hashed on their way."""

    def __init__(self, shop: Workshop, store: Store, moments: Sequence[datetime]) -> None:
        self._shop, self.store, self._moments = shop, store, moments

    def make(self, layer: Layer, compression: Compression) -> LayerBlob:
        """The layer, from its artifacts alone. Raises what fetching and making raise."""
        self._gather(layer.artifacts)
        return realise(layer, self.store, self._shop.progress, compression)

    def _gather(self, artifacts: Sequence[Artifact]) -> None:
        missing = [one for one in artifacts if not self.store.has(one.digest, one.size) and not self._taken(one)]
        if missing:
            from cog_oci.base_image.bring import bring  # noqa: PLC0415 - what the machine has is not fetched
            from cog_oci.fetch import Fetcher  # noqa: PLC0415 - likewise
            from cog_oci.origins import Origins  # noqa: PLC0415 - likewise

            missing = bring(missing, self.store, self._shop.progress, offline=self._shop.offline)
            fetcher = Fetcher(self.store, self._shop.progress)
            as_of, *earlier = self._moments
            origins = Origins(fetcher, as_of, earlier=earlier)
            fetcher.artifacts({one.sha256: one for one in missing}.values(), origins.locate)

    def _taken(self, artifact: Artifact) -> bool:
        """Link or copy it from the machine's store; False when that does not have it, or not any more as it was."""
        kept = self._shop.store.path(artifact.digest)
        if not self._shop.store.has(artifact.digest, artifact.size):
            return False
        with kept.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != artifact.sha256:
                return False
        place = self.store.path(artifact.digest)
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(kept, place)
        except OSError:  # another disk, or a file system without links
            shutil.copyfile(kept, place)
        return True


@contextmanager
def open_bench(shop: Workshop, moments: Sequence[datetime]) -> Iterator[Bench]:
    """A bench that is cleared away at the end; `moments` are the times at which the archives had its packages."""
    shop.store.root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="verify-", dir=shop.store.root) as folder:
        yield Bench(shop, Store(Path(folder)), moments)
