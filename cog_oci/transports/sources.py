"""Images that exist, wherever they are kept: an archive, a folder, a registry.

Everything is read where it is; nothing of it is believed before its digest has been taken.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from cog_oci.errors import CogError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from cog_oci.oci import Descriptor, Digest, StoredImage
    from cog_oci.reference import Reference

__all__ = ["Source", "open_source"]


class Source(Protocol):
    """A place that holds an image, or the image for several platforms."""

    @property
    def name(self) -> str:
        """The place as the user wrote it, without anything secret: for messages."""

    @property
    def reference(self) -> Reference | None:
        """What the image is called there; None when it has no name."""

    def images(self) -> list[StoredImage]:
        """Every image, in the order of the index; a CogError when there is none, or one that cannot be read."""

    def blob(self, descriptor: Descriptor) -> AbstractContextManager[BinaryIO]:
        """The bytes as stored, to be read from front to back.

        Reading to the end raises AlteredBlobError (a DigestMismatchError) for bytes that are not those described,
        after they have been given.
        """

    def find(self, digest: Digest) -> bytes | None:
        """A small document, verified; None when the place does not have it."""

    def attached(self, image: StoredImage, artifact_type: str) -> list[bytes]:
        """The documents of this type that are about the image, each one verified, in the order of their digests."""


@contextmanager
def open_source(text: str) -> Iterator[Source]:
    """The image that the user means, open for reading.

    A folder is an OCI layout; a file is a tar of one, or a `docker save` archive; everything else names an image in a
    registry: `host/name:tag` or `host/name@sha256:…`. Raises CogError for what is none of them.
    """
    path = Path(os.path.expanduser(text))  # noqa: PTH111 - pathlib raises for a user who is not known
    if path.is_dir():
        from cog_oci.transports._files import FolderFiles  # noqa: PLC0415 - each kind loads what it needs
        from cog_oci.transports._layout_source import LayoutSource  # noqa: PLC0415 - likewise

        yield LayoutSource(FolderFiles(path))
    elif path.is_file():
        yield _archive(path)
    elif path.exists():
        raise CogError(f"{text} is neither a file nor a folder", hint="write the archive to a file first")
    elif text.startswith((".", "/", "~")) or text.endswith(".tar"):
        raise CogError(f"there is no file or folder {text}", hint="an image in a registry is named host/name:tag")
    else:
        from cog_oci.transports._registry_source import open_registry  # noqa: PLC0415 - likewise

        with open_registry(text) as source:
            yield source


def _archive(path: Path) -> Source:
    from cog_oci.transports._files import TarFiles  # noqa: PLC0415 - each kind loads what it needs

    files = TarFiles(path)
    if files.size("oci-layout") is not None:
        from cog_oci.transports._layout_source import LayoutSource  # noqa: PLC0415 - likewise

        return LayoutSource(files)
    if files.size("manifest.json") is not None:
        from cog_oci.transports._docker_source import DockerSource  # noqa: PLC0415 - likewise

        return DockerSource(files)
    raise CogError(
        f"{path} is no image: it has neither oci-layout nor manifest.json",
        hint="an archive of an image is what `cog-oci image`, `docker save` or `skopeo copy` write",
    )
