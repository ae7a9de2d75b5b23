"""The headers of a tar's members: POSIX.1-1988 ustar, PAX records (POSIX.1-2001) and GNU's long names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BLOCK", "FIELDS", "Extension", "Field", "Head", "Record", "head_at", "number", "records", "sum_holds"]

BLOCK = 512
_LIMIT = 1 << 20  # bytes of PAX records or of a long name at most
_WITHOUT_CONTENT = frozenset(b"123456")  # links, devices, directories, pipes: whatever their size field says
_LABELS = {b"x": "PAX", b"g": "global PAX", b"L": "GNU long name", b"K": "GNU long link"}


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a header block: its name in POSIX, and which bytes it has."""

    name: str
    start: int
    end: int
    kind: Literal["text", "number", "mode"]

    def of(self, block: bytes) -> bytes:
        """Its bytes."""
        return block[self.start : self.end]


FIELDS = (
    Field("name", 0, 100, "text"),
    Field("mode", 100, 108, "mode"),
    Field("uid", 108, 116, "number"),
    Field("gid", 116, 124, "number"),
    Field("size", 124, 136, "number"),
    Field("mtime", 136, 148, "number"),
    Field("chksum", 148, 156, "number"),
    Field("typeflag", 156, 157, "text"),
    Field("linkname", 157, 257, "text"),
    Field("magic", 257, 263, "text"),
    Field("version", 263, 265, "text"),
    Field("uname", 265, 297, "text"),
    Field("gname", 297, 329, "text"),
    Field("devmajor", 329, 337, "number"),
    Field("devminor", 337, 345, "number"),
    Field("prefix", 345, 500, "text"),
    Field("unused bytes", 500, 512, "text"),
)
"""Every byte of a block, in order."""


@dataclass(frozen=True, slots=True)
class Record:
    """One PAX record, and which bytes of the body it has."""

    key: bytes
    value: bytes
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Extension:
    """A header that says more about the member after it: its block, its body, and what fills the body's last block."""

    block: bytes
    body: bytes
    padding: bytes

    @property
    def kind(self) -> bytes:
        """The type flag."""
        return self.block[156:157]

    @property
    def label(self) -> str:
        """What to call it in a message."""
        return _LABELS.get(self.kind, "extended")


@dataclass(frozen=True)
class Head:
    """Everything that comes before the content of a member."""

    extensions: tuple[Extension, ...]
    block: bytes

    @cached_property
    def raw(self) -> bytes:
        """As it lies in the tar."""
        pieces = (piece for one in self.extensions for piece in (one.block, one.body, one.padding))
        return b"".join((*pieces, self.block))

    @cached_property
    def records(self) -> dict[bytes, bytes]:
        """The PAX records that count for this member: a later one replaces an earlier one of the same key."""
        bodies = (one.body for kind in (b"g", b"x") for one in self.extensions if one.kind == kind)
        return {record.key: record.value for body in bodies for record in records(body) or ()}

    @cached_property
    def name(self) -> bytes:
        """The member's path below the root, without `./` or a slash at either end."""
        name = self._long(b"L") or _text(self.block[:100])
        prefix = _text(self.block[345:500]) if self.block[257:263] == b"ustar\0" else b""
        if not self._long(b"L") and prefix:
            name = prefix + b"/" + name
        return self.records.get(b"path", name).removeprefix(b"./").strip(b"/")

    @property
    def path(self) -> str:
        """The member's path for people: `/usr/bin/x`."""
        return "/" + self.name.decode("utf-8", "backslashreplace")

    @cached_property
    def size(self) -> int:
        """Bytes of content that follow, without padding."""
        if self.block[156] in _WITHOUT_CONTENT:
            return 0
        told = self.records.get(b"size", b"")
        return int(told) if re.fullmatch(rb"\d{1,19}", told) else number(self.block[124:136]) or 0

    def laid_over(self, raw: bytes) -> Head:
        """Other bytes, taken apart as if they were laid out like this head."""
        extensions = []
        at = 0
        for one in self.extensions:
            body, padding = at + BLOCK + len(one.body), at + BLOCK + len(one.body) + len(one.padding)
            extensions.append(Extension(raw[at : at + BLOCK], raw[at + BLOCK : body], raw[body:padding]))
            at = padding
        return Head(tuple(extensions), raw[at:])

    def _long(self, kind: bytes) -> bytes:
        return next((_text(one.body) for one in self.extensions if one.kind == kind), b"")


def head_at(peek: Callable[[int], bytes]) -> Head | None:
    """The head that begins here; None when these are not headers whose checksums and records hold.

    `peek` gives the next so many bytes, or those that there are, without taking them.
    """
    extensions: list[Extension] = []
    at = 0
    while True:
        block = peek(at + BLOCK)[at:]
        if not sum_holds(block):
            return None
        if block[156:157] not in _LABELS:
            return Head(tuple(extensions), block)
        size = number(block[124:136])
        if size is None or not 0 <= size <= _LIMIT:
            return None
        end = at + BLOCK + size + -size % BLOCK
        body = peek(end)[at + BLOCK :]
        if len(body) < end - at - BLOCK or (block[156] in b"xg" and records(body[:size]) is None):
            return None
        extensions.append(Extension(block, body[:size], body[size:]))
        at = end


def sum_holds(block: bytes) -> bool:
    """Whether this is a whole block whose checksum is right: the sum of its bytes, its own field taken as spaces."""
    return len(block) == BLOCK and number(block[148:156]) == sum(block) - sum(block[148:156]) + 8 * 0x20


def number(field: bytes) -> int | None:
    """Octal digits, or GNU's base-256 for what is larger; None for anything else. An empty field is 0."""
    if field and field[0] & 0x80:
        return int.from_bytes(bytes((field[0] & 0x7F, *field[1:])), "big")
    digits = field.strip(b" \0")
    if not digits:
        return 0
    return int(digits, 8) if re.fullmatch(rb"[0-7]+", digits) else None


def records(body: bytes) -> list[Record] | None:
    r"""The PAX records, each `LENGTH key=value\n`; None when they are not that all the way to the end."""
    found = []
    at = 0
    while at < len(body):
        match = re.compile(rb"([1-9]\d{0,7}) ([^=]+)=").match(body, at)
        if match is None:
            return None
        end = at + int(match[1])
        if end > len(body) or end <= match.end() or body[end - 1 : end] != b"\n":
            return None
        found.append(Record(match[2], body[match.end() : end - 1], at, end))
        at = end
    return found


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]
