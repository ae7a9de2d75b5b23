"""An OCI image layout (image-spec, image-layout.md), read where it is: a folder, or a tar of one."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, Literal, cast

from pydantic import BaseModel, Field

from cog_oci.documents import Index, parse
from cog_oci.oci import Descriptor, Digest, parse_digest
from cog_oci.reference import Reference
from cog_oci.transports._artifact import ARTIFACT_LIMIT, SUBJECT, document_about
from cog_oci.transports._files import document
from cog_oci.transports._sizes import CONFIG_LIMIT, MANIFEST_LIMIT
from cog_oci.transports._verified import AlteredBlobError, verified, whole
from cog_oci.transports._walk import images

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cog_oci.oci import StoredImage
    from cog_oci.transports._files import Files

__all__ = ["LayoutSource"]


class _Version(BaseModel):
    version: Literal["1.0.0"] = Field(alias="imageLayoutVersion")


class LayoutSource:
    """A Source over the files of a layout."""

    def __init__(self, files: Files) -> None:
        self.name = files.name
        self._files = files
        parse(_Version, document(files, "oci-layout", limit=MANIFEST_LIMIT), f"{self.name}: oci-layout")
        self._index = parse(Index, document(files, "index.json", limit=MANIFEST_LIMIT), f"{self.name}: index.json")

    @property
    def reference(self) -> Reference | None:
        """As in Source: the full name, which containerd, Docker and we annotate; the layout's own is only a tag."""
        names = (entry.annotations.get("io.containerd.image.name") for entry in self._index.manifests)
        return next((Reference.parse(name) for name in names if name), None)

    def images(self) -> list[StoredImage]:
        """As in Source: what index.json names, in its order."""
        return images(self.name, self._index.manifests, self._document)

    @contextmanager
    def blob(self, descriptor: Descriptor) -> Iterator[BinaryIO]:
        """As in Source."""
        path = _path(descriptor.digest)
        name = f"{self.name}: blob {descriptor.digest}"
        size = self._files.size(path)
        if size is not None and size != descriptor.size:
            raise AlteredBlobError(name, expected=f"{descriptor.size} bytes", actual=f"{size}")
        with self._files.reading(path) as read:
            yield cast("BinaryIO", verified(read, descriptor, name))

    def find(self, digest: Digest) -> bytes | None:
        """As in Source."""
        size = self._files.size(_path(digest))
        if size is None:
            return None
        return self._document(Descriptor("application/octet-stream", digest, size), "document", limit=CONFIG_LIMIT)

    def attached(self, image: StoredImage, artifact_type: str) -> list[bytes]:
        """As in Source. No index names them, as tools that want one image see no further: they are looked for."""
        found = []
        names = [name for name in self._files.names("blobs/sha256/") if re.fullmatch("[0-9a-f]{64}", name)]
        for digest in sorted(Digest(f"sha256:{name}") for name in names):
            size = self._files.size(_path(digest)) or 0
            if size <= ARTIFACT_LIMIT and (data := self.find(digest)) and SUBJECT in data:
                part = document_about(image, artifact_type, data)
                document = self.find(part.digest) if part else None
                if document is not None:
                    found.append(document)
        return found

    def _document(self, descriptor: Descriptor, kind: str, *, limit: int) -> bytes:
        with self._files.reading(_path(descriptor.digest)) as read:
            return whole(read, descriptor, f"{self.name}: {kind} {descriptor.digest}", limit=limit)


def _path(digest: Digest) -> str:
    return "blobs/" + parse_digest(digest).replace(":", "/")
