"""Images in a registry, read through the pull side of the distribution protocol (distribution-spec v1.1)."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, cast

import requests

from cog_oci.blobs import Stream
from cog_oci.documents import Blob
from cog_oci.errors import CogError
from cog_oci.oci import Descriptor, MediaType, sha256
from cog_oci.reference import Reference
from cog_oci.transports._artifact import document_about
from cog_oci.transports._download import Download
from cog_oci.transports._failures import RegistryError
from cog_oci.transports._place import Place
from cog_oci.transports._referrers import Referrers
from cog_oci.transports._sizes import CONFIG_LIMIT, MANIFEST_LIMIT
from cog_oci.transports._verified import AlteredBlobError, verified, whole
from cog_oci.transports._walk import images

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cog_oci.oci import Digest, Platform, StoredImage
    from cog_oci.transports._distribution import Repository
    from cog_oci.transports._walk import Kind

__all__ = ["RegistrySource", "open_registry"]

_ATTACHED = 100  # artifacts of one type that are looked at
_ACCEPTED = ", ".join(sorted(MediaType.INDEXES | MediaType.MANIFESTS))


@contextmanager
def open_registry(text: str) -> Iterator[RegistrySource]:
    """`[http://]host/name:tag` or `…@sha256:…` as a source; CogError for what is no such name.

    The scheme may be given to speak plain HTTP with a registry on another machine.
    """
    place = Place.parse(text)
    with place.open() as repository:
        yield RegistrySource(text, repository, place.digest or place.reference.tag)


class RegistrySource:
    """A Source over one repository; `reference` is a tag or the digest of a manifest or an index."""

    def __init__(self, name: str, repository: Repository, reference: str) -> None:
        self.name = name
        self._repository, self._reference = repository, reference

    @property
    def reference(self) -> Reference:
        """As in Source; `latest` when the image is named by its digest."""
        tag = "latest" if self._reference.startswith("sha256:") else self._reference
        return Reference(self._repository.host, self._repository.path, tag)

    def images(self, only: Platform | None = None) -> list[StoredImage]:
        """As in Source; of an index, what is for one platform alone, where that is said."""
        with Download(self._repository, f"manifests/{self._reference}", _ACCEPTED) as body:
            data, media_type = _limited(body, f"the manifest of {self.name}", MANIFEST_LIMIT), body.media_type
        digest = sha256(data)
        if self._reference.startswith("sha256:") and digest != self._reference:
            raise AlteredBlobError(f"{self.name}: manifest", expected=self._reference, actual=digest)
        if media_type not in MediaType.INDEXES | MediaType.MANIFESTS:
            raise CogError(f"{self.name} is of type {media_type or 'unknown'}, which is no image that can be read")

        def read(descriptor: Descriptor, kind: Kind, *, limit: int) -> bytes:
            return data if descriptor.digest == digest else self._document(descriptor, kind, limit=limit)

        root = Blob.model_validate({"mediaType": media_type, "digest": digest, "size": len(data)})
        return images(self.name, [root], read, only)

    @contextmanager
    def blob(self, descriptor: Descriptor) -> Iterator[BinaryIO]:
        """As in Source. Where a connection breaks, the next one takes the blob up."""
        with Download(self._repository, f"blobs/{descriptor.digest}") as body:
            yield cast("BinaryIO", verified(body.read, descriptor, f"{self.name}: blob {descriptor.digest}"))

    def find(self, digest: Digest) -> bytes | None:
        """As in Source: a blob of the repository, or a manifest."""
        for path, accept in ((f"blobs/{digest}", "*/*"), (f"manifests/{digest}", _ACCEPTED)):
            try:
                with Download(self._repository, path, accept) as body:
                    data = _limited(body, f"{self.name}: {digest}", CONFIG_LIMIT)
            except RegistryError as error:
                if error.status != requests.codes.not_found:
                    raise
            else:
                if sha256(data) != digest:
                    raise AlteredBlobError(f"{self.name}: {digest}", expected=digest, actual=sha256(data))
                return data
        return None

    def attached(self, image: StoredImage, artifact_type: str) -> list[bytes]:
        """As in Source: from the registry's list of referrers, and from the tag that takes its place."""
        found = []
        for digest in Referrers(self._repository).of(image.descriptor.digest, artifact_type)[:_ATTACHED]:
            manifest = self.find(digest)
            part = document_about(image, artifact_type, manifest) if manifest else None
            document = self.find(part.digest) if part else None
            if document is not None:
                found.append(document)
        return found

    def _document(self, descriptor: Descriptor, kind: Kind, *, limit: int) -> bytes:
        path = f"{'blobs' if kind == 'configuration' else 'manifests'}/{descriptor.digest}"
        with Download(self._repository, path, descriptor.media_type) as body:
            return whole(body.read, descriptor, f"{self.name}: {kind} {descriptor.digest}", limit=limit)


def _limited(body: Download, name: str, limit: int) -> bytes:
    """A document whose size nobody has promised."""
    data = Stream(body.read).read(limit + 1) or b""
    if len(data) > limit:
        raise CogError(f"{name} is larger than {limit} bytes, which no document of its kind is")
    return data
