"""Rules that tell a type by the bytes of a file (magic), and by what lies below a directory (treemagic)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cog_oci.layers._effects.mime.numbers import signed, unsigned, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cog_oci.layers._effects.mime.xml_nodes import Element

__all__ = [
    "SPACE",
    "Magic",
    "Match",
    "TreeMagic",
    "TreeMatch",
    "WrongElementError",
    "attribute",
    "matches",
    "percentage",
    "tree_matches",
]

SPACE = "http://www.freedesktop.org/standards/shared-mime-info"
"""The namespace of a database's elements."""

_WORDS = {"host16": 2, "host32": 4} | dict.fromkeys(("big16", "big32", "little16", "little32", "string", "byte"), 1)
_ESCAPE = re.compile(rb"\\(?:([0-7]{1,3})|x([0-9a-fA-F]{0,2})|(.)|$)", re.DOTALL)
_LETTERS = {b"n": b"\n", b"r": b"\r", b"b": b"\b", b"t": b"\t", b"f": b"\f", b"v": b"\v"}
_DEFAULT = 50


class WrongElementError(Exception):
    """An element that a database takes nothing from; neither does it take what follows in the same type."""


@dataclass(frozen=True, slots=True)
class Match:
    """The bytes at one of `length` places from `start` on, under the mask where there is one; and one of the inner."""

    start: int
    length: int
    word: int
    data: bytes
    mask: bytes | None
    inner: list[Match]


@dataclass(frozen=True, slots=True)
class Magic:
    """Rules for a type, in the order of priority; one that `deletes` takes back those of less important databases."""

    priority: int
    type: bytes
    matches: list[Match]
    deletes: bool = False


@dataclass(frozen=True, slots=True)
class TreeMatch:
    """A path below a directory, its conditions as they are written, and those of which one has to hold besides."""

    path: bytes
    conditions: bytes
    inner: list[TreeMatch]


@dataclass(frozen=True, slots=True)
class TreeMagic:
    """The same as Magic, of directories."""

    priority: int
    type: bytes
    matches: list[TreeMatch]


def attribute(element: Element, name: str) -> bytes | None:
    """The value of an attribute in no namespace."""
    value = element.get(name)
    return None if value is None else value.encode()


def percentage(element: Element, name: str) -> int:
    """A number from 0 to 100, 50 when it is not given; -1 for anything else."""
    text = attribute(element, name)
    if text is None:
        return _DEFAULT
    try:
        number, rest = signed(text)
    except OverflowError:
        return -1
    number = wrapped(number)
    return number if text and not rest and 0 <= number <= 100 else -1


def matches(element: Element) -> list[Match]:
    """The rules in an element. Raises WrongElementError."""
    return [_match(child) for child in _children(element, "match")]


def tree_matches(element: Element) -> list[TreeMatch]:
    """The rules in an element. Raises WrongElementError."""
    return [_tree_match(child) for child in _children(element, "treematch")]


def _children(element: Element, name: str) -> Iterator[Element]:
    for child in element.elements:
        if (child.uri, child.name) != (SPACE, name):
            raise WrongElementError(child.name)
        yield child


def _match(element: Element) -> Match:
    kind = element.get("type")
    try:
        start, length = _places(attribute(element, "offset") or b"")
        if kind not in _WORDS:
            raise WrongElementError(kind)
        data, mask = _value(kind, attribute(element, "value"), attribute(element, "mask"))
    except (ValueError, OverflowError):
        raise WrongElementError(element.name) from None
    return Match(start, length, _WORDS[kind], data, mask, matches(element))


def _places(offset: bytes) -> tuple[int, int]:
    """`start` or `start:last`, as the start and how many places."""
    start, rest = signed(offset)
    last = start
    if rest[:1] == b":" and start >= 0:
        last, rest = signed(rest[1:]) if rest[1:] else (start, rest)
        last = wrapped(last)
    if not offset or rest or last < start:
        raise ValueError(offset)
    return start, wrapped(last - start + 1)


def _value(kind: str, value: bytes | None, mask: bytes | None) -> tuple[bytes, bytes | None]:
    if not value:
        raise ValueError(value)
    if kind == "string":
        data = _ESCAPE.sub(_unescaped, value)
        return data, None if mask is None or not data else _string_mask(mask, len(data))
    size = 2 if "16" in kind else 4 if "32" in kind else 1
    number = unsigned(value)
    if size < 4 and number >= 1 << 8 * size:
        raise ValueError(value)
    return _bytes(number, size, kind), None if mask is None else _bytes(unsigned(mask), size, kind)


def _bytes(number: int, size: int, kind: str) -> bytes:
    """The lowest bytes of a number; those of the host's own order are written as big-endian ones."""
    return (number % (1 << 8 * size)).to_bytes(size, "little" if kind.startswith("l") else "big")


def _unescaped(found: re.Match[bytes]) -> bytes:
    octal, digits, other = found.groups()
    if octal is not None:
        return bytes([int(octal, 8) & 0xFF])
    if digits is not None:
        return bytes([int(digits, 16)]) if digits else b"x"
    return _LETTERS.get(other, other or b"")


def _string_mask(mask: bytes, size: int) -> bytes:
    """0x… with as many bytes as the value, the last of which may be left out."""
    digits = mask[2:]
    if not re.fullmatch(rb"0x[0-9a-fA-F]*", mask) or len(digits) > 2 * size:
        raise ValueError(mask)
    return bytes.fromhex(digits.decode().ljust(2 * size, "0"))


def _tree_match(element: Element) -> TreeMatch:
    path, kind = attribute(element, "path"), element.get("type")
    if path is None or kind not in {"file", "directory", "link", None}:
        raise WrongElementError(element.name)
    conditions = (kind or "any").encode()
    for name in ("match-case", "executable", "non-empty"):
        if element.get(name) == "true":
            conditions += b"," + name.encode()
    mimetype = attribute(element, "mimetype")
    if mimetype is not None:
        conditions += b"," + mimetype
    return TreeMatch(path, conditions, tree_matches(element))
