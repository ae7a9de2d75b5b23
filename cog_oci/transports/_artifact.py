"""Documents about an image, each kept as an artifact whose manifest names the image (image-spec v1.1, §manifest.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cog_oci.documents import Manifest, parse
from cog_oci.errors import CogError
from cog_oci.oci import Descriptor

if TYPE_CHECKING:
    from cog_oci.oci import StoredImage

__all__ = ["ARTIFACT_LIMIT", "SUBJECT", "document_about"]

ARTIFACT_LIMIT = 64 << 10
"""Bytes of such a manifest at most: it lists one document."""
SUBJECT = b'"subject"'
"""What is in every such manifest: who looks for them among other blobs need not parse those without it."""


def document_about(image: StoredImage, artifact_type: str, data: bytes) -> Descriptor | None:
    """The one document of the artifact with this manifest; None when it is about something else, or of another form."""
    try:
        manifest = parse(Manifest, data, "an artifact")
    except CogError:
        return None  # not a manifest at all
    # §manifest.md, "guidelines for artifact usage": without a type of its own it has that of its configuration.
    kind = manifest.artifact_type or manifest.config.media_type
    about = manifest.subject.digest if manifest.subject else None
    if about != image.descriptor.digest or kind != artifact_type or len(manifest.layers) != 1:
        return None
    return Descriptor.of(manifest.layers[0])
