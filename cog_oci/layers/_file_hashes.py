"""Hashes of large files, remembered from one build to the next as long as the file is the same one, untouched.

Untouched means: size, modification and change time to the nanosecond, and inode are as they were. A file that was
written within the last moments before it was read may be written again without any of them changing, so it is not
remembered: what git calls racy (its Documentation/technical/racy-git).
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from cog_oci.store import Store

__all__ = ["FileHashes"]

_VERSION = 1
_LARGE = 1 << 20  # bytes; a smaller file is read in less than a millisecond
_RACY = 2_000_000_000  # nanoseconds: the coarsest time stamps of a file system in use, FAT's

_State = tuple[int, int, int, int]


class FileHashes:
    """The hashes of one folder's files; without a store, nothing is remembered."""

    def __init__(self, folder: Path, store: Store | None = None) -> None:
        name = hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()
        self._memory = store.root / "hashes" / f"{name}.json" if store else None
        self._known = _load(self._memory) if self._memory else {}
        self._seen: dict[str, tuple[_State, str]] = {}

    def measure(self, file: Path) -> tuple[int, str]:
        """The file's size in bytes and its sha256 (hex), both of the same moment."""
        with file.open("rb") as opened:
            before = _state(opened.fileno())
            name = os.fsencode(file).decode("utf-8", "surrogateescape")
            known = self._known.get(name)
            if known is not None and known[0] == before:
                self._seen[name] = known
                return before[0], known[1]
            started = time.time_ns()
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
            size = opened.tell()
            settled = max(before[1:3]) < started - _RACY and _state(opened.fileno()) == before
        if settled and size >= _LARGE:
            self._seen[name] = (before, digest)
        return size, digest

    def save(self) -> None:
        """Remember what was measured, and forget what was not asked for."""
        if self._memory is None or self._seen == self._known:
            return
        document = {
            "version": _VERSION,
            "files": {name: [*state, digest] for name, (state, digest) in self._seen.items()},
        }
        self._memory.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self._memory.with_suffix(f".{os.getpid()}")
        try:
            unfinished.write_bytes(json.dumps(document).encode())
            unfinished.replace(self._memory)
        finally:
            unfinished.unlink(missing_ok=True)


def _state(descriptor: int) -> _State:
    status = os.fstat(descriptor)
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def _load(memory: Path) -> dict[str, tuple[_State, str]]:
    """What was saved; nothing when that cannot be read, as every file can be hashed again."""
    try:
        document = json.loads(memory.read_bytes())
        if document["version"] != _VERSION:
            return {}
        return {
            name: ((size, mtime, ctime, inode), digest)
            for name, (size, mtime, ctime, inode, digest) in document["files"].items()
        }
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}
