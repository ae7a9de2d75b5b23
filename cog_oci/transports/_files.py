"""Files of an image at rest: in a folder, or in a tar that is read where it is and never unpacked."""

from __future__ import annotations

import posixpath
import stat
import tarfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, Protocol

from cog_oci.blobs import Stream
from cog_oci.errors import CogError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

__all__ = ["Files", "FolderFiles", "TarFiles", "document"]

_MEMBERS = 100_000


class Files(Protocol):
    """Files by their names below one place."""

    @property
    def name(self) -> str:
        """The place, for messages."""

    def size(self, name: str) -> int | None:
        """Of a file, in bytes; None when there is none. A CogError for what is there and not a regular file."""

    def names(self, folder: str) -> list[str]:
        """Of the regular files right in a folder (which ends with a slash), without it; in any order."""

    def reading(self, name: str) -> AbstractContextManager[Callable[[int], bytes]]:
        """A function that gives the next bytes of the file, up to so many; a CogError when there is no such file."""


def document(files: Files, name: str, *, limit: int) -> bytes:
    """A file that is found by its name alone, in one piece; a CogError when it is missing or over `limit` bytes."""
    size = files.size(name)
    if size is not None and size > limit:
        raise CogError(f"{files.name}: {name} is {size} bytes large, and no document of its kind is over {limit}")
    with files.reading(name) as read:
        return Stream(read).read() or b""


class FolderFiles:
    """Below a folder. Names must not come from outside: they are not checked for `..`."""

    def __init__(self, root: Path) -> None:
        self.name = str(root)
        self._root = root

    def size(self, name: str) -> int | None:
        """As in Files; a symbolic link is not followed, whatever it names."""
        try:
            found = (self._root / name).lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        if not stat.S_ISREG(found.st_mode):
            raise CogError(f"{self.name}: {name} is not a regular file")
        return found.st_size

    def names(self, folder: str) -> list[str]:
        """As in Files."""
        path = self._root / folder
        return [file.name for file in path.iterdir() if stat.S_ISREG(file.lstat().st_mode)] if path.is_dir() else []

    @contextmanager
    def reading(self, name: str) -> Iterator[Callable[[int], bytes]]:
        """As in Files."""
        if self.size(name) is None:
            raise _missing(self.name, name)
        with (self._root / name).open("rb", buffering=0) as file:
            yield file.read


class TarFiles:
    """In a tar archive, found once by their headers and read at their offsets. Threads may read at once."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path
        self._members = dict(self._index())

    def size(self, name: str) -> int | None:
        """As in Files. A link to a regular file of the archive is that file: Docker 20.10 saves equal layers so."""
        member = self._find(name)
        return None if member is None else member.size

    def names(self, folder: str) -> list[str]:
        """As in Files."""
        members = ((name.rpartition("/"), one) for name, one in self._members.items())
        return [parts[2] for parts, one in members if one.isreg() and parts[0] + parts[1] == folder]

    @contextmanager
    def reading(self, name: str) -> Iterator[Callable[[int], bytes]]:
        """As in Files."""
        member = self._find(name)
        if member is None:
            raise _missing(self.name, name)
        with self._path.open("rb", buffering=0) as file:
            file.seek(member.offset_data)
            yield _limited(file, member.size)

    def _find(self, name: str) -> tarfile.TarInfo | None:
        member = self._members.get(name)
        if member is None:
            return None
        if member.issym():
            target = posixpath.normpath(posixpath.join(posixpath.dirname(name), member.linkname))
            member = self._members.get(target, member)
        if not member.isreg() or member.issparse():
            raise CogError(f"{self.name}: {name} is not a regular file")
        return member

    def _index(self) -> Iterator[tuple[str, tarfile.TarInfo]]:
        end = self._path.stat().st_size
        seen = set()
        try:
            with tarfile.open(self._path, "r:") as archive:
                for count, member in enumerate(archive):
                    name = posixpath.normpath(member.name)
                    if count > _MEMBERS or (member.isreg() and name in seen):
                        raise CogError(f"{self.name}: {name} is in it twice, or too much else")
                    if member.size < 0 or (member.isreg() and member.offset_data + member.size > end):
                        raise CogError(f"{self.name} breaks off within {name}", hint="it was not copied whole")
                    seen.add(name)
                    yield name, member
        except tarfile.TarError as error:
            raise CogError(
                f"{self.name} is not a tar archive that can be read: {error}",
                hint="if it is compressed as a whole, decompress it first, as in `gunzip image.tar.gz`",
            ) from None


def _limited(file: BinaryIO, size: int) -> Callable[[int], bytes]:
    left = size

    def read(wanted: int) -> bytes:
        nonlocal left
        data = file.read(min(wanted, left))
        left -= len(data)
        return data

    return read


def _missing(place: str, name: str) -> CogError:
    return CogError(f"{place} has no {name}", hint="the image is not whole; get it again from where it came")
