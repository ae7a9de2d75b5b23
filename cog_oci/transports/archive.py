"""One tar that is an OCI layout and a `docker save` archive over the same blobs.

`docker load` (from 20.10, the classic store and containerd's), `podman load`, `skopeo` and `ctr import` take it
(image-spec, image-layout.md; the `manifest.json` form is that of Docker's image specification 1.2).
"""

from __future__ import annotations

import os
import shutil
import tarfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from cog_oci.errors import CogError
from cog_oci.oci import EPOCH, MediaType, canonical_json
from cog_oci.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cog_oci.oci import Image, Reference
    from cog_oci.progress import Progress
    from cog_oci.store import Store

__all__ = ["write", "write_file"]

_BLOCK = 512


def write_file(path: Path, image: Image, reference: Reference, store: Store, progress: Progress = SILENT) -> None:
    """The archive as a file: the old one, or nothing, until the new one is whole."""
    try:
        with _replacing(path) as file:
            write(file, image, reference, store, progress)
    except FileNotFoundError as error:
        if error.filename == str(path.parent) or not path.parent.is_dir():
            raise CogError(f"there is no folder {path.parent} to write {path.name} into") from None
        raise


def write(sink: BinaryIO, image: Image, reference: Reference, store: Store, progress: Progress = SILENT) -> None:
    """The archive to a file or a pipe, small documents first, so that a reader knows early what comes."""
    blobs = list({layer.descriptor.digest: layer.descriptor for layer in image.layers}.values())
    with progress.task("writing the archive", sum(blob.size for blob in blobs)) as task:
        _document(sink, "oci-layout", canonical_json({"imageLayoutVersion": "1.0.0"}))
        _document(sink, "index.json", _index(image, reference))
        _document(sink, "manifest.json", _docker_manifest(image, reference))
        sink.writelines(_header(folder + "/", 0, kind=tarfile.DIRTYPE) for folder in ("blobs", "blobs/sha256"))
        _document(sink, _blob(image.descriptor.digest), image.manifest_document)
        _document(sink, _blob(image.config_descriptor.digest), image.config_document)
        for blob in blobs:
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
    except (OSError, AttributeError):  # a pipe, another file system, another operating system
        pass
    if left:
        source.seek(size - left)
        shutil.copyfileobj(source, sink, 1 << 20)


def _index(image: Image, reference: Reference) -> bytes:
    annotations = {
        "io.containerd.image.name": reference.full,
        "org.opencontainers.image.ref.name": reference.tag,
    }
    platform = {"architecture": image.platform.architecture, "os": image.platform.os}
    manifest = {**image.descriptor.to_json(), "platform": platform, "annotations": annotations}
    return canonical_json({"schemaVersion": 2, "mediaType": MediaType.INDEX, "manifests": [manifest]})


def _docker_manifest(image: Image, reference: Reference) -> bytes:
    return canonical_json(
        [
            {
                "Config": _blob(image.config_descriptor.digest),
                "RepoTags": [reference.familiar],
                "Layers": [_blob(layer.descriptor.digest) for layer in image.layers],
            }
        ]
    )


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
