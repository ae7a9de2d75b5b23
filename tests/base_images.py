"""Base images for tests: as small as one can be that has a Python, in a registry on loopback."""

from __future__ import annotations

import gzip
import json
import struct
import tarfile

import zstandard

from cog_oci.oci import MediaType, canonical_json, sha256
from tests.image_maker import member, tar

ENV = ("PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", "PYTHON_VERSION=3.12.7", "PYTHONPATH=/theirs", "COG_X=1")
_MACHINES = {"amd64": 62, "arm64": 183}
LINKERS = {"amd64": "/lib64/ld-linux-x86-64.so.2", "arm64": "/lib/ld-linux-aarch64.so.1"}


def elf(architecture: str = "amd64", linker: str | None = None) -> bytes:
    """The beginning of a program: its header and one segment that names the dynamic linker (none for an empty name)."""
    name = (LINKERS[architecture] if linker is None else linker).encode()
    count = 1 if name else 0
    header = struct.pack(
        "<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 3, _MACHINES[architecture], 1, 0, 64, 0, 0, 64, 56, count, 0, 0, 0
    )
    segment = struct.pack("<IIQQQQQQ", 3, 4, 120, 0, 0, len(name) + 1, len(name) + 1, 1) if name else b""
    return header + segment + name + b"\0"


def link(name: str, target: str) -> tuple:
    return member(name, kind=tarfile.SYMTYPE, linkname=target)


def system(glibc: str = "2.36", architecture: str = "amd64", release: str = "bookworm") -> list[tuple]:
    """A C library where Debian has it, and what Debian says of itself."""
    triplet = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}[architecture]
    linker = LINKERS[architecture].rpartition("/")[2]
    return [
        link("lib", "usr/lib"),
        link("lib64", "usr/lib64"),
        link("bin", "usr/bin"),
        link(f"usr{LINKERS[architecture]}", f"../lib/{triplet}/{linker}"),
        member(f"usr/lib/{triplet}/{linker}", b"\x7fELF"),
        member(
            f"usr/lib/{triplet}/libc.so.6",
            f"...GNU C Library (Debian GLIBC {glibc}-9) stable release version {glibc}.\n".encode(),
        ),
        member("usr/lib/os-release", f'ID=debian\nVERSION_CODENAME={release}\nPRETTY_NAME="Debian"\n'.encode()),
    ]


def python(version: str = "3.12.7", prefix: str = "usr/local", architecture: str = "amd64") -> list[tuple]:
    """A Python under a prefix, with its headers."""
    minor = version.rpartition(".")[0]
    return [
        member(f"{prefix}/bin/python{minor}", elf(architecture), mode=0o755),
        link(f"{prefix}/bin/python3", f"python{minor}"),
        link(f"{prefix}/bin/python", "python3"),
        member(f"{prefix}/lib/python{minor}/os.py", b"sep = '/'\n"),
        member(f"{prefix}/include/python{minor}/patchlevel.h", f'#define PY_VERSION      "{version}"\n'.encode()),
    ]


def document(
    repo,
    layers: list[bytes],
    *,
    architecture: str = "amd64",
    media_type: str = MediaType.LAYER_GZIP,
    manifest_type: str = MediaType.MANIFEST,
    **config: object,
) -> dict:
    """An image of these tars in a repository of the strict registry; its descriptor, as an index has it."""
    rendered = [_render(plain, media_type) for plain in layers]
    for data in rendered:
        repo.blobs[sha256(data)] = data
    settings = canonical_json(
        {
            "architecture": architecture,
            "os": "linux",
            "config": {"Env": list(ENV), **config},
            "rootfs": {"type": "layers", "diff_ids": [sha256(plain) for plain in layers]},
        }
    )
    repo.blobs[sha256(settings)] = settings
    docker = manifest_type == MediaType.DOCKER_MANIFEST
    config_type = "application/vnd.docker.container.image.v1+json" if docker else MediaType.CONFIG
    manifest = canonical_json(
        {
            "schemaVersion": 2,
            "mediaType": manifest_type,
            "config": {"mediaType": config_type, "digest": sha256(settings), "size": len(settings)},
            "layers": [{"mediaType": media_type, "digest": sha256(data), "size": len(data)} for data in rendered],
        }
    )
    repo.manifests[sha256(manifest)] = (manifest_type, manifest)
    return {
        "mediaType": manifest_type,
        "digest": sha256(manifest),
        "size": len(manifest),
        "platform": {"os": "linux", "architecture": architecture},
    }


def tagged(repo, tag: str, *images: dict, index_type: str = MediaType.INDEX) -> str:
    """Several images under one tag as an index, one alone as itself; the digest."""
    if len(images) == 1:
        repo.tags[tag] = images[0]["digest"]
        return images[0]["digest"]
    attestation = {**images[0], "platform": {"os": "unknown", "architecture": "unknown"}, "digest": sha256(b"nowhere")}
    index = json.dumps({"schemaVersion": 2, "mediaType": index_type, "manifests": [*images, attestation]}).encode()
    repo.manifests[sha256(index)] = (index_type, index)
    repo.tags[tag] = sha256(index)
    return sha256(index)


def usual(architecture: str = "amd64", **options: object) -> list[bytes]:
    """Two layers: a Debian, and a Python in it."""
    return [tar(*system(architecture=architecture)), tar(*python(architecture=architecture))]


def _render(plain: bytes, media_type: str) -> bytes:
    if media_type.endswith("gzip"):
        return gzip.compress(plain, mtime=0)
    return zstandard.compress(plain) if media_type.endswith("zstd") else plain
