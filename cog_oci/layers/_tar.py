"""The one writer of tar headers: from entries to a stream whose bytes depend on nothing else.

POSIX.1-1988 ustar where it suffices, one PAX record set (POSIX.1-2001) where it does not. Sorted by path bytes, every
parent directory once before its children, one time stamp, no user names, integers only, two zero blocks at the end and
no padding to a blocking factor.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal, Protocol

from cog_oci.errors import CogError
from cog_oci.oci import EPOCH

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = [
    "END",
    "Bytes",
    "Content",
    "Deflated",
    "DuplicatePathError",
    "Entry",
    "OnDisk",
    "header",
    "in_order",
    "padding",
]

BLOCK = 512
_SLICE = 1 << 20
END = bytes(2 * BLOCK)
_MAX_USTAR_SIZE = 8 << 30  # 11 octal digits
_MAX_USTAR_ID = 1 << 21  # 7 octal digits


class Source(Protocol):
    """A file that is read at any place."""

    def read(self, start: int, size: int) -> bytes:
        """These bytes; fewer where the file ends."""


@dataclass(slots=True)
class Deflated:
    """A raw deflate stream (RFC 1951) of a content, as it lies in a zip: `size` bytes at `start`.

    `crc32` is that of the content.
    """

    source: Source
    start: int
    size: int
    crc32: int

    def read(self) -> bytes:
        """The whole stream."""
        return self.source.read(self.start, self.size)

    def slices(self) -> Iterator[bytes]:
        """The stream, in pieces of at most a mebibyte; ends early when the file does."""
        for at in range(0, self.size, _SLICE):
            yield self.source.read(self.start + at, min(_SLICE, self.size - at))


class Content(Protocol):
    """The bytes of a file. `chunks` may be asked more than once and gives the same bytes each time."""

    @property
    def size(self) -> int:
        """Bytes, uncompressed."""

    def chunks(self) -> Iterator[bytes | memoryview]:
        """The bytes, in pieces of any length."""

    def deflated(self) -> Deflated | None:
        """The same bytes already compressed, where they are at hand."""


@dataclass(frozen=True, slots=True)
class Bytes:
    """A content in memory."""

    data: bytes | memoryview

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.data)

    def chunks(self) -> Iterator[bytes | memoryview]:
        """All of it."""
        yield self.data

    def deflated(self) -> Deflated | None:
        """None: these bytes were never compressed."""
        return None


@dataclass(frozen=True, slots=True)
class OnDisk:
    """A content in a file, of the size and sha256 (hex) it had when it was looked at."""

    path: Path
    size: int
    sha256: str

    def chunks(self) -> Iterator[bytes | memoryview]:
        """The file, a mebibyte at a time; a CogError when it has changed meanwhile.

        A layer is remembered under what it was to be made from, so nothing else may get into it.
        """
        digest = hashlib.sha256()
        with self.path.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
                yield chunk
        if digest.hexdigest() != self.sha256:
            raise CogError(f"{self.path} changed while it was read", hint="build again when nothing writes to it")

    def deflated(self) -> Deflated | None:
        """None: a file on disk is not compressed."""
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One member of a layer. `path` is relative to the image's root, without `./` or a slash at either end.

    `mode` is the permission bits with set-id and sticky. A file has `content`; a symlink or a hard link has `target`
    (for a hard link: a path in the same layer, written like `path`). `xattrs` are extended attributes by name.
    """

    path: str
    kind: Literal["file", "directory", "symlink", "hardlink"] = "file"
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    content: Content | None = None
    target: str = ""
    xattrs: tuple[tuple[str, bytes], ...] = ()

    @classmethod
    def file(cls, path: str, data: bytes | str, mode: int = 0o644) -> Entry:
        """A small file, given its content."""
        return cls(path=path, mode=mode, content=Bytes(data.encode() if isinstance(data, str) else data))

    @classmethod
    def directory(cls, path: str, mode: int = 0o755) -> Entry:
        """A directory."""
        return cls(path=path, kind="directory", mode=mode)

    @classmethod
    def symlink(cls, path: str, target: str) -> Entry:
        """A symbolic link; its mode is 0777 everywhere."""
        return cls(path=path, kind="symlink", mode=0o777, target=target)

    @property
    def size(self) -> int:
        """Bytes of content in the archive."""
        return self.content.size if self.content is not None else 0


class DuplicatePathError(CogError):
    """Two entries of one layer want the same path."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(f"two files in one layer want to be /{path}")


def in_order(entries: Iterable[Entry]) -> list[Entry]:
    """Sorted by path bytes, with each missing parent directory (0755) added once.

    A directory named twice is kept once, in the form that was given last; any other path named twice is a
    DuplicatePathError: whether two equal files are one is for the layer to decide.
    """
    by_path: dict[str, Entry] = {}
    for entry in entries:
        known = by_path.get(entry.path)
        if known is not None and not (known.kind == entry.kind == "directory"):
            raise DuplicatePathError(entry.path)
        by_path[entry.path] = entry
    for path in list(by_path):
        parent = path.rpartition("/")[0]
        while parent and parent not in by_path:
            by_path[parent] = Entry.directory(parent)
            parent = parent.rpartition("/")[0]
    # A directory sorts right before its children, because a slash is all that they add.
    return sorted(by_path.values(), key=lambda entry: entry.path.encode("utf-8", "surrogateescape"))


def padding(size: int) -> bytes:
    """The zero bytes that follow a content of this size."""
    return bytes(-size % BLOCK)


_TYPE = {"file": b"0", "hardlink": b"1", "symlink": b"2", "directory": b"5"}


def header(entry: Entry) -> bytes:
    """The header blocks of an entry: one block, or three and more when PAX records are needed."""
    name = entry.path.encode("utf-8", "surrogateescape") + (b"/" if entry.kind == "directory" else b"")
    size = entry.size
    plain = entry.kind == "file" and not entry.uid | entry.gid | size >> 33 and not entry.xattrs
    if plain and len(name) <= 100 and name.isascii():
        return _plain_file(name, entry.mode, size)
    return _any(entry, name, size)


def _plain_file(name: bytes, mode: int, size: int) -> bytes:
    """The header that nearly every entry has: the checksum of its constant parts is known."""
    before, after, known = _around(mode)
    digits = b"%011o" % size
    return b"%b%b%b%b%06o%b" % (name.ljust(100, b"\0"), before, digits, _TIME, sum(name) + sum(digits) + known, after)


@cache
def _around(mode: int) -> tuple[bytes, bytes, int]:
    """What is before the size and after the checksum of a file's header, and the sum of all its constant bytes."""
    block = _block(b"", mode=mode, uid=0, gid=0, size=0, type_flag=b"0", target=b"", prefix=b"")
    return block[100:124], block[154:], int(block[148:154], 8) - sum(b"%011o" % 0)


def _any(entry: Entry, name: bytes, size: int) -> bytes:
    target = entry.target.encode("utf-8", "surrogateescape")
    records: list[tuple[bytes, bytes]] = []
    prefix, short = _split(name)
    if short is None:
        records.append((b"path", name))
        prefix, short = b"", name[:100]
    if len(target) > 100:
        records.append((b"linkpath", target))
    if size >= _MAX_USTAR_SIZE:
        records.append((b"size", b"%d" % size))
    for key, value in ((b"uid", entry.uid), (b"gid", entry.gid)):
        if value >= _MAX_USTAR_ID:
            records.append((key, b"%d" % value))
    # As star(1) names them, and everyone after it.
    records += ((b"SCHILY.xattr." + key.encode(), value) for key, value in entry.xattrs)
    block = _block(
        short,
        mode=entry.mode,
        uid=entry.uid if entry.uid < _MAX_USTAR_ID else 0,
        gid=entry.gid if entry.gid < _MAX_USTAR_ID else 0,
        size=size if size < _MAX_USTAR_SIZE else 0,
        type_flag=_TYPE[entry.kind],
        target=target[:100],
        prefix=prefix,
    )
    return _pax(records) + block if records else block


def _split(name: bytes) -> tuple[bytes, bytes | None]:
    """Ustar's prefix (at most 155 bytes) and name (at most 100); None when it does not fit, or is not ASCII."""
    if not name.isascii():
        return b"", None
    if len(name) <= 100:
        return b"", name
    cut = name.find(b"/", len(name) - 101)
    if cut < 1 or cut > 155 or cut == len(name) - 1:
        return b"", None
    return name[:cut], name[cut + 1 :]


def _pax(records: list[tuple[bytes, bytes]]) -> bytes:
    body = b"".join(_record(key, value) for key, value in sorted(records))
    block = _block(b"PaxHeader", mode=0o644, uid=0, gid=0, size=len(body), type_flag=b"x", target=b"", prefix=b"")
    return block + body + padding(len(body))


def _record(key: bytes, value: bytes) -> bytes:
    r"""`LENGTH key=value\n`, where the length counts its own digits."""
    rest = b" %s=%s\n" % (key, value)
    length = len(rest) + len(str(len(rest)))
    length = len(rest) + len(str(length))
    return b"%d%s" % (length, rest)


def _block(  # noqa: PLR0913 - the fields of a tar header
    name: bytes, *, mode: int, uid: int, gid: int, size: int, type_flag: bytes, target: bytes, prefix: bytes
) -> bytes:
    before = b"%b%07o\0%07o\0%07o\0%011o\0%011o\0" % (name.ljust(100, b"\0"), mode, uid, gid, size, EPOCH)
    after = b"%b%bustar\x0000%b%b" % (type_flag, target.ljust(100, b"\0"), _NOBODY, prefix.ljust(167, b"\0"))
    checksum = sum(before) + sum(after) + 8 * 32  # as if its own field were spaces
    return b"%b%06o\0 %b" % (before, checksum, after)


_NOBODY = bytes(32 + 32) + b"0000000\0" * 2
"""No user name, no group name, device 0."""
_TIME = b"\0%011o\0" % EPOCH
"""The end of the size, and the time."""
