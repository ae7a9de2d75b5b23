"""The files of a project's folder that are part of its image: all but the ignored, as a fresh checkout has them."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from cog_oci.errors import CogError
from cog_oci.layers._dockerignore import Ignore
from cog_oci.layers._file_hashes import FileHashes
from cog_oci.layers._tar import Entry, OnDisk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cog_oci.layers._dockerignore import Verdict
    from cog_oci.store import Store

__all__ = ["project_files"]

_NEVER = frozenset({".git", ".cog", "cog.lock", "image.tar"})
"""Top-level names that are about the project or made by us: they would make an image depend on how it was built."""

_UNFINISHED = ".cog-oci-"
"""What locks and archives are called while they are written: another build's, or what one that was killed left."""


def project_files(folder: Path, leave_out: frozenset[Path] = frozenset(), store: Store | None = None) -> list[Entry]:
    """Everything below `folder` that is part of the image, at its path there, parents before children.

    `leave_out` are files that are no part of it, such as the archive being written; `store` remembers hashes. Raises
    SourceError for a `.dockerignore` that Docker would refuse, and CogError for what no image can hold.
    """
    ignored = folder / ".dockerignore"
    ignore = Ignore(ignored.read_bytes().decode("utf-8", "surrogateescape") if ignored.is_file() else "")
    hashes = FileHashes(folder, store)
    found = [Entry.directory("src"), *_Walk(ignore, leave_out, hashes).below(folder, "", None)]
    hashes.save()
    return found


class _Walk:
    def __init__(self, ignore: Ignore, leave_out: frozenset[Path], hashes: FileHashes) -> None:
        self._ignore, self._leave_out, self._hashes = ignore, leave_out, hashes

    def below(self, folder: Path, prefix: str, above: Verdict | None) -> Iterator[Entry]:
        """What is wanted of a folder whose paths begin with `prefix`."""
        try:
            with os.scandir(folder) as found:
                items = sorted(found, key=lambda item: os.fsencode(item.name))
        except PermissionError:
            raise _unreadable(folder) from None
        for item in items:
            path = prefix + _utf8(item.name)
            if path in _NEVER or item.name.startswith(_UNFINISHED) or folder / item.name in self._leave_out:
                continue
            if not prefix and _is_an_image(folder / item.name):
                continue
            verdict = self._ignore.judge(path, above)
            if item.is_dir(follow_symlinks=False):
                if not verdict.excluded or self._ignore.may_keep_below(path):
                    yield from self._folder(folder / item.name, path, verdict)
            elif not verdict.excluded:
                yield self._entry(folder / item.name, f"src/{path}")

    def _folder(self, folder: Path, path: str, verdict: Verdict) -> Iterator[Entry]:
        """A folder that is ignored is there all the same when something in it is wanted."""
        inside = list(self.below(folder, path + "/", verdict))
        if inside or not verdict.excluded:
            yield Entry.directory(f"src/{path}")
            yield from inside

    def _entry(self, file: Path, path: str) -> Entry:
        status = file.lstat()
        if stat.S_ISLNK(status.st_mode):
            return Entry.symlink(path, _utf8(os.readlink(file)))  # noqa: PTH115 - Path would rewrite `./x` to `x`
        if not stat.S_ISREG(status.st_mode):
            raise CogError(f"{file} is neither a file, a folder nor a link", hint="name it in .dockerignore")
        try:
            size, digest = self._hashes.measure(file)
        except PermissionError:
            raise _unreadable(file) from None
        # What the umask or a checkout did to the other bits must not reach the image.
        mode = 0o755 if status.st_mode & stat.S_IXUSR else 0o644
        return Entry(path=path, mode=mode, content=OnDisk(file, size, digest))


def _is_an_image(path: Path) -> bool:
    """Whether it is an archive or a folder as we write them: an image of the project is no part of the project.

    An OCI layout says that it is one by a file of that name (image-spec, image-layout.md), which is the first in an
    archive.
    """
    try:
        if path.name.endswith(".tar") and not path.is_dir():
            with path.open("rb") as opened:
                return opened.read(11) == b"oci-layout\0"
        return (path / "oci-layout").is_file() and (path / "index.json").is_file()
    except OSError:
        return False


def _unreadable(path: Path) -> CogError:
    return CogError(f"{path} cannot be read", hint="name it in .dockerignore, or allow it")


def _utf8(name: str) -> str:
    """A name as UTF-8 has it, whatever the locale made of its bytes; what is not UTF-8 keeps its bytes (PEP 383)."""
    return os.fsencode(name).decode("utf-8", "surrogateescape")
