"""One tar that is an OCI layout and a `docker save` archive over the same blobs.

`docker load` (from 20.10, the classic store and containerd's), `podman load`, `skopeo` and `ctr import` take it
(image-spec, image-layout.md; the `manifest.json` form is that of Docker's image specification 1.2).
"""

from __future__ import annotations

import os
import shutil
import tarfile
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, BinaryIO

from cog_oci.errors import CogError
from cog_oci.oci import EPOCH, Descriptor, MediaType, canonical_json, index_document, sha256
from cog_oci.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from cog_oci.oci import DiffID, StoredImage, StoredLayer
    from cog_oci.progress import Progress
    from cog_oci.reference import Reference
    from cog_oci.store import Store

__all__ = ["Archive", "begin", "write", "write_file"]

_BLOCK = 512


@dataclass(frozen=True)
class Archive:
    """What goes into an archive: one image, or one for each of several platforms; documents of `store` beside it.

    `attached` are documents that belong to the images and that no manifest of theirs names. Blobs of the layers
    `left_out` are not in it: whoever reads it has them.
    """

    images: Sequence[StoredImage]
    reference: Reference
    attached: Sequence[bytes] = ()
    left_out: frozenset[DiffID] = frozenset()

    @cached_property
    def index(self) -> bytes | None:
        """The image index, when there are several platforms."""
        return index_document(self.images) if len(self.images) > 1 else None

    def beyond(self, *others: Sequence[str]) -> Archive:
        """Without the layers of the image that it has in common with one of these, from the bottom up.

        Each of `others` is the diff IDs of an image that the reader has, bottom up; the one that has most is taken.
        """
        layers = self.images[0].layers
        same = max((_same(layers, other) for other in others), default=0)
        above = {layer.diff_id for layer in layers[same:]}
        return replace(self, left_out=frozenset(layer.diff_id for layer in layers[:same]) - above)

    @property
    def descriptor(self) -> Descriptor:
        """What a registry would call the whole: the index, or the one image's manifest."""
        if self.index is None:
            return self.images[0].descriptor
        return Descriptor(MediaType.INDEX, sha256(self.index), len(self.index))

    @property
    def layout_index(self) -> bytes:
        """index.json of the layout: the whole, by its name. Single-image tools refuse to see anything besides."""
        annotations = {
            "io.containerd.image.name": self.reference.full,
            "org.opencontainers.image.ref.name": self.reference.tag,
        }
        entry = {**self.descriptor.to_json(), "annotations": annotations}
        if self.index is None:
            entry["platform"] = self.images[0].platform.to_json()
        return canonical_json({"schemaVersion": 2, "mediaType": MediaType.INDEX, "manifests": [entry]})

    @property
    def documents(self) -> list[bytes]:
        """Every document but the two that lie outside `blobs`, small, in a fixed order, each once."""
        own = [document for image in self.images for document in (image.manifest, image.config)]
        return list(dict.fromkeys([*([self.index] if self.index else []), *own, *self.attached]))

    @property
    def blobs(self) -> list[Descriptor]:
        """Every layer's blob, once."""
        layers = (layer for image in self.images for layer in image.layers if layer.diff_id not in self.left_out)
        return list({layer.descriptor.digest: layer.descriptor for layer in layers}.values())


def write_file(path: Path, archive: Archive, store: Store, progress: Progress = SILENT) -> None:
    """The archive as a file: the old one, or nothing, until the new one is whole.

    A device or a pipe takes the bytes and stays what it is, and so does a link to a file. Raises CogError for a folder.
    """
    if path.is_dir():
        raise CogError(f"{path} is a folder", hint=f"name a file in it, as in {path.name}/image.tar")
    if path.exists() and not path.is_file():
        with path.open("wb") as sink:
            write(sink, archive, store, progress)
        return
    if path.is_symlink():
        path = path.resolve()
    try:
        with _replacing(path) as file:
            write(file, archive, store, progress)
    except FileNotFoundError as error:
        if error.filename == str(path.parent) or not path.parent.is_dir():
            raise CogError(f"there is no folder {path.parent} to write {path.name} into") from None
        raise


def begin(sink: BinaryIO) -> None:
    """What every archive begins with, whatever comes then."""
    _document(sink, "oci-layout", canonical_json({"imageLayoutVersion": "1.0.0"}))


def write(sink: BinaryIO, archive: Archive, store: Store, progress: Progress = SILENT, *, begun: bool = False) -> None:
    """The archive to a file or a pipe, small documents first, so that a reader knows early what comes.

    `begun` says that `begin` has been called with this sink.
    """
    with progress.task("writing the archive", sum(blob.size for blob in archive.blobs)) as task:
        if not begun:
            begin(sink)
        _document(sink, "index.json", archive.layout_index)
        _document(sink, "manifest.json", _docker_manifest(archive))
        sink.writelines(_header(folder + "/", 0, kind=tarfile.DIRTYPE) for folder in ("blobs", "blobs/sha256"))
        for document in archive.documents:
            _document(sink, _blob(sha256(document)), document)
        for blob in archive.blobs:
            sink.write(_header(_blob(blob.digest), blob.size))
            with store.path(blob.digest).open("rb") as source:
                _copy(source, sink, blob.size)
            sink.write(bytes(-blob.size % _BLOCK))
            task.advance(blob.size)
        sink.write(bytes(2 * _BLOCK))
        sink.flush()


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    temporary = path.with_name(f".cog-oci-{os.getpid()}-{path.name}")
    try:
        # Unbuffered: blobs go from file to file inside the kernel, past any buffer of ours.
        with temporary.open("wb", buffering=0) as file:
            yield file
        # Not renamed over the old one: ext4 would then write all of the new one to disk before it goes on. Whoever
        # looks in between finds nothing, never a part.
        path.unlink(missing_ok=True)
        temporary.rename(path)
    finally:
        temporary.unlink(missing_ok=True)


def _copy(source: BinaryIO, sink: BinaryIO, size: int) -> None:
    """In the kernel where both ends are files that allow it (on some file systems nothing is copied at all)."""
    left = size
    try:
        while left and (done := os.copy_file_range(source.fileno(), sink.fileno(), left)):
            left -= done
    except (OSError, AttributeError):  # a pipe, a connection, another file system, another operating system
        pass
    if left:
        source.seek(size - left)
        shutil.copyfileobj(source, sink, 1 << 20)


def _docker_manifest(archive: Archive) -> bytes:
    """Of the first platform: one name is one image to the classic store, which would keep the last of several."""
    image = archive.images[0]
    return canonical_json(
        [
            {
                "Config": _blob(sha256(image.config)),
                "RepoTags": [archive.reference.familiar],
                "Layers": [_blob(layer.descriptor.digest) for layer in image.layers],
            }
        ]
    )


def _same(layers: Sequence[StoredLayer], other: Sequence[str]) -> int:
    """How many layers, from the bottom up, are those of the other image."""
    count = 0
    for layer, diff_id in zip(layers, other, strict=False):
        if layer.diff_id != diff_id:
            break
        count += 1
    return count


def _blob(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")


def _document(sink: BinaryIO, name: str, data: bytes) -> None:
    sink.write(_header(name, len(data)))
    sink.write(data)
    sink.write(bytes(-len(data) % _BLOCK))


def _header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.type = size, EPOCH, kind
    info.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
    return info.tobuf(tarfile.PAX_FORMAT)
