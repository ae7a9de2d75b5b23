"""GVariant: types by their strings, and values as bytes, little-endian (GVariant Specification, "Serialisation").

Values are Python's: bool, int, float and str; a list for an array, and of at most one for a maybe; a tuple for a tuple
or a dictionary's entry; a pair of type and value for a variant.
"""

from __future__ import annotations

import re
import struct
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Value", "is_object_path", "is_type", "members", "serialise"]

Value: TypeAlias = "bool | int | float | str | list[Value] | tuple[Value, ...]"
_FIXED = {"b": "B", "y": "B", "n": "h", "q": "H", "i": "i", "u": "I", "h": "i", "x": "q", "t": "Q", "d": "d"}
_BASIC = frozenset("bynqiuxthdsog")
_DEEPEST = 128


def is_type(text: str) -> bool:
    """Whether it is one type's string: of one that values can have, so without `*`, `?` and `r`."""
    return _end(text, 0, _DEEPEST) == len(text)


def _end(text: str, at: int, depth: int) -> int:
    """Where the type that begins at a place ends; -1 for no type."""
    head = text[at : at + 1]
    if not head or not depth:
        return -1
    if head in "am":
        return _end(text, at + 1, depth - 1)
    if head == "(":
        at += 1
        while at >= 0 and text[at : at + 1] != ")":
            at = _end(text, at, depth - 1)
        return at + 1 if at >= 0 else -1
    if head == "{":
        at = _end(text, at + 2, depth - 1) if text[at + 1 : at + 2] in _BASIC and text[at + 1 : at + 2] else -1
        return at + 1 if at >= 0 and text[at : at + 1] == "}" else -1
    return at + 1 if head in _BASIC or head == "v" else -1


@lru_cache(maxsize=1024)
def members(kind: str) -> tuple[str, ...]:
    """The types in a tuple's or an entry's."""
    found, at = [], 1
    while at < len(kind) - 1:
        end = _end(kind, at, _DEEPEST)
        found.append(kind[at:end])
        at = end
    return tuple(found)


def serialise(kind: str, value: Value) -> bytes:
    """The bytes of a value of a type."""
    match kind[0], value:
        case "v", (str(inner), content):
            return serialise(inner, content) + b"\0" + inner.encode()
        case "s" | "o" | "g", str():
            return value.encode() + b"\0"
        case "m", list():
            return b"".join(serialise(kind[1:], one) + (b"" if _size(kind[1:]) else b"\0") for one in value)
        case "a", list():
            return _array(kind[1:], value)
        case "(" | "{", tuple():
            return _tuple(kind, value)
        case head, bool() | int() | float():
            return struct.pack(f"<{_FIXED[head]}", value)
    raise TypeError(kind)


def _array(element: str, values: Iterable[Value]) -> bytes:
    parts, ends = bytearray(), []
    for value in values:
        parts += bytes(-len(parts) % _alignment(element))
        parts += serialise(element, value)
        ends.append(len(parts))
    return bytes(parts) if _size(element) else _framed(parts, ends)


def _tuple(kind: str, values: Sequence[Value]) -> bytes:
    """The members; where those end that have no size of their own stands behind them, the last one's first."""
    kinds = members(kind)
    parts, ends = bytearray(), []
    for number, (member, value) in enumerate(zip(kinds, values, strict=True)):
        parts += bytes(-len(parts) % _alignment(member))
        parts += serialise(member, value)
        if not _size(member) and number < len(kinds) - 1:
            ends.append(len(parts))
    if size := _size(kind):
        return bytes(parts).ljust(size, b"\0")
    return _framed(parts, ends[::-1])


def _framed(parts: bytearray, ends: Sequence[int]) -> bytes:
    """The parts, and behind them offsets as wide as the whole needs."""
    for width, most in ((1, 0xFF), (2, 0xFFFF), (4, 0xFFFFFFFF)):
        if len(parts) + width * len(ends) <= most:
            break
    return bytes(parts) + b"".join(end.to_bytes(width, "little") for end in ends)


# Without a memory, each level of a type would look through all below it.
@lru_cache(maxsize=1024)
def _alignment(kind: str) -> int:
    head = kind[0]
    if head in _FIXED:
        return struct.calcsize(_FIXED[head])
    if head in "am":
        return _alignment(kind[1:])
    if head in "({":
        return max(map(_alignment, members(kind)), default=1)
    return 8 if head == "v" else 1


@lru_cache(maxsize=1024)
def _size(kind: str) -> int:
    """How long every value of the type is; 0 when they are not of one length."""
    if kind[0] in _FIXED:
        return struct.calcsize(_FIXED[kind[0]])
    if kind[0] not in "({":
        return 0
    size = 0
    for member in members(kind):
        if not (own := _size(member)):
            return 0
        size += -size % _alignment(member) + own
    return size + -size % _alignment(kind) or 1


def is_object_path(text: str) -> bool:
    """Whether it may be an `o` (D-Bus Specification, "Valid Object Paths")."""
    return re.fullmatch(r"/|(?:/[A-Za-z0-9_]+)+", text) is not None
