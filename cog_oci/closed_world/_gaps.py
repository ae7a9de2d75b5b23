"""What is missing in a closed world: libraries that nothing brings, and versions that a library does not have.

Whether a file is ever loaded cannot be told from outside. Programs and Python's extension modules are taken to be, and
so is the only library of a Python package, which is there to be opened with ctypes; every other library that nothing
needs is a plugin. So is an extension module that wants what no wheel may count on (PEP 600): whoever published it did
without a copy of that library, and the package does without the module where it is not to be had.
"""

from __future__ import annotations

import posixpath
import re
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from cog_oci.closed_world._linker import Loaded
from cog_oci.closed_world.gap import Gap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cog_oci.closed_world._linker import World

__all__ = ["find_gaps"]

_DRIVER = re.compile(r"lib(cuda|nvcuvid|cudadebugger|nvidia-[a-z0-9-]+|nvoptix|vdpau_nvidia)\.so(\..*)?")
"""What NVIDIA's container toolkit puts into a container at its start: the part of the driver outside of the kernel."""
_OTHER_LIBC = re.compile(r"libc\.so|libc\.musl-.*")
"""Android's and musl's: a file that needs one is for another system, and whatever ships it knows that."""
_COUNTED_ON = re.compile(
    r"libgcc_s\.so\.1|libstdc\+\+\.so\.6|lib(m|dl|rt|c|pthread)\.so\.6|lib(dl|util|nsl|resolv)\.so\.[12]|librt\.so\.1"
    r"|libpthread\.so\.0|lib(X11|Xext|ICE|SM)\.so\.6|libXrender\.so\.1|libGL\.so\.1|lib(glib|gobject|gthread)-2\.0\.so\.0"
    r"|libexpat\.so\.1|libz\.so\.1|libatomic\.so\.1"
)
"""What a wheel may need from the system (PEP 513, PEP 600, and auditwheel's policies since)."""
_PYTHON = re.compile(r"(?P<root>(?:.*/)?(?:site-packages|dist-packages|lib-dynload)|src)/(?P<package>[^/]+)")
_EXTENSION = re.compile(r"(?!lib)[^/]*\.so|[^/]*\.(cpython-\d+[^/.]*|abi3)\.so")
_COMMON = 3
"""How many folders two files must share to belong together: `usr/lib/jvm`, but not `usr/lib`."""


def find_gaps(world: World) -> list[Gap]:
    """Every gap, what is surely loaded first. A driver's libraries are none: the host brings them."""
    loading = _Loading(world)
    found: defaultdict[tuple[bool, str, str], list[tuple[str, str]]] = defaultdict(list)
    for path, name in loading.unfound:
        plugin = loading.failing(path, name)
        if plugin is not None and (at := _elsewhere(world, path, name)) is not None:
            found[plugin or bool(at), name, at].append((path, ""))
    for path in loading.paths:
        for library, version in world.elves[path].wants:
            at = world.find(path, library)
            if at is not None and world.elves[at].has and version not in loading.versions(at):
                found[loading.plugin(path, library), library, at].append((path, version))
    return sorted(
        Gap(
            plugin=plugin,
            library=library,
            # What people know first: `cv2.abi3.so` before the libraries that it brings with it.
            wanted_by=tuple(
                f"/{path}" for path in sorted({p for p, _ in wants}, key=lambda p: (not loading.runs(p), p))
            ),
            versions=tuple(sorted({version for _, version in wants} - {""})),
            at=f"/{at}" if at else "",
        )
        for (plugin, library, at), wants in found.items()
        if not plugin or (False, library, at) not in found
    )


class _Loading:
    """Who loads whom, and which files are where loading begins."""

    def __init__(self, world: World) -> None:
        self._world = world
        elves = world.elves.items()
        self.paths = [
            path
            for path, elf in elves
            if elf.kind in world.kinds and not any(_OTHER_LIBC.fullmatch(name) for name in elf.needed)
        ]
        self.unfound: list[tuple[str, str]] = []
        self._users: defaultdict[str, set[str]] = defaultdict(set)
        for path in self.paths:
            for name in world.elves[path].needed:
                if (found := world.find(path, name)) is not None:
                    self._users[found].add(path)
                elif not _DRIVER.fullmatch(name):
                    self.unfound.append((path, name))
        self._opened = Counter(
            _package(path) for path in self.paths if _is_extension(path) or not self._users.get(path)
        )
        self._loaded: dict[str, Loaded] = {}
        self._has: dict[str, frozenset[str]] = {}

    def versions(self, path: str) -> frozenset[str]:
        """The versions that a library has."""
        if path not in self._has:
            self._has[path] = frozenset(self._world.elves[path].has)
        return self._has[path]

    def failing(self, path: str, name: str) -> bool | None:
        """Whether only plugins fail for want of this library; None when whoever loads the file has it loaded before."""
        failing = [start for start in self._starts(path) if (path, name) in self._load(start).missing]
        return all(self._is_plugin(start, name) for start in failing) if failing else None

    def plugin(self, path: str, name: str) -> bool:
        """Whether only plugins load this file, which wants this library."""
        return all(self._is_plugin(start, name) for start in self._starts(path))

    def _load(self, start: str) -> Loaded:
        if start not in self._loaded:
            self._loaded[start] = Loaded(self._world, start)
        return self._loaded[start]

    def _starts(self, path: str) -> Iterator[str]:
        """The files where loading begins that bring this one: programs, extensions, and what nobody needs."""
        seen, waiting = {path}, [path]
        while waiting:
            here = waiting.pop()
            users = self._users.get(here, set())
            if not users or self.runs(here):
                yield here
            waiting += users - seen
            seen |= users

    def runs(self, path: str) -> bool:
        """Whether it is a program, or a module that Python imports."""
        return bool(self._world.elves[path].interpreter) or _is_extension(path)

    def _is_plugin(self, start: str, name: str) -> bool:
        """Whether a file where loading begins may be one that is never loaded; `name` is a library that it lacks."""
        if self._world.elves[start].interpreter:
            return False
        package = _package(start)
        if _is_extension(start):
            return "site-packages/" in start and _COUNTED_ON.fullmatch(name) is None
        return package is None or self._opened[package] > 1 or package.endswith(".libs")


def _elsewhere(world: World, path: str, name: str) -> str | None:
    """Where the image has such a library after all; empty for nowhere, None where it is beside the file that wants it.

    What is in one tree, as a Python package and those beside it or a JDK, is loaded by it in an order that it knows.
    """
    kind = world.elves[path].kind
    found = [other for other in world.named.get(name, ()) if world.elves[other].kind == kind]
    return None if any(_together(path, other) for other in found) else min(found, default="")


def _together(path: str, other: str) -> bool:
    first, second = _PYTHON.match(path), _PYTHON.match(other)
    if first and second:
        return first["root"] == second["root"]
    common = posixpath.commonpath([posixpath.dirname(path), posixpath.dirname(other)])
    return len(common.split("/")) > _COMMON


def _is_extension(path: str) -> bool:
    return _PYTHON.match(path) is not None and _EXTENSION.fullmatch(posixpath.basename(path)) is not None


def _package(path: str) -> str | None:
    """The folder of a Python package that a file is in; None outside of them."""
    match = _PYTHON.match(path)
    return match[0] if match else None
