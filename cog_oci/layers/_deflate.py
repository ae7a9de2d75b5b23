"""A small deflate encoder (RFC 1951) for what lies between transplanted files: tar headers, one much like the last.

libdeflate sees each piece alone and spends over a hundred bytes on a header. Here a piece is a block inside a longer
stream, so a header is written as what differs from the header before it. Fixed Huffman codes (§3.2.6) only: no table
travels. The bytes depend on the input and on nothing else.
"""

from __future__ import annotations

import os
import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING

import deflate

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["END", "Headers", "continued"]

END = b"\x03\x00"
"""An empty final block, byte-aligned."""

Bits = tuple[int, int]
"""Codes as a number, the first of them in its highest bits, and how many bits they are."""

_BLOCK = 512  # bytes of a tar block (POSIX ustar)
_WINDOW = 32768  # how far back a match may reach (§3.2.5)
_LONGEST = 258
_EMPTY = b"\x00\x00\xff\xff"  # length 0 and its complement
_WORTH = 4  # bytes: what is shorter costs more as a match than as literals
_SAME = re.compile(rb"\0{4,}")
_SEAL = os.urandom(16)
"""What comes out behind a content only when its stream was read to the very end: no stream can hold it on purpose."""
_SEALED = b"\x01" + len(_SEAL).to_bytes(2, "little") + (len(_SEAL) ^ 0xFFFF).to_bytes(2, "little") + _SEAL
"""The same as a final stored block (§3.2.4)."""


_CHECKSUM = (1 << 64) - 1
"""Of the 32 bytes from a header's size to its checksum, as a number: the last eight."""
_SIZE = 168
"""Of the same, how many bits come after the digits of the size."""
_TIME = (1 << _SIZE) - 1 ^ _CHECKSUM
"""Of the same, what is between the two."""

_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
"""A stream's bytes fill from the lowest bit (§3.1.1)."""


def _code(symbol: int) -> Bits:
    """The fixed code of a literal or length symbol."""
    if symbol < 144:
        return 0b00110000 + symbol, 8
    if symbol < 256:
        return 0b110010000 + symbol - 144, 9
    if symbol < 280:
        return symbol - 256, 7
    return 0b11000000 + symbol - 280, 8


def _joined(parts: Iterable[Bits]) -> Bits:
    value, size = 0, 0
    for more, bits in parts:
        value = value << bits | more
        size += bits
    return value, size


def _with_extra(code: Bits, value: int, bits: int) -> Bits:
    """A code and its extra bits: these come least significant first."""
    return _joined((code, (int(f"{value:0{bits}b}"[::-1], 2), bits))) if bits else code


def _lengths() -> list[Bits]:
    """The code of each match length, by length."""
    table = [(0, 0)] * (_LONGEST + 1)
    length = 3
    for symbol in range(257, 285):
        bits = max(0, (symbol - 261) // 4)
        for value in range(1 << bits):
            if length + value < _LONGEST:
                table[length + value] = _with_extra(_code(symbol), value, bits)
        length += 1 << bits
    table[_LONGEST] = _code(285)
    return table


_LITERAL = [_code(symbol) for symbol in range(256)]
_SHORT = bytes(0b00110000 + symbol & 0xFF for symbol in range(256))
"""The codes of the literals below 144: a byte each."""
_LENGTH = _lengths()
_STOP = 7  # bits, all zero: the end of a block
_ALIGNED = 3  # bits, all zero: a stored block's header; what follows it starts at the next byte (§3.2.4)


@cache
def _distance(distance: int) -> Bits:
    """The code of a distance from 1 to 32768."""
    if distance <= 4:
        return distance - 1, 5
    bits = (distance - 1).bit_length() - 2
    symbol = 2 * bits + 2 + ((distance - 1) >> bits & 1)
    return _with_extra((symbol, 5), (distance - 1) & ((1 << bits) - 1), bits)


def _steps(length: int) -> list[Bits]:
    """The codes of the lengths that a match of up to a block is made of; no rest of 1 or 2 is left over."""
    out: list[Bits] = []
    while length > _LONGEST:
        step = _LONGEST if length - _LONGEST >= 3 else _LONGEST - 3
        out.append(_LENGTH[step])
        length -= step
    return [*out, _LENGTH[length]]


_STEPS = [_steps(length) for length in range(_BLOCK + 1)]


def _match(length: int, distance: Bits) -> Bits:
    """A match of any length from 3 to a block, given the distance's code."""
    back, width = distance
    if length <= _LONGEST:
        code, bits = _LENGTH[length]
        return code << width | back, bits + width
    value, size = 0, 0
    for code, bits in _STEPS[length]:
        value = (value << bits | code) << width | back
        size += bits + width
    return value, size


_ONE_BACK = _distance(1)
_RUN = b"\0\0\0\0"


def _literals(data: bytes) -> Bits:
    """As they are."""
    if data.isascii():
        return int.from_bytes(data.translate(_SHORT), "big"), 8 * len(data)
    return _joined(_LITERAL[byte] for byte in data)


def _fresh(data: bytes) -> Bits:
    """Literals, and runs of zeros as matches with the zero before them."""
    if _RUN not in data:
        return _literals(data)
    parts: list[Bits] = []
    at = 0
    for run in _SAME.finditer(data):
        start, stop = run.span()
        parts.append(_literals(data[at : start + 1]))
        parts.append(_match(stop - start - 1, _ONE_BACK))
        at = stop
    parts.append(_literals(data[at:]))
    return _joined(parts)


_padding = lru_cache(_BLOCK)(_fresh)
"""The same for what pads a content to whole blocks: there are not many."""


def _like(block: bytes, before: bytes, distance: int) -> Bits:
    """A block as matches with the one that lies `distance` bytes back, and what differs."""
    back = _distance(distance)
    changes = _changed_fields(block, before)
    if changes is None:
        differs = (int.from_bytes(block, "big") ^ int.from_bytes(before, "big")).to_bytes(_BLOCK, "big")
        changes = _between_runs(differs)
    value, size = 0, 0
    at = 0  # from where on the block is not yet written
    for first, last in changes:
        if first - at >= _WORTH:
            more, bits = _match(first - at, back)
            value, size = value << bits | more, size + bits
            at = first
        piece = block[at:last]
        more, bits = _fresh(piece) if _RUN in piece else _literals(piece)
        value, size = value << bits | more, size + bits
        at = last
    if at < _BLOCK:
        more, bits = _match(_BLOCK - at, back)
        value, size = value << bits | more, size + bits
    return value, size


def _between_runs(differs: bytes) -> list[tuple[int, int]]:
    """From where to where something differs, or what is the same is too short for a match."""
    ends = [0]
    for run in _SAME.finditer(differs):
        ends += run.span()
    ends.append(_BLOCK)
    return [(first, last) for first, last in zip(ends[::2], ends[1::2], strict=True) if first < last]


def _changed_fields(block: bytes, before: bytes) -> list[tuple[int, int]] | None:
    """For a header like the one before but for name, prefix, size and checksum: where these begin and end to differ.

    From the first difference to the end of a field's text, as what follows that is written in as few bits. None for
    any other block.
    """
    if block[156:345] != before[156:345] or block[100:124] != before[100:124] or block[500:] != before[500:]:
        return None
    numbers = int.from_bytes(block[124:156], "big") ^ int.from_bytes(before[124:156], "big")
    if numbers & _TIME:
        return None
    changes: list[tuple[int, int]] = []
    if name := int.from_bytes(block[:100], "big") ^ int.from_bytes(before[:100], "big"):
        text = max(len(block[:100].rstrip(b"\0")), len(before[:100].rstrip(b"\0")))
        changes.append((100 - (name.bit_length() + 7 >> 3), text))
    if size := numbers >> _SIZE:
        changes.append((135 - (size.bit_length() + 7 >> 3), 135))
    if checksum := numbers & _CHECKSUM:
        changes.append((156 - (checksum.bit_length() + 7 >> 3), 156))
    if block[345:500] != before[345:500]:
        prefix = int.from_bytes(block[345:500], "big") ^ int.from_bytes(before[345:500], "big")
        text = max(len(block[345:500].rstrip(b"\0")), len(before[345:500].rstrip(b"\0")))
        changes.append((500 - (prefix.bit_length() + 7 >> 3), 345 + text))
    return changes


class Headers:
    """The pieces of one deflate stream that lie between its transplanted contents."""

    def __init__(self) -> None:
        self._before: bytes | None = None
        self._since = 0

    def block(self, data: bytes, *, final: bool = False) -> bytes:
        """A whole block with `data`: padding, then headers. Unless it is the last of the stream, it ends on a byte."""
        lead = len(data) % _BLOCK
        value, size = _padding(data[:lead])
        value |= (0b110 if final else 0b010) << size
        self._since += lead
        for at in range(lead, len(data), _BLOCK):
            block = data[at : at + _BLOCK]
            distance = self._since + _BLOCK
            near = self._before is not None and distance <= _WINDOW
            more, bits = _like(block, self._before, distance) if near and self._before else _fresh(block)
            value, size = value << bits | more, size + bits
            self._before, self._since = block, 0
        end = 3 + size + _STOP + (0 if final else _ALIGNED)
        length = end + 7 >> 3
        stream = (value << 8 * length - 3 - size).to_bytes(length, "big").translate(_REVERSED)
        return stream if final else stream + _EMPTY

    def skip(self, size: int) -> None:
        """`size` bytes of content came after the last block."""
        self._since += size


def continued(stream: bytes, size: int) -> tuple[bytes, memoryview] | None:
    """A deflate stream of one block, changed so that more blocks may follow it at the next byte, and its `size` bytes.

    None where it cannot be. The block's mark of being the last is its first bit (§3.2.3). Where in its last byte it
    ends is not known without decoding it, but only two cases differ: three bits or more are left over there, enough for
    the header of an empty stored block, or fewer. Inflating the result, with a seal behind it, tells which it is, and
    proves where it ends.
    """
    if not stream or not stream[0] & 1:
        return None
    body = bytes((stream[0] & 0xFE,)) + stream[1:]
    tails = (b"\x00" + _EMPTY, _EMPTY)
    for tail in tails if body[-1] >> 5 else reversed(tails):  # the likely case first: what is left over is zero
        joined = body + tail
        try:
            content = memoryview(deflate.deflate_decompress(joined + _SEALED, size + len(_SEAL)))
        except deflate.DeflateError:
            continue
        if content[size:] == _SEAL:
            return joined, content[:size]
    return None
