"""Debs made on the spot by the standard library's tar writer: what the tests of layers put into a store."""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import struct
import tarfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import zstandard

from cog_oci.layers._tar import Bytes, Entry, in_order
from cog_oci.layers.debs import DebLayer
from cog_oci.lock import Deb
from cog_oci.store import Store

COMPRESS = {
    "": lambda data: data,
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.ZstdCompressor().compress,
}


def file(data: bytes = b"", mode: int = 0o644, **fields):
    """A member that is a file; `fields` are those of tarfile.TarInfo."""
    return {"type": tarfile.REGTYPE, "data": data, "mode": mode, **fields}


def folder(mode: int = 0o755, **fields):
    """A member that is a directory."""
    return {"type": tarfile.DIRTYPE, "mode": mode, **fields}


def symlink(target: str):
    """A member that is a symbolic link."""
    return {"type": tarfile.SYMTYPE, "mode": 0o777, "linkname": target}


def hardlink(target: str):
    """A member that is a hard link to an earlier one, by its name in the archive."""
    return {"type": tarfile.LNKTYPE, "linkname": target}


def tar(members) -> bytes:
    """A GNU tar of (name, member) pairs, as dpkg-deb writes them."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, member in members:
            info = tarfile.TarInfo(name)
            data = member.get("data", b"")
            info.size = len(data)
            for key, value in member.items():
                if key != "data":
                    setattr(info, key, value)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def ar(members: Mapping[str, bytes]) -> bytes:
    """An ar archive (ar(5))."""
    out = [b"!<arch>\n"]
    for name, data in members.items():
        out += [f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode(), data, b"\n" * (len(data) % 2)]
    return b"".join(out)


def deb(
    name: str,
    members=(),
    *,
    version: str = "1.0",
    scripts: Mapping[str, str] | None = None,
    compression: str = ".xz",
    data: bytes | None = None,
    **fields: str,
) -> bytes:
    """A deb; `members` are (path, member) pairs or a mapping, `fields` further control fields with `_` for `-`."""
    control = {"Package": name, "Version": version, "Architecture": "amd64", "Installed-Size": "100"}
    control |= {"Maintainer": "Someone <someone@example.org>", "Description": "a test"}
    control |= {key.replace("_", "-"): value for key, value in fields.items()}
    about = {"control": "".join(f"{key}: {value}\n" for key, value in control.items()), **(scripts or {})}
    pairs = list(members.items()) if isinstance(members, Mapping) else list(members)
    if data is None:
        data = tar([("./", folder()), *(("./" + path, member) for path, member in pairs)])
    return ar(
        {
            "debian-binary": b"2.0\n",
            "control.tar.gz": gzip.compress(tar((f"./{n}", file(t.encode(), 0o755)) for n, t in about.items())),
            f"data.tar{compression}": COMPRESS[compression](data),
        }
    )


def keep(store: Store, content: bytes, name: str = "", layer: str = "base") -> Deb:
    """The deb in the store, locked."""
    digest = store.add(content)
    name = name or hashlib.sha256(content).hexdigest()[:8]
    return Deb(
        name=name,
        version="1.0",
        file=f"pool/main/{name}_1.0_amd64.deb",
        sha256=digest.removeprefix("sha256:"),
        size=len(content),
        archive="debian",
        architecture="amd64",
        layer=layer,
    )


def entries_of(store: Store, *debs: bytes, below: tuple[bytes, ...] = ()) -> dict[str, Entry]:
    """What a layer of these debs is, by path, every content read into memory."""
    own, others = (tuple(keep(store, content) for content in contents) for contents in (debs, below))
    with DebLayer("trixie", own, others).open(store) as entries:
        return {
            entry.path: entry
            if entry.content is None
            else replace(entry, content=Bytes(b"".join(entry.content.chunks())))
            for entry in in_order(entries)
        }


def shared_object(soname: str = "", *, machine: int = 62, kind: int = 3) -> bytes:
    """A 64-bit little-endian ELF file with a dynamic section and nothing else (System V gABI, chapters 4 and 5)."""
    names = b"\0" + soname.encode() + b"\0"
    start = 64 + 2 * 56
    tags = [(5, start), (10, len(names)), *([(14, 1)] if soname else []), (0, 0)]
    dynamic = b"".join(struct.pack("<qQ", *tag) for tag in tags)
    size = start + len(names) + len(dynamic)
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", kind, machine, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    load = struct.pack("<IIQQQQQQ", 1, 4, 0, 0, 0, size, size, 0x1000)
    where = start + len(names)
    segment = struct.pack("<IIQQQQQQ", 2, 4, where, where, where, len(dynamic), len(dynamic), 8)
    return header + load + segment + names + dynamic


def lay_out(entries: Mapping[str, Entry], root: Path) -> None:
    """The entries as files below a new folder, owned by whoever runs the test."""
    root.mkdir()
    for entry in in_order(entries.values()):
        path = root / entry.path
        if entry.kind == "directory":
            path.mkdir()
        elif entry.kind == "symlink":
            path.symlink_to(entry.target)
        elif entry.kind == "file":
            path.write_bytes(b"".join(entry.content.chunks()))
            path.chmod(entry.mode)
        else:
            path.hardlink_to(root / entry.target)
