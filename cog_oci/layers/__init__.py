"""From a lock to layers: one file a kind, with one writer of tar and of envelopes beneath them.

A kind gives `name`, `recipe` and its entries; canonical order, headers, compression, both digests, caching and the
claim against a second build doing the same happen here, once.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from cog_oci.layers import _tar
from cog_oci.layers._envelope import Compressors, Gzip
from cog_oci.oci import Descriptor, DiffID, LayerBlob, canonical_json
from cog_oci.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from contextlib import AbstractContextManager

    from cog_oci.layers._tar import Entry
    from cog_oci.lock import Artifact
    from cog_oci.progress import Progress
    from cog_oci.store import Store

__all__ = ["Layer", "realise", "recipe", "remembered"]

_TAR_VERSION = 1


class Layer(Protocol):
    """A layer that can be made."""

    @property
    def name(self) -> str:
        """A few words for people: `base`, `python torch`."""

    @property
    def recipe(self) -> str:
        """64 hex digits over everything that decides the entries: equal recipes make equal layers."""

    @property
    def artifacts(self) -> Sequence[Artifact]:
        """What must be in the store before `open`."""

    def open(self, store: Store) -> AbstractContextManager[Iterable[Entry]]:
        """The entries, in any order; their contents can be read, repeatedly, while the context is open."""


def recipe(kind: str, version: int, **parameters: object) -> str:
    """The hash over a kind of layer, the version of the code that makes it, and what it is made from."""
    return hashlib.sha256(canonical_json({"kind": kind, "version": version, **parameters})).hexdigest()


def realise(layer: Layer, store: Store, progress: Progress = SILENT) -> LayerBlob:
    """The layer as a blob in the store: made now, or remembered from when it was made."""
    known = remembered(layer, store)
    if known is None:
        with store.claim(_key(layer)):
            known = remembered(layer, store)
            if known is None:
                known = _make(layer, store, progress)
                store.remember(_key(layer), known)
    return known


def remembered(layer: Layer, store: Store) -> LayerBlob | None:
    """The layer, if the store has it: nothing is made, and no artifact is needed."""
    known = store.layer(_key(layer))
    # A name is for people and no part of a recipe: what the store remembers must not reach an image's history.
    return known and replace(known, name=layer.name)


def _key(layer: Layer) -> str:
    return recipe("envelope", _TAR_VERSION, envelope=Gzip.name, layer=layer.recipe)


def _make(layer: Layer, store: Store, progress: Progress) -> LayerBlob:
    diff = hashlib.sha256()
    total = 0
    with layer.open(store) as unordered, store.incoming() as incoming, Compressors() as pool:
        entries = _tar.in_order(unordered)
        envelope = Gzip(incoming, pool)

        def plain(data: bytes | memoryview) -> None:
            nonlocal total
            total += len(data)
            diff.update(data)
            envelope.plain(data)

        with progress.task(f"layer {layer.name}", sum(entry.size for entry in entries)) as task:
            for entry in entries:
                plain(_tar.header(entry))
                if entry.content is None:
                    continue
                deflated = entry.content.deflated()
                for chunk in entry.content.chunks():
                    if deflated is None:
                        plain(chunk)
                    else:
                        diff.update(chunk)
                        total += len(chunk)
                if deflated is not None:
                    envelope.transplant(deflated, entry.size)
                plain(_tar.padding(entry.size))
                task.advance(entry.size)
            plain(_tar.END)
        digest, size = envelope.close()
        incoming.commit(digest)
    return LayerBlob(
        layer.name, DiffID("sha256:" + diff.hexdigest()), Descriptor(envelope.media_type, digest, size), total
    )
