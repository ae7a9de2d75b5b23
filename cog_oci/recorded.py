"""What a lock says its layers turned out to be: known without making them, and held against what is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cog_oci.errors import CogError
from cog_oci.layers import made_by
from cog_oci.lock import RecordedLayer, Rendering
from cog_oci.oci import Descriptor, DiffID, Digest, LayerBlob, MediaType

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cog_oci.layers import Compression, Layer
    from cog_oci.store import Store

__all__ = ["NotReproducedError", "Records"]

_MEDIA_TYPE: dict[str, str] = {
    "gzip": MediaType.LAYER_GZIP,
    "zstd": MediaType.LAYER_ZSTD,
    "none": MediaType.LAYER,
}


class NotReproducedError(CogError):
    """A layer that was made again from the same recipe and came out otherwise; `differences` says where, if known."""

    def __init__(self, layer: str, *, expected: str, actual: str, differences: list[str]) -> None:
        self.layer, self.expected, self.actual, self.differences = layer, expected, actual, differences
        where = "".join(f"\n  {difference}" for difference in differences)
        super().__init__(
            f"layer {layer} is not what cog.lock recorded: expected {expected}, got {actual}{where}",
            hint="if cog-oci itself or the lock's record was changed on purpose, run `cog-oci lock --forget-layers`"
            + ("" if differences else "; `cog-oci verify` finds the place in an image that holds the recorded layer"),
        )


class Records:
    """The records of one platform's lock, by recipe."""

    def __init__(self, layers: Iterable[RecordedLayer]) -> None:
        self._by_recipe = {layer.recipe: layer for layer in layers}

    def known(self, layer: Layer, compression: Compression) -> LayerBlob | None:
        """The layer as the lock has it, whether or not its blob is anywhere near; None when it was never made so."""
        record = self._by_recipe.get(layer.recipe)
        rendering = record.blobs.get(compression) if record else None
        if record is None or rendering is None or rendering.made_by != made_by(compression):
            return None
        descriptor = Descriptor(_MEDIA_TYPE[compression], Digest(rendering.digest), rendering.size)
        return LayerBlob(layer.name, DiffID(record.diff_id), descriptor, record.size)

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
        )

    def having(self, layer: Layer, blob: LayerBlob, compression: Compression) -> RecordedLayer:
        """The record of this layer, with this blob in it."""
        before = self._by_recipe.get(layer.recipe)
        rendering = Rendering(made_by=made_by(compression), digest=blob.descriptor.digest, size=blob.descriptor.size)
        return RecordedLayer(
            name=layer.name,
            recipe=layer.recipe,
            diff_id=blob.diff_id,
            size=blob.uncompressed_size,
            blobs={**(before.blobs if before else {}), compression: rendering},
        )


def _differences(record: RecordedLayer, blob: LayerBlob, store: Store) -> list[str]:
    """Where the two differ, if the store still has a blob of the recorded one."""
    from cog_oci.blobs import open_plain  # noqa: PLC0415 - only a build that fails compares
    from cog_oci.compare import compare_layers  # noqa: PLC0415 - likewise

    for compression, rendering in record.blobs.items():
        if store.has(Digest(rendering.digest), rendering.size):
            media_type = _MEDIA_TYPE.get(compression, MediaType.LAYER)
            with (
                store.path(Digest(rendering.digest)).open("rb") as expected,
                store.path(blob.descriptor.digest).open("rb") as actual,
            ):
                found = compare_layers(open_plain(expected, media_type), open_plain(actual, blob.descriptor.media_type))
            return [str(difference) for difference in found[:10]]
    return []
