"""A small deflate encoder (RFC 1951) for what lies between transplanted files: tar headers, one much like the last.

libdeflate sees each piece alone and spends over a hundred bytes on a header. Here a piece is a block inside a longer
stream, so a header is written as what differs from the header before it. Fixed Huffman codes (§3.2.6) only: no table
travels. The bytes depend on the input and on nothing else.
"""

from __future__ import annotations

import re
from functools import cache

from isal import isal_zlib

__all__ = ["END", "Headers", "continued"]

END = b"\x03\x00"
"""An empty final block, byte-aligned."""

_BLOCK = 512  # bytes of a tar block (POSIX ustar)
_WINDOW = 32768  # how far back a match may reach (§3.2.5)
_LONGEST = 258
_ALIGNED = "000"  # a stored block's header; what follows it starts at the next byte (§3.2.4)
_EMPTY = b"\x00\x00\xff\xff"  # length 0 and its complement
_SAME = re.compile(rb"\0{4,}")  # shorter runs cost more as a match than as literals
_VARYING = ((0, 100), (124, 136), (148, 156), (345, 500))  # name, size, checksum, prefix in a header (POSIX ustar)
_CONSTANT = ((100, 124), (136, 148), (156, 345))  # what is between them, and then zeros
_ERROR: type[Exception] = isal_zlib.error  # type: ignore[assignment]  # the stubs call the class an instance


def _code(symbol: int) -> str:
    """The fixed code of a literal or length symbol, its bits in the order of the stream."""
    if symbol < 144:
        return f"{0b00110000 + symbol:08b}"
    if symbol < 256:
        return f"{0b110010000 + symbol - 144:09b}"
    if symbol < 280:
        return f"{symbol - 256:07b}"
    return f"{0b11000000 + symbol - 280:08b}"


def _with_extra(code: str, value: int, bits: int) -> str:
    """A code and its extra bits: these come least significant first."""
    return code + f"{value:0{bits}b}"[::-1] if bits else code


def _lengths() -> list[str]:
    """The code of each match length, by length."""
    table = [""] * (_LONGEST + 1)
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
_TEXT = dict(enumerate(_LITERAL))
_LENGTH = _lengths()
_STOP = _code(256)


@cache
def _distance(distance: int) -> str:
    """The code of a distance from 1 to 32768."""
    if distance <= 4:
        return f"{distance - 1:05b}"
    bits = (distance - 1).bit_length() - 2
    symbol = 2 * bits + 2 + ((distance - 1) >> bits & 1)
    return _with_extra(f"{symbol:05b}", (distance - 1) & ((1 << bits) - 1), bits)


def _match(length: int, distance: str) -> str:
    """A match of any length of at least 3, given the distance's code; no rest of 1 or 2 is left over."""
    if length <= _LONGEST:
        return _LENGTH[length] + distance
    out: list[str] = []
    while length > _LONGEST:
        step = _LONGEST if length - _LONGEST >= 3 else _LONGEST - 3
        out += (_LENGTH[step], distance)
        length -= step
    return "".join((*out, _LENGTH[length], distance))


_ONE_BACK = _distance(1)


def _fresh(data: bytes) -> str:
    """Literals, and runs of zeros as matches with the zero before them."""
    if b"\0\0\0\0" not in data:
        return data.decode("latin-1").translate(_TEXT)
    out: list[str] = []
    at = 0
    for run in _SAME.finditer(data):
        start, stop = run.span()
        out += [_LITERAL[byte] for byte in data[at : start + 1]]
        out.append(_match(stop - start - 1, _ONE_BACK))
        at = stop
    out += [_LITERAL[byte] for byte in data[at:]]
    return "".join(out)


def _like(block: bytes, before: bytes, distance: int) -> str:
    """A block as matches with the one that lies `distance` bytes back, and what differs."""
    back = _distance(distance)
    if all(block[start:stop] == before[start:stop] for start, stop in _CONSTANT):
        return _like_another_file(block, before, back)
    difference = int.from_bytes(block) ^ int.from_bytes(before)
    out: list[str] = []
    at = 0
    for run in _SAME.finditer(difference.to_bytes(len(block))):
        start, stop = run.span()
        out += (_fresh(block[at:start]), _match(stop - start, back))
        at = stop
    out.append(_fresh(block[at:]))
    return "".join(out)


def _like_another_file(block: bytes, before: bytes, back: str) -> str:
    """What `_like` does, for the header that nearly all are: only name, prefix, size and checksum may differ.

    Of each of these fields the part up to the first difference is matched, and the rest is written.
    """
    out: list[str] = []
    at = 0  # from where on the block is not yet written
    for start, stop in _VARYING:
        new, old = block[start:stop], before[start:stop]
        if new == old:
            continue
        first = stop - ((int.from_bytes(new) ^ int.from_bytes(old)).bit_length() + 7) // 8
        last = start + max(len(new.rstrip(b"\0")), len(old.rstrip(b"\0")))
        if first - at >= 4:
            out += (_match(first - at, back), _fresh(block[first:last]))
        else:
            out.append(_fresh(block[at:last]))
        at = last
    out.append(_match(_BLOCK - at, back))
    return "".join(out)


class Headers:
    """The pieces of one deflate stream that lie between its transplanted contents."""

    def __init__(self) -> None:
        self._before: bytes | None = None
        self._since = 0

    def block(self, data: bytes, *, final: bool = False) -> bytes:
        """A whole block with `data`: padding, then headers. Unless it is the last of the stream, it ends on a byte."""
        lead = len(data) % _BLOCK
        out = ["1" if final else "0", "10", _fresh(data[:lead])]
        self._since += lead
        for at in range(lead, len(data), _BLOCK):
            block = data[at : at + _BLOCK]
            distance = self._since + _BLOCK
            near = self._before is not None and distance <= _WINDOW
            out.append(_like(block, self._before, distance) if near and self._before else _fresh(block))
            self._before, self._since = block, 0
        out.append(_STOP)
        if not final:
            out.append(_ALIGNED)
        bits = "".join(out)
        return int(bits[::-1], 2).to_bytes((len(bits) + 7) // 8, "little") + (b"" if final else _EMPTY)

    def skip(self, size: int) -> None:
        """`size` bytes of content came after the last block."""
        self._since += size


def continued(stream: bytes | memoryview, size: int) -> tuple[bytes, bytes] | None:
    """A deflate stream of one block, changed so that more blocks may follow it at the next byte, and its `size` bytes.

    None where it cannot be. The block's mark of being the last is its first bit (§3.2.3). Where in its last byte it
    ends is not known without decoding it, but only two cases differ: three bits or more are left over there, enough for
    the header of an empty stored block, or fewer. Inflating the result tells which it is, and proves where it ends.
    """
    if not stream[0] & 1:
        return None
    body = bytearray(stream)
    body[0] &= 0xFE
    tails = (b"\x00" + _EMPTY, _EMPTY)
    for tail in tails if body[-1] >> 5 else reversed(tails):  # the likely case first: what is left over is zero
        inflate = isal_zlib.decompressobj(-15)
        try:
            content = inflate.decompress(body + tail + END, size + 1)
        except _ERROR:
            continue
        if inflate.eof and not inflate.unused_data and len(content) == size:
            return bytes(body + tail), content
    return None
