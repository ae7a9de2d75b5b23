"""The root that layers make: what a container sees, and what is carried without ever being seen.

The rules are those of image-spec's layer.md, "applying changesets" and "whiteouts". A path is taken as written: engines
write no layer in which a parent of it is a symbolic link.
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cog_oci.contents._members import Member

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Hidden", "Root", "Seen"]

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_MOST_LINKS = 40  # as many symbolic links as Linux follows in one path


@dataclass(frozen=True, slots=True)
class Hidden:
    """A content of `size` bytes that layer `layer` carries and no path leads to since layer `by`; both count from 0."""

    path: str
    size: int
    layer: int
    by: int


@dataclass(slots=True, eq=False)
class _Inode:
    """A content, and how many paths lead to it."""

    path: str
    size: int
    layer: int
    links: int = 1


@dataclass(frozen=True, slots=True)
class Seen:
    """What is at a path: the member, and the number of its layer, from 0. A hard link is the file that it leads to.

    `inode` is equal for paths that share one content.
    """

    member: Member
    layer: int
    inode: _Inode


class Root:
    """The files of an image, layer by layer from the bottom up."""

    def __init__(self, layers: Iterable[Iterable[Member]] = ()) -> None:
        self._seen: dict[str, Seen] = {}
        self._children: defaultdict[str, set[str]] = defaultdict(set)
        self._hidden: list[Hidden] = []
        for number, members in enumerate(layers):
            self._apply(number, list(members))

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._seen))

    def __len__(self) -> int:
        return len(self._seen)

    def get(self, path: str) -> Seen | None:
        """What is at this path, links not followed; None when there is nothing."""
        return self._seen.get(path)

    @property
    def hidden(self) -> list[Hidden]:
        """What is carried and never seen, the largest first."""
        return sorted(self._hidden, key=lambda one: (-one.size, one.path, one.layer))

    def resolve(self, path: str) -> str:
        """The path with the folders in it followed, as a program that opens it would; the last name is not followed."""
        folder, _, name = path.rpartition("/")
        real, links = "", _MOST_LINKS
        waiting = folder.split("/")[::-1]
        while waiting:
            part = waiting.pop()
            if part == "..":
                real = posixpath.dirname(real)
            elif part not in {"", "."}:
                here = posixpath.join(real, part)
                seen = self._seen.get(here)
                if seen is None or seen.member.kind != "symlink" or not links:
                    real = here
                    continue
                links -= 1
                real = "" if seen.member.target.startswith("/") else real
                waiting += seen.member.target.split("/")[::-1]
        return posixpath.join(real, name)

    def _apply(self, layer: int, members: list[Member]) -> None:
        # A layer's whiteouts are about the layers below it, wherever in its tar they are.
        for member in members:
            folder, _, name = member.path.rpartition("/")
            if name == _OPAQUE:
                for child in list(self._children[folder]):
                    self._remove(child, layer)
            elif name.startswith(_WHITEOUT):
                self._remove(posixpath.join(folder, name.removeprefix(_WHITEOUT)), layer)
        for member in members:
            if not posixpath.basename(member.path).startswith(_WHITEOUT):
                self._put(member, layer)

    def _put(self, member: Member, layer: int) -> None:
        self._make_folders(member.path, layer)
        linked = self._seen.get(member.target) if member.kind == "hardlink" else None
        if linked is not None:
            linked.inode.links += 1  # before what is at the path goes: it may be the same content
        before = self._seen.get(member.path)
        if before is not None:
            if before.member.kind == member.kind == "directory":
                self._forget(before, layer)
            else:
                self._remove(member.path, layer)
        if linked is not None:
            seen = Seen(replace(linked.member, path=member.path), linked.layer, linked.inode)
        else:
            seen = Seen(member, layer, _Inode(member.path, member.size, layer))
        self._seen[member.path] = seen
        if member.path:
            self._children[member.path.rpartition("/")[0]].add(member.path)

    def _make_folders(self, path: str, layer: int) -> None:
        """The folders that lead to this path, made as engines make them where no layer has them."""
        missing = []
        folder = path.rpartition("/")[0]
        while folder and not self._is_folder(folder):
            missing.append(folder)
            folder = folder.rpartition("/")[0]
        for folder in reversed(missing):
            self._put(Member(path=folder, kind="directory", mode=0o755), layer)

    def _is_folder(self, path: str) -> bool:
        seen = self._seen.get(path)
        return seen is not None and seen.member.kind in {"directory", "symlink"}

    def _remove(self, path: str, by: int) -> None:
        """Everything at and below this path, as layer `by` does not have it."""
        waiting = [path]
        while waiting:
            current = waiting.pop()
            waiting += self._children.pop(current, ())
            seen = self._seen.pop(current, None)
            if seen is not None:
                self._forget(seen, by)
        self._children[path.rpartition("/")[0]].discard(path)

    def _forget(self, seen: Seen, by: int) -> None:
        seen.inode.links -= 1
        if not seen.inode.links and seen.inode.size:
            self._hidden.append(Hidden(seen.inode.path, seen.inode.size, seen.inode.layer, by))
