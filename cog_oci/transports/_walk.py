"""From what an index, a layout or a tag names to the images behind it: the same for every place they are kept in."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal, Protocol

from cog_oci.documents import Index, Manifest, parse
from cog_oci.errors import CogError
from cog_oci.oci import Descriptor, MediaType, StoredImage
from cog_oci.transports._sizes import CONFIG_LIMIT, MANIFEST_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cog_oci.documents import Blob
    from cog_oci.oci import Platform

__all__ = ["Kind", "Reader", "images"]

_DEPTH = 4
_DOCUMENTS = 1000
_CONFIGS = {MediaType.CONFIG, "application/vnd.docker.container.image.v1+json"}


Kind = Literal["index", "manifest", "configuration"]


class Reader(Protocol):
    """Gives a document, verified, of at most `limit` bytes."""

    def __call__(self, descriptor: Descriptor, kind: Kind, *, limit: int) -> bytes: ...


def images(name: str, roots: Iterable[Blob], read: Reader, only: Platform | None = None) -> list[StoredImage]:
    """Every image below these, once, in the order in which indexes list them.

    What is not an image (a signature, an attestation, a chart) is passed over, and so is what an index lists for other
    platforms than the one that is asked for. CogError when there is no image at all, and for indexes without end.
    """
    walk = _Walk(name, read, only)
    found = {image.descriptor.digest: image for root in roots for image in walk.below(root, 0)}
    if not found:
        raise CogError(f"{name} holds no image" + (f" for {only}" if only else ""))
    return list(found.values())


class _Walk:
    def __init__(self, name: str, read: Reader, only: Platform | None) -> None:
        self._name, self._read, self._only = name, read, only
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
                if self._wanted(child):
                    yield from self.below(child, depth + 1)
        elif blob.media_type in MediaType.MANIFESTS and not _attests(blob):
            data = self._read(descriptor, "manifest", limit=MANIFEST_LIMIT)
            manifest = parse(Manifest, data, f"{self._name}: manifest {descriptor.digest}")
            if manifest.artifact_type is None and manifest.config.media_type in _CONFIGS:
                config = self._read(Descriptor.of(manifest.config), "configuration", limit=CONFIG_LIMIT)
                yield StoredImage.parse(descriptor, data, config)

    def _wanted(self, child: Blob) -> bool:
        there, only = child.platform, self._only
        return only is None or there is None or (there.os, there.architecture) == (only.os, only.architecture)


def _attests(blob: Blob) -> bool:
    """BuildKit's attestations are dressed as images for a platform that does not exist."""
    return blob.artifact_type is not None or (blob.platform is not None and blob.platform.os == "unknown")
