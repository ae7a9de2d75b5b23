"""An OCI image layout in a folder (image-spec, image-layout.md): what `skopeo`, `umoci` and `podman` call `oci:`."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from cog_oci.errors import CogError
from cog_oci.oci import canonical_json, sha256
from cog_oci.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cog_oci.progress import Progress
    from cog_oci.store import Store
    from cog_oci.transports.archive import Archive

__all__ = ["write_folder"]


def write_folder(folder: Path, archive: Archive, store: Store, progress: Progress = SILENT) -> None:
    """The image as the one that the layout names; blobs of others stay.

    index.json comes last: whoever reads meanwhile sees the old image whole, or the new one. Raises CogError for a
    folder that holds something else.
    """
    if folder.exists() and not folder.is_dir():
        raise CogError(f"{folder} is a file and no folder")
    if folder.exists() and not (folder / "oci-layout").is_file() and any(folder.iterdir()):
        raise CogError(f"{folder} is not empty, and no OCI layout", hint="name a folder that is not there yet")
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True, exist_ok=True)
    _put(folder / "oci-layout", canonical_json({"imageLayoutVersion": "1.0.0"}))
    for document in archive.documents:
        _put(blobs / sha256(document).removeprefix("sha256:"), document)
    with progress.task("writing the layout", sum(blob.size for blob in archive.blobs)) as task:
        for blob in archive.blobs:
            path = blobs / blob.digest.removeprefix("sha256:")
            with store.path(blob.digest).open("rb") as source, _replacing(path) as sink:
                shutil.copyfileobj(source, sink, 1 << 20)
            task.advance(blob.size)
    _put(folder / "index.json", archive.layout_index)


def _put(path: Path, data: bytes) -> None:
    with _replacing(path) as file:
        file.write(data)


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that takes the place of `path` when it is whole."""
    temporary = path.with_name(f".cog-oci-{os.getpid()}-{path.name}")
    try:
        with temporary.open("wb") as file:
            yield file
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
