"""Layers made again from their artifacts, in a store in which nothing was made before."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cog_oci.errors import CogError
from cog_oci.layers import realise
from cog_oci.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from cog_oci.layers import Compression, Layer
    from cog_oci.lock import Artifact
    from cog_oci.oci import LayerBlob
    from cog_oci.workshop import Workshop

    Bring = Callable[[Iterable[Artifact], Workshop], None]
    """Has the artifacts in the store of this workshop when it returns, each verified; raises CogError."""

__all__ = ["Bench", "UnavailableError", "open_bench"]


class UnavailableError(CogError):
    """What a layer is made from cannot be had here."""

    def __init__(self, reason: CogError) -> None:
        super().__init__(f"what it is made from cannot be had here: {reason}", hint=reason.hint)


class Bench:
    """A store of its own; artifacts come from the machine's store, or are fetched, and are hashed on their way."""

    def __init__(self, shop: Workshop, store: Store, bring: Bring) -> None:
        self._shop, self.store, self._bring = shop, store, bring
        self._failed: list[tuple[set[str], UnavailableError]] = []

    def make(self, layer: Layer, compression: Compression) -> LayerBlob:
        """The layer, from its artifacts alone. Raises UnavailableError, and what making it raises."""
        self._gather(layer.artifacts)
        return realise(layer, self.store, self._shop.progress, compression)

    def _gather(self, artifacts: Iterable[Artifact]) -> None:
        missing = self._missing(artifacts)
        if not missing:
            return
        for before, error in self._failed:  # layers share artifacts, and nothing is looked for in vain twice
            if before <= missing.keys():
                raise error
        try:
            self._bring(missing.values(), replace(self._shop, store=self.store))
        except CogError as error:
            unavailable = UnavailableError(error)
            self._failed.append(({*self._missing(artifacts)}, unavailable))
            raise unavailable from error

    def _missing(self, artifacts: Iterable[Artifact]) -> dict[str, Artifact]:
        """By its hash, what neither this store nor the machine's has."""
        return {
            one.sha256: one for one in artifacts if not self.store.has(one.digest, one.size) and not self._taken(one)
        }

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
def open_bench(shop: Workshop, bring: Bring) -> Iterator[Bench]:
    """A bench that is cleared away at the end; it has artifacts brought that the machine's store does not have."""
    shop.store.root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="verify-", dir=shop.store.root) as folder:
        yield Bench(shop, Store(Path(folder)), bring)
