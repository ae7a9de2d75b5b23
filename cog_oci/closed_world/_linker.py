"""Where the dynamic linker finds a library: ld.so(8), over the files of an image instead of a running system.

What it was told at build time comes first (DT_RPATH, or DT_RUNPATH), then LD_LIBRARY_PATH, /etc/ld.so.cache and the
folders that are always looked through. A library of another architecture is passed over, as it does.
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from functools import cached_property
from typing import TYPE_CHECKING

from cog_oci.contents import Member, Root

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cog_oci.closed_world._elf import Elf
    from cog_oci.closed_world._layer import LayerFacts

__all__ = ["Loaded", "World"]

_TRIPLETS = {(64, 62): "x86_64-linux-gnu", (64, 183): "aarch64-linux-gnu", (32, 3): "i386-linux-gnu"}
"""Debian's folders of libraries, by bits and e_machine."""
_MOST_LINKS = 40
_LIBC = "libc.so.6"


class World:
    """The programs and libraries of an image, and the paths by which they find each other."""

    def __init__(self, layers: Sequence[LayerFacts], library_path: str = "") -> None:
        self._root = Root(_members(layer) for layer in layers)
        facts = [layer.elves for layer in layers]
        self.elves: dict[str, Elf] = {}
        """What a container sees, by path; every content once."""
        self._first: dict[int, str] = {}
        for path in self._root:
            seen = self._root.get(path)
            elf = facts[seen.layer].get(seen.inode.path) if seen and seen.member.kind == "file" else None
            if seen is not None and elf is not None and id(seen.inode) not in self._first:
                self._first[id(seen.inode)] = path
                self.elves[path] = elf
        self._cached: dict[str, list[str]] = defaultdict(list)
        for name, path in next((layer.cache for layer in reversed(layers) if layer.cache is not None), ()):
            self._cached[name].append(path)
        self._library_path = [part for part in library_path.replace(";", ":").split(":") if part]
        self._folders: dict[str, str] = {}
        self._known: dict[tuple[str, str], str | None] = {}

    @cached_property
    def kinds(self) -> frozenset[tuple[int, int]]:
        """The architectures that can run here: those that have a C library of their own."""
        return frozenset(elf.kind for elf in self.elves.values() if elf.soname == _LIBC)

    @cached_property
    def named(self) -> Mapping[str, list[str]]:
        """The files that a library of this name may be, wherever they are."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        for path, elf in self.elves.items():
            for name in {posixpath.basename(path), elf.soname} - {""}:
                found[name].append(path)
        return found

    def find(self, path: str, name: str) -> str | None:
        """What is loaded when the file at `path` asks for a library, nothing being loaded yet; None for nothing."""
        key = path, name
        if key not in self._known:
            elf = self.elves[path]
            folders = [*(() if elf.runpath else self.told(path)), *self._library_path]
            self._known[key] = self.search(name, elf.kind, [*folders, *_expanded(elf.runpath, path, elf)], cached=True)
        return self._known[key]

    def told(self, path: str) -> list[str]:
        """The folders that DT_RPATH of a file names, which count for what it loads, too; none beside DT_RUNPATH."""
        elf = self.elves[path]
        return [] if elf.runpath else _expanded(elf.rpath, path, elf)

    def search(self, name: str, kind: tuple[int, int], folders: Sequence[str], *, cached: bool = False) -> str | None:
        """The first of the folders, then, if `cached`, of the system's places, that has such a library."""
        if "/" in name:
            return self._opened(name, kind) if name.startswith("/") else None
        candidates = [f"{folder}/{name}" for folder in folders]
        if cached:
            candidates += self._cached.get(name, [])
            candidates += [f"{folder}/{name}" for folder in _always(kind)]
        return next((found for path in candidates if (found := self._opened(path, kind)) is not None), None)

    def _opened(self, path: str, kind: tuple[int, int]) -> str | None:
        """The file that this path leads to, if it is a library of this architecture."""
        for _ in range(_MOST_LINKS):
            folder, _, name = path.lstrip("/").rpartition("/")
            if folder not in self._folders:
                self._folders[folder] = posixpath.dirname(self._root.resolve(f"{folder}/-"))
            real = posixpath.join(self._folders[folder], name)
            seen = self._root.get(real)
            if seen is None:
                return None
            if seen.member.kind != "symlink":
                found = self._first.get(id(seen.inode))
                return found if found is not None and self.elves[found].kind == kind else None
            path = posixpath.normpath(posixpath.join("/", self._folders[folder], seen.member.target))
        return None


class Loaded:
    """A program, or a library that one opens, with everything that has to be loaded for it, in the linker's order."""

    def __init__(self, world: World, start: str) -> None:
        self.missing: list[tuple[str, str]] = []
        """Who needs a library that is not found, and its name."""
        self.paths: list[str] = [start]
        self._world, self._kind = world, world.elves[start].kind
        names = {posixpath.basename(start): start, world.elves[start].soname: start}
        loaders: dict[str, str | None] = {start: None}
        for path in self.paths:  # which grows: a library's own libraries come after those of whoever asked for it
            for name in world.elves[path].needed:
                if name in names:
                    continue
                found = world.find(path, name) or self._inherited(path, name, loaders)
                if found is None:
                    self.missing.append((path, name))
                elif found not in loaders:
                    loaders[found] = path
                    self.paths.append(found)
                    names.setdefault(world.elves[found].soname, found)
                if found is not None:
                    names[name] = found

    def _inherited(self, path: str, name: str, loaders: Mapping[str, str | None]) -> str | None:
        """By what those who loaded the file were told: DT_RPATH counts for all below, unless they have DT_RUNPATH."""
        if self._world.elves[path].runpath:
            return None
        folders: list[str] = []
        loader = loaders[path]
        while loader is not None:
            folders += self._world.told(loader)
            loader = loaders[loader]
        return self._world.search(name, self._kind, folders)


def _members(layer: LayerFacts) -> Iterator[Member]:
    for path in (*layer.others, *layer.elves):
        yield Member(path=path.rstrip("/"), kind="directory" if path.endswith("/") else "file")
    for path, target in layer.links.items():
        yield Member(path=path, kind="symlink", target=target)
    for path, target in layer.same.items():
        yield Member(path=path, kind="hardlink", target=target)


def _expanded(paths: str, path: str, elf: Elf) -> list[str]:
    """The folders of a DT_RPATH or DT_RUNPATH, for the file at `path` (ld.so(8), "Dynamic string tokens")."""
    if not paths:
        return []
    triplet = _TRIPLETS.get(elf.kind, "")
    found = paths.replace("${ORIGIN}", "$ORIGIN").replace("$ORIGIN", "/" + posixpath.dirname(path))
    found = found.replace("${LIB}", "$LIB").replace("$LIB", f"lib/{triplet}")
    return [posixpath.normpath(folder) for folder in found.split(":") if folder.startswith("/") and "$" not in folder]


def _always(kind: tuple[int, int]) -> list[str]:
    """The folders that the C library looks through when all else fails: Debian's, and the plain ones of others."""
    own = [f"/lib/{_TRIPLETS[kind]}", f"/usr/lib/{_TRIPLETS[kind]}"] if kind in _TRIPLETS else []
    wide = ["/lib64", "/usr/lib64"] if kind[0] == 64 else []
    return [*own, *wide, "/lib", "/usr/lib"]
