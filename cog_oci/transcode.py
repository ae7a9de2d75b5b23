"""An image that exists in other envelopes: its layers and its configuration stay what they are (design §1.2).

Nothing is fetched but the image itself, and nothing of it is believed: every tar that comes out of an envelope has the
diff ID that the configuration names, or the image is refused.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, BinaryIO

from cog_oci.blobs import DamagedBlobError, open_plain
from cog_oci.errors import CogError
from cog_oci.image_config import LOCK_LABEL
from cog_oci.layers import made_by, recipe, render
from cog_oci.oci import (
    Descriptor,
    MediaType,
    StoredImage,
    StoredLayer,
    canonical_json,
    sha256,
)
from cog_oci.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cog_oci.layers import Compression
    from cog_oci.oci import LayerBlob
    from cog_oci.progress import Progress
    from cog_oci.store import Store
    from cog_oci.transports.sources import Source

__all__ = ["Transcoded", "transcode"]

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Transcoded:
    """The images, one for each platform, whose layers are in the store; and the documents that belong to them."""

    images: tuple[StoredImage, ...]
    attached: tuple[bytes, ...]


def transcode(source: Source, compression: Compression, store: Store, progress: Progress = SILENT) -> Transcoded:
    """Every image of the source in this envelope, with the lock that it carries, if the source has that.

    A layer that lies uncompressed among compressed ones was left so on purpose, and is: weights do not compress.
    Raises CogError for images that are not one image for several platforms, and for a layer that is not what its image
    says.
    """
    images = source.images()
    platforms = [str(image.platform) for image in images]
    if twice := {name for name in platforms if platforms.count(name) > 1}:
        raise CogError(
            f"{source.name} holds several images for {', '.join(sorted(twice))}",
            hint="copy the one that you mean out of it first, as `skopeo copy` does",
        )
    made = [_Transcoding(source, image, compression, store, progress).image() for image in images]
    pairs = zip(images, made, strict=True)
    return Transcoded(tuple(made), tuple(blob for pair in pairs for blob in _attached(source, *pair)))


class _Transcoding:
    def __init__(
        self, source: Source, image: StoredImage, compression: Compression, store: Store, progress: Progress
    ) -> None:
        self._source, self._image, self._store, self._progress = source, image, store, progress
        self._compression = compression
        self._mixed = len({layer.descriptor.media_type == MediaType.LAYER for layer in image.layers}) > 1

    def image(self) -> StoredImage:
        blobs = [self._layer(layer) for layer in self._image.layers]
        before = json.loads(self._image.manifest)
        document = {
            "schemaVersion": 2,
            "mediaType": MediaType.MANIFEST,
            "config": Descriptor(MediaType.CONFIG, self._image.content_id, len(self._image.config)).to_json(),
            "layers": [blob.descriptor.to_json() for blob in blobs],
        }
        if before.get("annotations"):
            document["annotations"] = before["annotations"]
        manifest = canonical_json(document)
        return StoredImage(
            self._image.platform,
            Descriptor(MediaType.MANIFEST, sha256(manifest), len(manifest)),
            manifest,
            self._image.config,
            tuple(
                StoredLayer(layer.name, layer.diff_id, blob.descriptor)
                for layer, blob in zip(self._image.layers, blobs, strict=True)
            ),
        )

    def _layer(self, layer: StoredLayer) -> LayerBlob:
        left_alone = self._mixed and layer.descriptor.media_type == MediaType.LAYER
        compression: Compression = "none" if left_alone else self._compression
        key = recipe("transcoded", 1, diff_id=layer.diff_id, envelope=made_by(compression))
        known = self._store.layer(key)
        if known is None:
            with self._source.blob(layer.descriptor) as blob:
                known = self._rendered(layer, blob, compression)
            if known.diff_id != layer.diff_id:
                raise CogError(
                    f"{self._source.name}: the layer {layer.name!r} is not what the image says: "
                    f"expected diff ID {layer.diff_id}, got {known.diff_id}",
                    hint="the image was put together wrongly, or changed after it was made",
                )
            self._store.remember(key, known)
        return known

    def _rendered(self, layer: StoredLayer, blob: BinaryIO, compression: Compression) -> LayerBlob:
        try:
            plain = open_plain(blob, layer.descriptor.media_type)
            return render(layer.name, plain, self._store, self._progress, compression)
        except DamagedBlobError as error:
            raise CogError(f"{self._source.name}: layer {layer.name!r}: {error}", hint=error.hint) from None
        finally:
            while blob.read(_CHUNK):  # to its end, where its digest is checked: the first thing to know of damage
                pass


def _attached(source: Source, before: StoredImage, after: StoredImage) -> Iterator[bytes]:
    """What belongs to the image, attached to it in its new envelopes."""
    from cog_oci.transports.carrying import attachments  # noqa: PLC0415 - it loads all that registries need

    for one in attachments(source, [before], LOCK_LABEL):
        yield from replace(one, subject=after.descriptor).blobs
