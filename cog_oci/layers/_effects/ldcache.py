"""/etc/ld.so.cache as ldconfig(8) writes it, and the soname links that it makes.

The format is glibc's `glibc-ld.so.cache1.1` (sysdeps/generic/dl-cache.h, elf/cache.c): a header, entries sorted so that
the dynamic linker can search them, one string table, and an extension block with the generator's name. A wrong order
makes the linker miss libraries without a word. Given the same libraries the bytes are those of glibc's own ldconfig,
except that libraries of other machines are never listed: glibc's for arm64 takes them for its own.
Directories below `glibc-hwcaps` are not listed: libraries there are variants, and the plain ones are found.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from cog_oci.layers._deb import Slice
from cog_oci.layers._effects.elf import read_shared_object
from cog_oci.layers._tar import Entry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from cog_oci.layers._deb import Package
    from cog_oci.layers._effects.tree import Tree

__all__ = ["Library", "cache", "ldcache"]

_MAGIC = b"glibc-ld.so.cache1.1"
_HEADER = struct.Struct("<20sIIB3xI12x")
_ENTRY = struct.Struct("<IIIIQ")
_LITTLE_ENDIAN = 2
_EXTENSION = struct.Struct("<IIIIII")
_EXTENSION_MAGIC = 0xEAA42174
_GENERATOR = 0
_ELF_LIBC6 = 0x3
_FLAGS = {"amd64": _ELF_LIBC6 | 0x0300, "arm64": _ELF_LIBC6 | 0x0A00}
_MACHINES = {"amd64": 62, "arm64": 183}
"""By Debian's architecture the e_machine of its libraries: EM_X86_64 and EM_AARCH64."""
_DIRECTORIES = ("lib", "usr/lib")
_NAME = re.compile(r"(?:lib|ld-).*\.so.*", re.DOTALL)
_NOT_LIBRARIES = re.compile(r".*(?:-gdb\.py|;[0-9a-fA-F]{8}|\.dpkg-(?:new|tmp))", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Library:
    """What the cache says: a name that programs ask for, and the absolute path that has it."""

    soname: str
    path: str
    flags: int


def ldcache(tree: Tree, packages: Mapping[str, Package]) -> Iterator[Entry]:
    """The cache, and the links from sonames to libraries whose packages bring none."""
    if "libc-bin" not in packages:
        return
    architecture = packages["libc-bin"].fields["Architecture"]
    libraries: list[Library] = []
    seen: set[str | None] = {None}
    for directory in _directories(tree):
        if (resolved := tree.resolve(directory)) in seen:
            continue
        seen.add(resolved)
        for soname, name in sorted(_sonames(tree, directory, _MACHINES[architecture]).items()):
            libraries.append(Library(soname, f"/{directory}/{soname}", _FLAGS[architecture]))
            if f"{directory}/{soname}" not in tree:
                yield Entry.symlink(f"{resolved}/{soname}", name)
    yield Entry.file("etc/ld.so.cache", cache(libraries, _generator(packages["libc-bin"])))


def cache(libraries: Iterable[Library], generator: str) -> bytes:
    """The file for these libraries; among equal sonames the one given first is found first."""
    rows = sorted(libraries, key=lambda library: _order(library.soname), reverse=True)
    start = _HEADER.size + _ENTRY.size * len(rows)
    table, offsets = _strings({text for row in rows for text in (row.soname, row.path)}, start)
    extension = -(-(start + len(table)) // 4) * 4
    name = generator.encode()
    return b"".join(
        (
            _HEADER.pack(_MAGIC, len(rows), len(table), _LITTLE_ENDIAN, extension),
            *(_ENTRY.pack(row.flags, offsets[row.soname], offsets[row.path], 0, 0) for row in rows),
            table,
            bytes(extension - start - len(table)),
            _EXTENSION.pack(_EXTENSION_MAGIC, 1, _GENERATOR, 0, extension + _EXTENSION.size, len(name)),
            name,
        )
    )


def _order(soname: str) -> list[tuple[bool, int]]:
    """The order that the linker searches by (dl-cache.c, _dl_cache_libcmp): digits as numbers, above all else."""
    return [
        (True, int(digits)) if digits else (False, ord(other)) for digits, other in re.findall(r"([0-9]+)|(.)", soname)
    ]


def _strings(texts: Iterable[str], start: int) -> tuple[bytes, dict[str, int]]:
    """NUL-terminated strings, one that ends another sharing its bytes, and where each begins.

    Sorted downwards from their ends, a longer one before those it ends in: each stands right behind what it shares.
    """
    table = bytearray()
    offsets: dict[str, int] = {}
    host = b""
    for data in sorted((text.encode() for text in texts), key=lambda data: [*(-c for c in data[::-1]), 1]):
        if not host.endswith(data):
            table += data + b"\0"
            host = data
        offsets[data.decode()] = start + len(table) - 1 - len(data)
    return bytes(table), offsets


def _sonames(tree: Tree, directory: str, machine: int) -> dict[str, str]:
    """Sonames in a directory, of libraries for this machine: the file that has each (of several, the latest version).

    A link `libx.so` to what calls itself `libx.so.1` is what ld(1) looks for; ldconfig lists it by its own name.
    """
    found: dict[str, str] = {}
    for name in sorted(tree.children(directory), key=_order):
        if not _NAME.fullmatch(name) or _NOT_LIBRARIES.fullmatch(name):
            continue
        content = tree.content(f"{directory}/{name}")
        library = read_shared_object(content.read) if isinstance(content, Slice) else None
        if library is None or library.machine != machine:
            continue
        soname = library.soname or name
        entry = tree.at(f"{tree.resolve(directory)}/{name}")
        if entry is not None and entry.kind == "symlink" and name.endswith(".so") and soname.startswith(name):
            soname = name
        found[soname] = name
    return found


def _directories(tree: Tree) -> list[str]:
    """The directories that ldconfig searches, in its order, without the slash at the beginning."""
    configured = _configured(tree, "etc/ld.so.conf") if "etc/ld.so.conf" in tree else []
    return [*configured, *_DIRECTORIES]


def _configured(tree: Tree, path: str) -> list[str]:
    """The directories that a configuration file names (ldconfig(8)), files that it includes in their places."""
    found: list[str] = []
    for row in tree.read(path).decode("utf-8", "replace").split("\n"):
        words = row.partition("#")[0].replace(",", " ").replace(":", " ").split()
        if words[:1] == ["include"]:
            for pattern in words[1:]:
                folder, _, last = (pattern if pattern.startswith("/") else f"/etc/{pattern}").rpartition("/")
                for name in tree.children(folder):
                    if fnmatchcase(name, last):
                        found += _configured(tree, f"{folder}/{name}".lstrip("/"))
        else:
            found += [word.strip("/") for word in words if word.startswith("/")]
    return found


def _generator(package: Package) -> str:
    """What ldconfig of this package calls itself in the caches that it writes."""
    version = package.fields["Version"]
    return f"ldconfig (Debian GLIBC {version}) stable release version {version.partition('-')[0]}"
