"""Where a blob is damaged: the byte, and the member of the layer that lies there."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, BinaryIO, Protocol

from cog_oci.blobs import MAGIC_SIZE, envelope, open_plain
from cog_oci.compare._difference import first_difference
from cog_oci.compare._head import BLOCK
from cog_oci.compare._side import CHUNK, Side
from cog_oci.oci import MediaType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["compare_blobs", "path_at", "walk"]


class _Inflater(Protocol):
    """What zlib and zstandard have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


def compare_blobs(expected: BinaryIO, actual: BinaryIO) -> int | None:
    """The offset of the first byte in which two blobs differ, the end of the shorter included; None for equal ones."""
    at = 0
    while True:
        one, other = expected.read(CHUNK), actual.read(CHUNK)
        found = first_difference(one, other)
        if found is not None:
            return at + found
        if not one:
            return None
        at += len(one)


def path_at(blob: BinaryIO, offset: int) -> str:
    """Which member of a layer lies at this offset of its good blob: `/usr/bin/x`, `/a to /c` or `the end`.

    It is several members where one piece of the envelope holds them all: a small zstd block, or a checksum between two
    gzip members. `blob` is read from its beginning and can seek.
    """
    blob.seek(0)
    start, end = _reach(blob, offset)
    blob.seek(0)
    first, last = _owners(open_plain(blob, MediaType.LAYER), start, end - 1)
    return first if first == last else f"{first} to {last}"


def walk(plain: BinaryIO) -> Iterator[tuple[str, int]]:
    """Each member of a layer's tar, with where in it the member ends, padding included; before its content is read.

    A block that should be a header and is none counts as a member `after` the one before it.
    """
    side = Side(plain)
    path = "the beginning"
    while not side.at_end:
        head = side.head()
        path = head.path if head else f"after {path.removeprefix('after ')}"
        size = len(head.raw) + head.size + -head.size % BLOCK if head else BLOCK
        yield path, side.offset + size
        for _ in side.chunks(size):
            pass


def _owners(plain: BinaryIO, first: int, last: int) -> tuple[str, str]:
    """The members in which two bytes of a layer's tar lie, the second no further in front than the first."""
    owner = ""
    for path, end in walk(plain):
        if first < end:
            owner = owner or path
        if last < end:
            return owner, path
    return owner or "the end", "the end"


def _reach(blob: BinaryIO, offset: int) -> tuple[int, int]:
    """Which bytes of the tar the byte at this offset of the blob has to do with, as a range."""
    kind = envelope(blob.read(MAGIC_SIZE))
    blob.seek(0)
    if kind == MediaType.LAYER:
        return offset, offset + 1
    before = after = 0
    closed = False
    for read, made, ended in _inflated(_pieces(blob, offset), _inflater(kind)):
        if read <= offset:
            before += made
            continue
        after += made
        closed = closed or ended
        if after:
            break
    # What closes a piece, a checksum for one, has to do with what came before it.
    start = max(before - 1, 0) if closed or not after else before
    return start, max(before + after, start + 1)


def _pieces(blob: BinaryIO, offset: int) -> Iterator[bytes]:
    """The blob up to `offset`, and then byte by byte."""
    left = offset
    while left and (data := blob.read(min(left, 8192))):
        left -= len(data)
        yield data
    while data := blob.read(1):
        yield data


def _inflater(kind: str) -> Callable[[], _Inflater]:
    if kind == MediaType.LAYER_GZIP:
        return lambda: zlib.decompressobj(wbits=31)
    import zstandard  # noqa: PLC0415 - takes 10 ms, and most layers are gzip

    return zstandard.ZstdDecompressor().decompressobj


def _inflated(pieces: Iterator[bytes], inflater: Callable[[], _Inflater]) -> Iterator[tuple[int, int, bool]]:
    """After each piece: the bytes of the blob read so far, those of the tar it added, whether it closed something."""
    current, read = inflater(), 0
    for piece in pieces:
        read += len(piece)
        rest, made, ended = piece, 0, False
        while rest:
            made += len(current.decompress(rest))
            rest = current.unused_data if current.eof else b""
            if current.eof:
                current, ended = inflater(), True
        yield read, made, ended
