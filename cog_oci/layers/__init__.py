"""From a lock to layers: one file a kind, with one writer of tar and of envelopes beneath them.

A kind gives `name`, `recipe` and its entries; canonical order, headers, compression, both digests, caching and the
claim against a second build doing the same happen here, once.
"""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, Self

from cog_oci.layers import _tar
from cog_oci.layers._envelope import COMPRESSIONS, Compression, made_by, open_envelope
from cog_oci.layers._gzip import SMALL, Members
from cog_oci.layers._hashing import Hasher
from cog_oci.oci import DiffID, LayerBlob, canonical_json
from cog_oci.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from contextlib import AbstractContextManager
    from types import TracebackType
    from typing import BinaryIO

    from cog_oci.layers._envelope import Envelope
    from cog_oci.layers._tar import Content, Deflated, Entry
    from cog_oci.lock import Artifact
    from cog_oci.progress import Progress
    from cog_oci.store import Incoming, Store

__all__ = [
    "COMPRESSIONS",
    "Compression",
    "Layer",
    "blob_key",
    "kept",
    "made_by",
    "realise",
    "recipe",
    "remembered",
    "render",
    "rendering_key",
]

_TAR_VERSION = 1
_CHUNK = 1 << 20
_AHEAD = 64 << 20  # bytes of large contents that may be inflated before their turn: another core does it meanwhile


class Layer(Protocol):
    """A layer that can be made."""

    @property
    def name(self) -> str:
        """A few words for people: `base`, `python torch`."""

    @property
    def why(self) -> str:
        """Why this is a layer, and what changes it, for people."""

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


def realise(layer: Layer, store: Store, progress: Progress = SILENT, compression: Compression = "gzip") -> LayerBlob:
    """The layer as a blob in the store: made now, or remembered from when it was made."""
    known = remembered(layer, store, compression)
    if known is None:
        with store.claim(blob_key(layer, compression)):
            known = remembered(layer, store, compression)
            if known is None:
                known = _make(layer, store, progress, _chosen(layer, compression))
                store.remember(blob_key(layer, compression), known)
    return known


def remembered(layer: Layer, store: Store, compression: Compression = "gzip") -> LayerBlob | None:
    """The layer, if the store has it: nothing is made, and no artifact is needed."""
    if (as_it_is := kept(layer)) is not None:
        return as_it_is if store.has(as_it_is.descriptor.digest, as_it_is.descriptor.size) else None
    known = store.layer(blob_key(layer, compression))
    # A name is for people and no part of a recipe: what the store remembers must not reach an image's history.
    return known and replace(known, name=layer.name)


def kept(layer: Layer) -> LayerBlob | None:
    """The blob that a layer is, where it is somebody else's and never made here: a kind says so with `blob`."""
    blob: LayerBlob | None = getattr(layer, "blob", None)
    return blob


def render(
    name: str, plain: BinaryIO, store: Store, progress: Progress = SILENT, compression: Compression = "gzip"
) -> LayerBlob:
    """A tar that exists, read from here to its end, as a blob of another envelope in the store.

    Equal to what `realise` makes for `zstd` and `none`; a gzip blob has other bytes, as there is nothing to transplant.
    """
    with store.incoming() as incoming, _Writer(incoming, compression) as writer, progress.task(name) as task:
        while chunk := plain.read(_CHUNK):
            writer.plain(chunk)
            task.advance(len(chunk))
        blob = writer.close(name)
        incoming.commit(blob.descriptor.digest)
    return blob


def _chosen(layer: Layer, compression: Compression) -> Compression:
    """A kind whose content cannot be compressed says so itself, with an attribute `compression`."""
    own: Compression = getattr(layer, "compression", compression)
    return own


def blob_key(layer: Layer, compression: Compression = "gzip") -> str:
    """What stores and caches know this rendering of the layer by."""
    return rendering_key(layer.recipe, made_by(_chosen(layer, compression)))


def rendering_key(of: str, envelope: str) -> str:
    """64 hex digits over a layer's recipe and what made its envelope (`made_by`)."""
    return recipe("envelope", _TAR_VERSION, envelope=envelope, layer=of)


def _make(layer: Layer, store: Store, progress: Progress, compression: Compression) -> LayerBlob:
    with layer.open(store) as unordered, store.incoming() as incoming, _Writer(incoming, compression) as writer:
        entries = _tar.in_order(unordered)
        with progress.task(f"layer {layer.name}", sum(entry.size for entry in entries)) as task:
            writer.foresee(entries)
            for entry in entries:
                writer.add(entry)
                task.advance(entry.size)
        writer.end()
        blob = writer.close(layer.name)
        incoming.commit(blob.descriptor.digest)
    return blob


class _Writer:
    """A tar on its way into an envelope, with its diff ID taken on the way; a context, as it owns threads."""

    def __init__(self, sink: Incoming, compression: Compression) -> None:
        self._sink, self._compression = sink, compression
        self._stack = ExitStack()
        self._padding = b""

    def __enter__(self) -> Self:
        write = self._sink.write if self._compression == "none" else None
        self._diff = self._stack.enter_context(Hasher(write, _AHEAD))
        self._envelope: Envelope = self._stack.enter_context(open_envelope(self._compression, self._sink))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def plain(self, data: bytes | memoryview) -> None:
        self._diff.update(data)
        self._envelope.plain(data)

    def foresee(self, entries: Sequence[Entry]) -> None:
        """All that is going to be added, in that order: large contents are inflated while small ones are looked at."""
        for entry in entries:
            if entry.content is not None and self._inflated_beside(entry.content):
                self._diff.foresee(entry.content.chunks())

    def add(self, entry: Entry) -> None:
        """The next entry, in the order of a tar and as it was foreseen."""
        self.plain(self._padding + _tar.header(entry))
        size = entry.size
        self._padding = _tar.padding(size)
        if entry.content is None or not size:
            return
        deflated = entry.content.deflated()
        if deflated is not None and isinstance(self._envelope, Members):
            self._transplant(entry.content, deflated, self._envelope)
        elif self._inflated_beside(entry.content):
            self._diff.follow(size)
        else:
            for chunk in entry.content.chunks():
                self.plain(chunk)

    def end(self) -> None:
        """No entry follows."""
        self.plain(self._padding + _tar.END)

    def _transplant(self, content: Content, deflated: Deflated, members: Members) -> None:
        inflated = members.transplant(deflated, content.size)
        if inflated is not None:
            self._diff.update(inflated)
        elif self._inflated_beside(content):
            self._diff.follow(content.size)
        else:
            for chunk in content.chunks():
                self._diff.update(chunk)

    def _inflated_beside(self, content: Content) -> bool:
        """Whether only the diff ID needs the bytes of this content, and they are enough to be worth another thread."""
        return content.size > SMALL and self._compression != "zstd" and content.deflated() is not None

    def close(self, name: str) -> LayerBlob:
        diff_id = DiffID("sha256:" + self._diff.hexdigest())
        return LayerBlob(name, diff_id, self._envelope.close(diff_id, self._diff.size), self._diff.size)
