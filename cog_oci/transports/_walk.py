"""From what an index, a layout or a tag names to the images behind it: the same for every place they are kept in."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal, Protocol

from cog_oci.documents import Index, Manifest, parse
from cog_oci.errors import CogError
from cog_oci.oci import Descriptor, MediaType, StoredImage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cog_oci.documents import Blob

__all__ = ["CONFIG_LIMIT", "MANIFEST_LIMIT", "Kind", "Reader", "images"]

MANIFEST_LIMIT = 4 << 20
"""Bytes of a manifest or an index at most: what registries take (distribution-spec, "pushing manifests")."""
CONFIG_LIMIT = 16 << 20
"""Bytes of a configuration at most; its labels can be long."""

_DEPTH = 4
_DOCUMENTS = 1000
_CONFIGS = {MediaType.CONFIG, "application/vnd.docker.container.image.v1+json"}


Kind = Literal["index", "manifest", "configuration"]


class Reader(Protocol):
    """Gives a document, verified, of at most `limit` bytes."""

    def __call__(self, descriptor: Descriptor, kind: Kind, *, limit: int) -> bytes: ...


def images(name: str, roots: Iterable[Blob], read: Reader) -> list[StoredImage]:
    """Every image below these, once, in the order in which indexes list them.

    What is not an image (a signature, an attestation, a chart) is passed over. CogError when there is no image at all,
    and for indexes without end.
    """
    walk = _Walk(name, read)
    found = {image.descriptor.digest: image for root in roots for image in walk.below(root, 0)}
    if not found:
        raise CogError(f"{name} holds no image")
    return list(found.values())


class _Walk:
    def __init__(self, name: str, read: Reader) -> None:
        self._name, self._read = name, read
        self._documents = 0

    def below(self, blob: Blob, depth: int) -> Iterator[StoredImage]:
        # Annotations in an index say what the index calls an image: they are no part of the image.
        descriptor = replace(Descriptor.of(blob), annotations={})
        self._documents += 1
        if depth > _DEPTH or self._documents > _DOCUMENTS:
            raise CogError(f"{self._name}: its indexes name indexes without end, at {descriptor.digest}")
        if blob.media_type in MediaType.INDEXES:
            data = self._read(descriptor, "index", limit=MANIFEST_LIMIT)
            for child in parse(Index, data, f"{self._name}: index {descriptor.digest}").manifests:
                yield from self.below(child, depth + 1)
        elif blob.media_type in MediaType.MANIFESTS and not _attests(blob):
            data = self._read(descriptor, "manifest", limit=MANIFEST_LIMIT)
            manifest = parse(Manifest, data, f"{self._name}: manifest {descriptor.digest}")
            if manifest.artifact_type is None and manifest.config.media_type in _CONFIGS:
                config = self._read(Descriptor.of(manifest.config), "configuration", limit=CONFIG_LIMIT)
                yield StoredImage.parse(descriptor, data, config)


def _attests(blob: Blob) -> bool:
    """BuildKit's attestations are dressed as images for a platform that does not exist."""
    return blob.artifact_type is not None or (blob.platform is not None and blob.platform.os == "unknown")
