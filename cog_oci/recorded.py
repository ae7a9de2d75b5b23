"""What a lock says its layers turned out to be: known without making them, and held against what is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cog_oci.errors import CogError
from cog_oci.layers import kept, made_by
from cog_oci.lock import RecordedLayer, Rendering
from cog_oci.oci import Descriptor, DiffID, Digest, LayerBlob, MediaType

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cog_oci.layers import Compression, Layer
    from cog_oci.store import Store

__all__ = ["MEDIA_TYPES", "NotReproducedError", "Records"]

MEDIA_TYPES: dict[str, str] = {
    "gzip": MediaType.LAYER_GZIP,
    "zstd": MediaType.LAYER_ZSTD,
    "none": MediaType.LAYER,
}
"""Of a layer's blob, by its compression."""


class NotReproducedError(CogError):
    """A layer that was made again from the same recipe and came out otherwise; `differences` says where, if known."""

    def __init__(
        self, layer: str, *, expected: str, actual: str, differences: list[str], hint: str | None = None
    ) -> None:
        self.layer, self.expected, self.actual, self.differences = layer, expected, actual, differences
        where = "".join(f"\n  {difference}" for difference in differences)
        usual = "if cog-oci itself or the lock's record was changed on purpose, run `cog-oci lock --forget-layers`" + (
            "" if differences else "; `cog-oci verify` finds the place in an image that holds the recorded layer"
        )
        super().__init__(
            f"layer {layer} is not what cog.lock recorded: expected {expected}, got {actual}{where}",
            hint=hint or usual,
        )


_OF_STEP = (
    "the step made something else this time, and nothing of it is kept: build again to run it once more, or take what"
    " it makes now with --accept-steps"
)


class Records:
    """The records of one platform's lock, by recipe."""

    def __init__(self, layers: Iterable[RecordedLayer]) -> None:
        self._by_recipe = {layer.recipe: layer for layer in layers}

    def known(self, layer: Layer, compression: Compression) -> LayerBlob | None:
        """The layer as the lock has it, whether or not its blob is anywhere near; None when it was never made so."""
        if (as_it_is := kept(layer)) is not None:
            return as_it_is
        record = self._by_recipe.get(layer.recipe)
        if record is not None and compression == "none":  # the blob is the tar itself, whether it was ever one or not
            descriptor = Descriptor(MEDIA_TYPES["none"], Digest(record.diff_id), record.size)
            return LayerBlob(layer.name, DiffID(record.diff_id), descriptor, record.size)
        rendering = record.blobs.get(compression) if record else None
        if record is None or rendering is None or rendering.made_by != made_by(compression):
            return None
        descriptor = Descriptor(MEDIA_TYPES[compression], Digest(rendering.digest), rendering.size)
        return LayerBlob(layer.name, DiffID(record.diff_id), descriptor, record.size)

    def diff_id(self, layer: Layer) -> DiffID | None:
        """What the layer is, in whatever envelope; None when it was never made."""
        record = self._by_recipe.get(layer.recipe)
        return DiffID(record.diff_id) if record else None

    def size(self, layer: Layer) -> int | None:
        """Of its tar, in bytes, as above."""
        record = self._by_recipe.get(layer.recipe)
        return record.size if record else None

    def check(self, layer: Layer, blob: LayerBlob, store: Store) -> None:
        """Raise NotReproducedError when the layer is recorded as something else."""
        record = self._by_recipe.get(layer.recipe)
        if record is None or record.diff_id == blob.diff_id:
            return
        raise NotReproducedError(
            layer.name,
            expected=record.diff_id,
            actual=blob.diff_id,
            differences=_differences(record, blob, store),
            hint=_OF_STEP if record.listing else None,
        )

    def having(self, layer: Layer, blob: LayerBlob, compression: Compression, store: Store) -> RecordedLayer:
        """The record of this layer, with this blob in it."""
        before = self._by_recipe.get(layer.recipe)
        if before is not None and before.diff_id != blob.diff_id:  # which was accepted
            before = None
        rendering = Rendering(made_by=made_by(compression), digest=blob.descriptor.digest, size=blob.descriptor.size)
        return RecordedLayer(
            name=layer.name,
            recipe=layer.recipe,
            diff_id=blob.diff_id,
            size=blob.uncompressed_size,
            blobs={**(before.blobs if before else {}), compression: rendering},
            listing=before.listing if before else _listing(layer, blob, store),
        )


def _listing(layer: Layer, blob: LayerBlob, store: Store) -> str:
    """What is in a layer that nobody can make again for certain: that a command made."""
    if not getattr(layer, "listed", False) or not store.has(blob.descriptor.digest):
        return ""
    from cog_oci.blobs import open_plain  # noqa: PLC0415 - few images have steps
    from cog_oci.listing import listing  # noqa: PLC0415 - likewise

    with store.path(blob.descriptor.digest).open("rb") as stored:
        return listing(open_plain(stored, blob.descriptor.media_type))


def _differences(record: RecordedLayer, blob: LayerBlob, store: Store) -> list[str]:
    """Where the two differ, if the store still has a blob of the recorded one."""
    from cog_oci.blobs import open_plain  # noqa: PLC0415 - only a build that fails compares
    from cog_oci.compare import compare_layers  # noqa: PLC0415 - likewise

    for compression, rendering in record.blobs.items():
        if store.has(Digest(rendering.digest), rendering.size):
            media_type = MEDIA_TYPES.get(compression, MediaType.LAYER)
            with (
                store.path(Digest(rendering.digest)).open("rb") as expected,
                store.path(blob.descriptor.digest).open("rb") as actual,
            ):
                found = compare_layers(open_plain(expected, media_type), open_plain(actual, blob.descriptor.media_type))
            return [str(difference) for difference in found[:10]]
    if not record.listing:
        return []
    from cog_oci.listing import unlike  # noqa: PLC0415 - likewise

    with store.path(blob.descriptor.digest).open("rb") as actual:
        return unlike(record.listing, open_plain(actual, blob.descriptor.media_type))
