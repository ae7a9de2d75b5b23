"""From the place where an image is to another one: its blobs by way of the store, and what belongs to it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from cog_oci.oci import Attachment, MediaType, parse_digest
from cog_oci.transports._registry_source import RegistrySource
from cog_oci.transports._whereabouts import Whereabouts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cog_oci.oci import Descriptor, StoredImage
    from cog_oci.store import Store
    from cog_oci.transports.sources import Source

__all__ = ["attachments", "bring", "note"]


def bring(source: Source, blob: Descriptor, store: Store) -> None:
    """The blob into the store, if it is not there; an AlteredBlobError for one that is not what the image says."""
    if store.has(blob.digest, blob.size):
        return
    with source.blob(blob) as data, store.incoming() as incoming:
        shutil.copyfileobj(data, incoming, 1 << 20)
        incoming.commit(blob.digest)


def attachments(source: Source, images: Sequence[StoredImage], label: str) -> list[Attachment]:
    """What belongs to the images, as far as the source has it: locks, by this label, and bills of materials."""
    found = []
    for image in images:
        digest = image.labels.get(label)
        lock = source.find(parse_digest(digest)) if digest else None
        if lock is not None:
            found.append(Attachment(image.descriptor, MediaType.LOCK, lock))
        bills = source.attached(image, MediaType.CYCLONEDX)
        found += [Attachment(image.descriptor, MediaType.CYCLONEDX, bill) for bill in bills]
    return found


def note(source: Source, images: Sequence[StoredImage], store: Store) -> None:
    """Remember that the blobs lie where they come from: another repository of that registry can mount them."""
    if isinstance(source, RegistrySource):
        digests = [layer.descriptor.digest for image in images for layer in image.layers]
        place = source.reference
        Whereabouts(store, place.host).note(place.path, [*digests, *(image.content_id for image in images)])
