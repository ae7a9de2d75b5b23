"""Small ELF files with what the dynamic linker reads, and layers of them."""

from __future__ import annotations

import io
import struct
import tarfile

from cog_oci.closed_world._layer import LayerFacts, read_facts

_BASE = 0x400000  # where the file is loaded: addresses are not offsets
X86_64, AARCH64, I386 = 62, 183, 3


class _Strings:
    def __init__(self) -> None:
        self.data = b"\0"

    def add(self, text: str) -> int:
        at = len(self.data)
        self.data += text.encode() + b"\0"
        return at


def elf(
    *needed: str,
    soname: str = "",
    rpath: str = "",
    runpath: str = "",
    interpreter: str = "",
    wants: dict[str, list[str]] | None = None,
    weakly: dict[str, list[str]] | None = None,
    has: list[str] | None = None,
    machine: int = X86_64,
    bits: int = 64,
    order: str = "<",
) -> bytes:
    """A program or library: `wants` are versions by library, `has` its own ones."""
    wide = bits == 64
    word = "Q" if wide else "I"
    header_size, segment_size = (64, 56) if wide else (52, 32)
    strings = _Strings()
    tags: list[tuple[int, int]] = [(1, strings.add(name)) for name in needed]
    for tag, text in ((14, soname), (15, rpath), (29, runpath)):
        if text:
            tags.append((tag, strings.add(text)))
    need = _needs(strings, order, wants or {}, weakly or {})
    definitions = _definitions(strings, order, soname, has or [])
    start = header_size + 3 * segment_size
    blocks = [interpreter.encode() + b"\0", strings.data, need, definitions]
    offsets = [start + sum(map(len, blocks[:number])) for number in range(5)]
    tags += [(5, _BASE + offsets[1]), (10, len(strings.data))]
    if need:
        tags += [(0x6FFFFFFE, _BASE + offsets[2]), (0x6FFFFFFF, len({**(wants or {}), **(weakly or {})}))]
    if definitions:
        tags += [(0x6FFFFFFC, _BASE + offsets[3]), (0x6FFFFFFD, len(has or []) + 1)]
    dynamic = b"".join(struct.pack(f"{order}{word}{word}", *row) for row in [*tags, (0, 0)])
    whole = offsets[4] + len(dynamic)

    def segment(kind: int, offset: int, size: int) -> bytes:
        if wide:
            return struct.pack(f"{order}IIQQQQQQ", kind, 4, offset, _BASE + offset, 0, size, size, 8)
        return struct.pack(f"{order}8I", kind, offset, _BASE + offset, 0, size, size, 4, 8)

    ident = b"\x7fELF" + bytes([2 if wide else 1, 1 if order == "<" else 2, 1]) + bytes(9)
    header = ident + struct.pack(
        f"{order}HHI{word * 3}I6H", 3, machine, 1, 0, header_size, 0, 0, header_size, segment_size, 3, 64, 0, 0
    )
    segments = [
        segment(1, 0, whole),
        segment(2, offsets[4], len(dynamic)),
        segment(3 if interpreter else 6, offsets[0], len(blocks[0])),
    ]
    return header + b"".join(segments) + b"".join(blocks) + dynamic + bytes(64)


def _needs(strings: _Strings, order: str, wants: dict[str, list[str]], weakly: dict[str, list[str]]) -> bytes:
    rows = []
    libraries = {
        name: [*((v, 0) for v in wants.get(name, ())), *((v, 2) for v in weakly.get(name, ()))]
        for name in {**wants, **weakly}
    }
    for number, (library, versions) in enumerate(libraries.items(), 1):
        size = 16 * (1 + len(versions))
        last = number == len(libraries)
        row = struct.pack(f"{order}HHIII", 1, len(versions), strings.add(library), 16, 0 if last else size)
        for at, (version, flags) in enumerate(versions, 1):
            row += struct.pack(f"{order}IHHII", 0, flags, 0, strings.add(version), 0 if at == len(versions) else 16)
        rows.append(row)
    return b"".join(rows)


def _definitions(strings: _Strings, order: str, soname: str, has: list[str]) -> bytes:
    if not has:
        return b""
    rows = [(1, soname), *((0, name) for name in has)]
    return b"".join(
        struct.pack(f"{order}HHHHIII", 1, flags, number, 1, 0, 20, 0 if number == len(rows) else 28)
        + struct.pack(f"{order}II", strings.add(name), 0)
        for number, (flags, name) in enumerate(rows, 1)
    )


def layer(files: dict[str, bytes | str | tuple[str]]) -> bytes:
    """A layer's tar: bytes are files, text is where a symbolic link leads, a tuple has a hard link's target.

    A path that ends in a slash is a folder.
    """
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, content in files.items():
            info = tarfile.TarInfo(path.rstrip("/"))
            if path.endswith("/"):
                info.type = tarfile.DIRTYPE
            elif isinstance(content, bytes):
                info.size = len(content)
            else:
                info.type = tarfile.SYMTYPE if isinstance(content, str) else tarfile.LNKTYPE
                info.linkname = content if isinstance(content, str) else content[0]
            archive.addfile(info, io.BytesIO(content) if isinstance(content, bytes) else None)
    return whole.getvalue()


def facts(files: dict[str, bytes | str | tuple[str]]) -> LayerFacts:
    """What is known of a layer with these files."""
    return read_facts(io.BytesIO(layer(files)), "test")


def cache(**libraries: str) -> bytes:
    """An ld.so.cache: names (with `__` for a dot) and paths."""
    rows = [(name.replace("__", "."), path) for name, path in libraries.items()]
    start = 48 + 24 * len(rows)
    table, entries = b"", b""
    for name, path in rows:
        at = start + len(table)
        entries += struct.pack("<IIIIQ", 0x303, at, at + len(name) + 1, 0, 0)
        table += name.encode() + b"\0" + path.encode() + b"\0"
    return struct.pack("<20sIIB3xI12x", b"glibc-ld.so.cache1.1", len(rows), len(table), 2, 0) + entries + table
