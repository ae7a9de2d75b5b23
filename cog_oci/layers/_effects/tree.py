"""The files of an image while it is being made: what effects look at, and add to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cog_oci.errors import CogError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cog_oci.layers._tar import Content, Entry

__all__ = ["Tree"]

_MOST_LINKS = 40  # as in Linux (path_resolution(7))


class Tree:
    """Entries by path, with links followed inside the image's root."""

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        self._entries: dict[str, Entry] = {}
        self._children: dict[str, set[str]] = {}
        self.add(entries.values())

    def add(self, entries: Iterable[Entry]) -> None:
        """Put entries in their places; what was there is replaced."""
        for entry in entries:
            self._entries[entry.path] = entry
            path = entry.path
            while path:
                parent, _, name = path.rpartition("/")
                siblings = self._children.setdefault(parent, set())
                if name in siblings:
                    break
                siblings.add(name)
                path = parent

    def remove(self, path: str) -> None:
        """Take away a file or a link."""
        del self._entries[path]
        parent, _, name = path.rpartition("/")
        self._children[parent].discard(name)

    def __contains__(self, path: str) -> bool:
        """Whether the path leads to something that exists."""
        return self.resolve(path) is not None

    def at(self, path: str) -> Entry | None:
        """The entry with exactly this path: a link is not followed."""
        return self._entries.get(path)

    def children(self, path: str) -> list[str]:
        """The names in a directory, sorted; none when there is no such directory."""
        resolved = self.resolve(path)
        return [] if resolved is None else sorted(self._children.get(resolved, ()))

    def content(self, path: str) -> Content | None:
        """The content of the file that the path leads to; None for anything else."""
        entry = self._entries.get(self.resolve(path) or "")
        return None if entry is None else entry.content

    def read(self, path: str) -> bytes:
        """A file, whole; a CogError when no package brings the file that a package's scripts work on."""
        content = self.content(path)
        if content is None:
            raise CogError(f"/{path} is needed to configure the image's packages, and none of them brings it")
        return b"".join(content.chunks())

    def resolve(self, path: str) -> str | None:
        """Where the path leads, without links in it; None when nowhere."""
        left = [part for part in reversed(path.split("/")) if part]
        done: list[str] = []
        links = 0
        while left:
            part = left.pop()
            if part == "..":
                done = done[:-1]
                continue
            here = "/".join([*done, part])
            entry = self._entries.get(here)
            if entry is not None and entry.kind == "symlink":
                links += 1
                if links > _MOST_LINKS:
                    return None
                done = [] if entry.target.startswith("/") else done
                left += [part for part in reversed(entry.target.split("/")) if part not in {"", "."}]
            elif entry is not None or here in self._children:
                done.append(part)
            else:
                return None
        return "/".join(done)
