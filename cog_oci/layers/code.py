"""The user's own files under /src, and the schema that was read from them."""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from cog_oci.errors import CogError
from cog_oci.layers import recipe
from cog_oci.layers._dockerignore import Ignore
from cog_oci.layers._tar import Bytes, Entry, OnDisk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from cog_oci.store import Store

__all__ = ["CodeLayer"]

_VERSION = 1
_NEVER = frozenset({".git", ".cog", "cog.lock", "image.tar"})
"""Top-level names that are about the project or made by us: they would make an image depend on how it was built."""


_UNFINISHED = ".cog-oci-"
"""What locks and archives are called while they are written: another build's, or what one that was killed left."""


@dataclass(frozen=True)
class CodeLayer:
    """A folder as `/src`; `leave_out` are files in it that are no part of it, such as the archive being written."""

    folder: Path
    schema: bytes | None
    leave_out: frozenset[Path] = frozenset()

    @property
    def name(self) -> str:
        """`code`."""
        return "code"

    @property
    def why(self) -> str:
        """What it is, and when it changes."""
        return "the project's own files; changes when they do"

    @property
    def artifacts(self) -> tuple[()]:
        """None: the files are the user's."""
        return ()

    @cached_property
    def recipe(self) -> str:
        """By the path, mode and content of every file."""
        rows = [(_hex(e.path), e.kind, e.mode, _hex(e.target), _identity(e)) for e in self._entries]
        return recipe("code", _VERSION, files=sorted(rows))

    @contextmanager
    def open(self, store: Store) -> Iterator[Iterable[Entry]]:  # noqa: ARG002 - nothing of it comes from the store
        """The files."""
        yield self._entries

    @cached_property
    def _entries(self) -> list[Entry]:
        ignored = self.folder / ".dockerignore"
        ignore = Ignore(ignored.read_text(encoding="utf-8") if ignored.is_file() else "")
        entries = [Entry.directory("src"), *self._walk(self.folder, "", ignore)]
        if self.schema is not None:
            entries.append(Entry.file("src/.cog/openapi_schema.json", self.schema))
        return entries

    def _walk(self, folder: Path, prefix: str, ignore: Ignore) -> Iterator[Entry]:
        with os.scandir(folder) as found:
            items = sorted(found, key=lambda item: os.fsencode(item.name))
        for item in items:
            path = prefix + _utf8(item.name)
            if path in _NEVER or item.name.startswith(_UNFINISHED) or folder / item.name in self.leave_out:
                continue
            excluded = ignore.excludes(path)
            if item.is_dir(follow_symlinks=False):
                if excluded and not ignore.has_exceptions:
                    continue
                inside = list(self._walk(folder / item.name, path + "/", ignore))
                if inside or not excluded:
                    yield Entry.directory(f"src/{path}")
                    yield from inside
            elif not excluded:
                yield self._entry(folder / item.name, f"src/{path}")

    def _entry(self, file: Path, path: str) -> Entry:
        status = file.lstat()
        if stat.S_ISLNK(status.st_mode):
            return Entry.symlink(path, _utf8(os.readlink(file)))  # noqa: PTH115 - Path would rewrite `./x` to `x`
        if not stat.S_ISREG(status.st_mode):
            raise CogError(f"{file} is neither a file, a folder nor a link", hint="name it in .dockerignore")
        # What the umask or a checkout did to the other bits must not reach the image.
        mode = 0o755 if status.st_mode & stat.S_IXUSR else 0o644
        return Entry(path=path, mode=mode, content=OnDisk(file, status.st_size, _digest(file)))


def _utf8(name: str) -> str:
    """A name as UTF-8 has it, whatever the locale made of its bytes; what is not UTF-8 keeps its bytes (PEP 383)."""
    return os.fsencode(name).decode("utf-8", "surrogateescape")


def _hex(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").hex()


def _identity(entry: Entry) -> str:
    match entry.content:
        case OnDisk(sha256=digest):
            return digest
        case Bytes(data=data):
            return hashlib.sha256(data).hexdigest()
        case _:
            return ""


def _digest(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except PermissionError:
        raise CogError(f"{file} cannot be read", hint="name it in .dockerignore, or allow it") from None
