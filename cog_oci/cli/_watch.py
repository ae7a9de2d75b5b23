"""Whether a project's files have changed, by looking: no dependency, and the same on every file system."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["Watch"]

_SKIPPED = frozenset({".git", ".cog", "__pycache__", ".venv", "node_modules"})
_SHARE = 10  # a look takes at most this part of the time: folders with many files are looked at less often


class Watch:
    """The files that were there at first, and every Python file: what the model writes meanwhile is no change."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._first = frozenset(_files(folder))
        self._seen: Mapping[str, tuple[int, int]] = {}
        self._next = 0.0
        self.changed()

    def changed(self) -> list[str]:
        """The paths that have changed since this was asked last, relative to the folder; an edit is told once whole."""
        if time.monotonic() < self._next:
            return []
        before = time.monotonic()
        now = self._look()
        self._next = time.monotonic() + _SHARE * (time.monotonic() - before)
        if now == self._seen:
            return []
        time.sleep(0.1)  # an editor, or git, writes several files one after another
        while (later := self._look()) != now:
            now = later
            time.sleep(0.1)
        found = {path for path in self._seen.keys() | now.keys() if self._seen.get(path) != now.get(path)}
        self._seen = now
        return sorted(os.path.relpath(path, self._folder) for path in found)

    def _look(self) -> Mapping[str, tuple[int, int]]:
        return {
            path: mark for path, mark in _files(self._folder).items() if path in self._first or path.endswith(".py")
        }


def _files(folder: Path) -> dict[str, tuple[int, int]]:
    """Each file below, and what changes with it: its time and its size."""
    return {entry.path: mark for entry in _walk(str(folder)) if (mark := _mark(entry)) is not None}


def _mark(entry: os.DirEntry[str]) -> tuple[int, int] | None:
    try:
        found = entry.stat()
    except OSError:  # gone between the two
        return None
    return found.st_mtime_ns, found.st_size


def _walk(folder: str) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            listed = list(entries)
    except OSError:
        return
    for entry in listed:
        if entry.is_dir(follow_symlinks=False):
            if entry.name not in _SKIPPED:
                yield from _walk(entry.path)
        elif entry.is_file():
            yield entry
