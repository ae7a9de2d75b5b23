"""The members of a tar as Debian packages carry it: ustar and GNU's long names, and nothing else (deb(5)).

dpkg refuses PAX records, sparse files and multi-volume archives; so does this. Every header's checksum is verified, and
an archive that ends without its end mark is an error: the standard library's reader takes both for a normal end.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Member", "TarError", "members"]

Kind = Literal["file", "directory", "symlink", "hardlink"]

_BLOCK = 512
_HEADER = struct.Struct("100s8s8s8s12s12x8sc100s8s80x155s12x")
_CHECKSUM = slice(148, 156)
_NUMBER = re.compile(rb"[ \0]*([0-7]*)[ \0]*")
_LONGEST_NAME = 1 << 16
_KINDS: dict[bytes, Kind] = {b"0": "file", b"\0": "file", b"1": "hardlink", b"2": "symlink", b"5": "directory"}
_REFUSED = {
    b"3": "a character device",
    b"4": "a block device",
    b"6": "a named pipe",
    b"S": "a sparse file",
    b"x": "a PAX record",
    b"g": "a PAX record",
}


class TarError(Exception):
    """What is wrong in an archive; whoever knows the archive's name adds it."""


@dataclass(frozen=True, slots=True)
class Member:
    """One member: its path and link target as written; `offset` and `size` of its content, in bytes."""

    path: str
    kind: Kind
    mode: int
    uid: int
    gid: int
    target: str
    offset: int
    size: int


def members(read: Callable[[int, int], bytes]) -> Iterator[Member]:
    """The members in the archive's order; `read(offset, size)` gives fewer bytes only where the archive ends.

    Raises TarError for what dpkg's reader refuses too, and for an archive that is cut short.
    """
    offset = 0
    path = target = ""
    while any(block := _whole(read, offset, _BLOCK)):
        name, mode, uid, gid, size, checksum, kind, link, magic, prefix = _HEADER.unpack(block)
        if _number(checksum) != sum(block) - sum(block[_CHECKSUM]) + 8 * ord(" "):
            raise TarError("has a header with a wrong checksum")
        offset += _BLOCK
        length = _number(size)
        if kind in {b"L", b"K"}:
            if length > _LONGEST_NAME:
                raise TarError(f"has a path of {length} bytes")
            text = _text(_whole(read, offset, length))
            path, target = (text, target) if kind == b"L" else (path, text)
        else:
            path = path or _text(_joined(prefix, name, magic))
            if kind not in _KINDS:
                raise TarError(f"has {_REFUSED.get(kind, 'a member of unknown kind')}: {path}")
            length = length if _KINDS[kind] == "file" else 0
            if length:
                _whole(read, offset + length - 1, 1)
            permissions = _number(mode) & 0o7777
            owner = _number(uid), _number(gid)
            yield Member(path, _KINDS[kind], permissions, *owner, target or _text(link), offset, length)
            path = target = ""
        offset += -(-length // _BLOCK) * _BLOCK


def _whole(read: Callable[[int, int], bytes], offset: int, size: int) -> bytes:
    data = read(offset, size)
    if len(data) != size:
        raise TarError("is cut short")
    return data


def _number(field: bytes) -> int:
    """Octal digits, or GNU's base 256 for what they cannot hold."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    if (digits := _NUMBER.fullmatch(field)) is None:
        raise TarError("has a header with a number that is none")
    return int(digits[1] or b"0", 8)


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _joined(prefix: bytes, name: bytes, magic: bytes) -> bytes:
    """POSIX splits a long path in two; GNU keeps other things in the second field."""
    first = prefix.partition(b"\0")[0]
    return first + b"/" + name if first and magic == b"ustar\x0000" else name
