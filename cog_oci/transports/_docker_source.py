"""An archive of `docker save` that is no OCI layout (Docker's image specification 1.2), read where it is.

Docker wrote such archives up to version 24, and skopeo and podman still do. They name files and not digests, so that
the manifest of an image is made here.
"""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Annotated, BinaryIO, cast

from pydantic import BaseModel, Field, RootModel

from cog_oci.blobs import MAGIC_SIZE, Stream, envelope
from cog_oci.documents import Config, parse
from cog_oci.errors import CogError
from cog_oci.oci import Descriptor, Digest, MediaType, StoredImage, canonical_json, sha256
from cog_oci.reference import Reference
from cog_oci.transports._files import document
from cog_oci.transports._sizes import CONFIG_LIMIT, MANIFEST_LIMIT
from cog_oci.transports._verified import AlteredBlobError, verified

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cog_oci.transports._files import Files

__all__ = ["DockerSource"]

_CHUNK = 1 << 20


class _Saved(BaseModel):
    config: Annotated[str, Field(alias="Config")]
    layers: Annotated[tuple[str, ...], Field(alias="Layers")]
    tags: Annotated[tuple[str, ...] | None, Field(alias="RepoTags")] = None


class _Manifest(RootModel[tuple[_Saved, ...]]):
    pass


class DockerSource:
    """A Source over the files of a `docker save` archive.

    A layer without compression is described by its diff ID, which is its digest and is checked when it is read; the
    digest of a compressed one is taken, once.
    """

    def __init__(self, files: Files) -> None:
        self.name = files.name
        self._files = files
        found = document(files, "manifest.json", limit=MANIFEST_LIMIT)
        self._saved = parse(_Manifest, found, f"{self.name}: manifest.json").root
        self._places: dict[Digest, str] = {}
        self._images = cache(self._read_images)

    @property
    def reference(self) -> Reference | None:
        """As in Source: the first of RepoTags."""
        return next((Reference.parse(tag) for entry in self._saved for tag in entry.tags or ()), None)

    def images(self) -> list[StoredImage]:
        """As in Source: in the order of manifest.json."""
        return list(self._images())

    @contextmanager
    def blob(self, descriptor: Descriptor) -> Iterator[BinaryIO]:
        """As in Source."""
        self._images()
        name = f"{self.name}: blob {descriptor.digest}"
        if descriptor.digest not in self._places:
            raise CogError(f"{name} is not in it")
        with self._files.reading(self._places[descriptor.digest]) as read:
            yield cast("BinaryIO", verified(read, descriptor, name))

    def find(self, digest: Digest) -> bytes | None:
        """As in Source: configurations and manifests; such an archive holds no other documents."""
        documents = {digest: data for image in self._images() for digest, data in _documents(image)}
        return documents.get(digest)

    def attached(self, image: StoredImage, artifact_type: str) -> list[bytes]:  # noqa: ARG002 - the Protocol's
        """As in Source: there is no place for one."""
        return []

    def _read_images(self) -> tuple[StoredImage, ...]:
        if not self._saved:
            raise CogError(f"{self.name} holds no image")
        return tuple(self._image(entry) for entry in self._saved)

    def _image(self, saved: _Saved) -> StoredImage:
        config = document(self._files, saved.config, limit=CONFIG_LIMIT)
        stem = saved.config.rpartition("/")[2].removesuffix(".json")
        if len(stem) == 64 and sha256(config) != f"sha256:{stem}":
            raise AlteredBlobError(f"{self.name}: {saved.config}", expected=f"sha256:{stem}", actual=sha256(config))
        diff_ids = parse(Config, config, f"{self.name}: {saved.config}").rootfs.diff_ids
        if len(diff_ids) != len(saved.layers):
            raise CogError(
                f"{self.name}: manifest.json lists {len(saved.layers)} layers, but {saved.config} has {len(diff_ids)}"
            )
        layers = [self._layer(path, diff_id) for path, diff_id in zip(saved.layers, diff_ids, strict=True)]
        manifest = canonical_json(
            {
                "schemaVersion": 2,
                "mediaType": MediaType.MANIFEST,
                "config": Descriptor(MediaType.CONFIG, sha256(config), len(config)).to_json(),
                "layers": [layer.to_json() for layer in layers],
            }
        )
        return StoredImage.parse(Descriptor(MediaType.MANIFEST, sha256(manifest), len(manifest)), manifest, config)

    def _layer(self, path: str, diff_id: str) -> Descriptor:
        size = self._files.size(path) or 0
        with self._files.reading(path) as read:
            stream = Stream(read)
            media_type = envelope(stream.peek(MAGIC_SIZE))
            digest = Digest(diff_id if media_type == MediaType.LAYER else _digest(stream))
        self._places[digest] = path
        return Descriptor(media_type, digest, size)


def _digest(stream: Stream) -> str:
    found = hashlib.sha256()
    while chunk := stream.read(_CHUNK):
        found.update(chunk)
    return f"sha256:{found.hexdigest()}"


def _documents(image: StoredImage) -> Iterator[tuple[Digest, bytes]]:
    yield image.descriptor.digest, image.manifest
    yield image.content_id, image.config
