"""Many debs at once: unpacked, their files where they are in a merged-/usr system, and one owner for each path.

Slim as Debian's own slim images are: what only people read is left out, licences stay.
"""

from __future__ import annotations

import queue
import re
import tempfile
import threading
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING

from cog_oci.errors import CogError
from cog_oci.layers._deb import DamagedDebError, Package, Slice, read_package, unpack

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from concurrent.futures import Future
    from contextlib import AbstractContextManager

    from cog_oci.layers._tar import Content, Entry
    from cog_oci.lock import Deb
    from cog_oci.store import Store

__all__ = ["FileConflictError", "Owned", "Unpacked", "Unpacking", "linked", "merge", "placed", "slimmed", "unpack_all"]

_THREADS = 2
_LINKS = {
    **{name: f"usr/{name}" for name in ("bin", "sbin", "lib", "lib32", "lib64", "libo32", "libx32")},
    "var/run": "run",
    "var/lock": "run/lock",
}
"""Directories of packages that are links in every image, and where they lead."""

_BEHIND_LINK = re.compile("|".join(f"{link}/" for link in _LINKS))
_LEFT_OUT = re.compile(
    r"""usr/share/(?:
        man/.+                          # manual pages: read where they are installed for people
      | info/.+                         # the same
      | lintian/.+                      # messages that Debian's package checker is asked not to print
      | doc/[^/]+/(?!copyright$).+      # changelogs, READMEs, examples; `copyright` must go where the program goes
    )""",
    re.VERBOSE,
)


class FileConflictError(CogError):
    """Two packages bring the same path, and neither says that it replaces the other."""

    def __init__(self, path: str, packages: tuple[str, str]) -> None:
        self.path, self.packages = path, packages
        super().__init__(
            f"{packages[0]} and {packages[1]} both bring /{path}",
            hint="they cannot be installed together; ask for one of them only",
        )


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A package and its entries: paths as in the archive, the root among them, hard links as files."""

    package: Package
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Owned:
    """An entry at its place in the image, and the package that brings it."""

    entry: Entry
    package: Package


class Unpacking:
    """Debs being unpacked, for several layers at a time: what two of them need is unpacked once.

    Everything lies in files that have no names, and goes with the last who uses it: however the process ends, nothing
    is left.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._jobs: dict[str, Future[Unpacked]] = {}
        self._stack = ExitStack()

    @contextmanager
    def open(self, debs: Sequence[Deb], store: Store) -> Iterator[list[Unpacked]]:
        """Every deb unpacked, in the order given; contents can be read while the context is open."""
        with self._lock:
            if not self._users:
                self._begin(store)
            self._users += 1
            # Large ones first, so that the threads finish together.
            for deb in sorted(debs, key=lambda deb: (-deb.size, deb.sha256)):
                if deb.sha256 not in self._jobs:
                    self._jobs[deb.sha256] = self._pool.submit(self._one, deb, store)
            jobs = [self._jobs[deb.sha256] for deb in debs]
        try:
            yield [job.result() for job in jobs]
        finally:
            with self._lock:
                self._users -= 1
                if not self._users:
                    self._end()

    def _begin(self, store: Store) -> None:
        folder = store.root / "tmp"
        folder.mkdir(parents=True, exist_ok=True)
        self._spools: queue.SimpleQueue[IO[bytes]] = queue.SimpleQueue()
        for _ in range(_THREADS):
            spool = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - the stack closes it
            self._spools.put(self._stack.enter_context(spool))
        self._pool = self._stack.enter_context(ThreadPoolExecutor(_THREADS, thread_name_prefix="unpack"))

    def _end(self) -> None:
        for job in self._jobs.values():
            job.cancel()
        self._jobs.clear()
        self._stack.close()

    def _one(self, deb: Deb, store: Store) -> Unpacked:
        path = store.path(deb.digest)
        package = read_package(path, PurePosixPath(deb.file).name)
        spool = self._spools.get()
        try:
            return Unpacked(package, tuple(unpack(path, package, spool)))
        finally:
            self._spools.put(spool)


def unpack_all(debs: Sequence[Deb], store: Store) -> AbstractContextManager[list[Unpacked]]:
    """Every deb unpacked, for one layer alone."""
    return Unpacking().open(debs, store)


def placed(path: str) -> str:
    """Where a package's path is in the image: what it has behind the links into /usr and /run is there."""
    found = _BEHIND_LINK.match(path)
    return path if found is None else f"{_LINKS[found[0][:-1]]}/{path[found.end() :]}"


def slimmed(path: str) -> bool:
    """Whether this path of a package is left out of images."""
    return _LEFT_OUT.fullmatch(path) is not None


def merge(unpacked: Iterable[Unpacked], below: Mapping[str, Owned] | None = None) -> dict[str, Owned]:
    """Paths to entries, of the packages and of what lies below them; FileConflictError when two want one path.

    A directory keeps the mode of the package that brings it first, base-files before all others, as with dpkg.
    """
    merged = dict(below or {})
    for one in sorted(unpacked, key=lambda one: (one.package.name != "base-files", one.package.name)):
        for entry in _placed(one):
            known = merged.get(entry.path)
            if known is None or _wins(entry, one.package, known):
                merged[entry.path] = Owned(entry, one.package)
    for path, owned in merged.items():
        above = merged.get(path.rpartition("/")[0])
        if above is not None and above.entry.kind != "directory":
            raise _behind(path, owned, above)
    return merged


def linked(entries: Iterable[Entry]) -> list[Entry]:
    """The same entries, with files that lie in one place written as hard links to the first of them by path.

    Equal files of different packages stay apart, as they do for dpkg.
    """
    groups: dict[Slice, list[Entry]] = defaultdict(list)
    others = []
    for entry in entries:
        if isinstance(entry.content, Slice) and entry.content.size:
            groups[entry.content].append(entry)
        else:
            others.append(entry)
    for group in groups.values():
        first, *rest = sorted(group, key=lambda entry: entry.path.encode("utf-8", "surrogateescape"))
        others.append(first)
        others += (replace(entry, kind="hardlink", content=None, target=first.path) for entry in rest)
    return others


def _placed(one: Unpacked) -> Iterator[Entry]:
    """A package's entries where they are in the image, without those that are left out or are links there."""
    for entry in one.entries:
        path = placed(entry.path)
        is_link = entry.kind == "directory" and path in _LINKS
        if path and not is_link and not slimmed(path):
            yield entry if path == entry.path else replace(entry, path=path)


def _wins(entry: Entry, package: Package, known: Owned) -> bool:
    """Whether this entry takes the place of the one that is known."""
    other = known.entry
    if entry.kind == other.kind == "directory" or package.name in known.package.replaces:
        return False
    if known.package.name in package.replaces:
        return True
    if (entry.kind, entry.target) == (other.kind, other.target) and _same(entry.content, other.content):
        return False
    raise FileConflictError(entry.path, (known.package.name, package.name))


def _behind(path: str, owned: Owned, above: Owned) -> CogError:
    """Something that would lie behind a link or in a file: where it would end up depends on who unpacks the layer."""
    if owned.package is above.package:
        kind = {"symlink": "a link", "hardlink": "a link"}.get(above.entry.kind, "a file")
        return DamagedDebError(owned.package.deb, f"/{path} lies in /{above.entry.path}, which is {kind}")
    return FileConflictError(above.entry.path, (above.package.name, owned.package.name))


def _same(one: Content | None, other: Content | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.size == other.size and b"".join(one.chunks()) == b"".join(other.chunks())
