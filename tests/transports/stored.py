"""Small images for the tests that read them back: made of real tars, written as archives, layouts and by skopeo."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path

import zstandard

from cog_oci.oci import Descriptor, DiffID, Image, ImageConfig, LayerBlob, MediaType, Platform, sha256
from cog_oci.reference import Reference
from cog_oci.store import Store

NAME = Reference.parse("me/model:v1")


def tar(**files: bytes) -> bytes:
    """A tar of these files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


RENDER = {
    MediaType.LAYER: bytes,
    MediaType.LAYER_GZIP: lambda plain: gzip.compress(plain, mtime=0),
    MediaType.LAYER_ZSTD: zstandard.ZstdCompressor(threads=1).compress,
}


def layer(store: Store, name: str, plain: bytes, media_type: str = MediaType.LAYER_GZIP) -> LayerBlob:
    """This tar as a layer in the store."""
    data = RENDER[media_type](plain)
    return LayerBlob(name, DiffID(sha256(plain)), Descriptor(media_type, store.add(data), len(data)), len(plain))


def image(store: Store, architecture: str = "amd64", media_type: str = MediaType.LAYER_GZIP, **labels: str) -> Image:
    """Two layers that differ by architecture."""
    plains = {"base": tar(a=b"1" * 5000, architecture=architecture.encode()), "code": tar(b=b"2" * 20_000)}
    layers = tuple(layer(store, name, plain, media_type) for name, plain in plains.items())
    return Image(Platform("linux", architecture), ImageConfig(command=("true",), labels=labels), layers)


def write_layout(folder: Path, store: Store, *images: Image) -> Path:
    """An OCI layout by hand, whose index.json lists the images."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for made in images:
        for data in (made.manifest_document, made.config_document):
            (blobs / sha256(data)[7:]).write_bytes(data)
        for part in made.layers:
            (blobs / part.descriptor.digest[7:]).write_bytes(store.path(part.descriptor.digest).read_bytes())
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    entries = [
        {**m.descriptor.to_json(), "platform": {"os": "linux", "architecture": m.platform.architecture}} for m in images
    ]
    write_index(folder, entries)
    return folder


def write_index(folder: Path, entries: list[dict]) -> None:
    """index.json with these descriptors."""
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": entries}))


def pack(folder: Path, path: Path) -> Path:
    """The folder as an uncompressed tar."""
    with tarfile.open(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.add(file, file.relative_to(folder).as_posix(), recursive=False)
    return path
