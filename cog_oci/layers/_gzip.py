"""gzip as a sequence of members (RFC 1952 §2.2), some of them around deflate streams that existed before.

What lies deflated in a wheel is transplanted: its raw stream goes into a member with nothing compressed again. Small
contents share members with the tar headers between them. Everything else goes through libdeflate, whose output, unlike
that of ISA-L or of a host's zlib, is the same on every processor (docs/adr/0003).
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import deflate
from isal import isal_zlib

from cog_oci.layers._deflate import Headers

if TYPE_CHECKING:
    from collections.abc import Callable

    from cog_oci.layers._tar import Deflated

__all__ = ["MADE_BY", "SMALL", "Members"]

_MEMBER = 1 << 20  # bytes of tar in a compressed member: decides the bytes, so changing it is a new version
_LEVEL = 1
SMALL = 1 << 16
"""Bytes: a content up to this size may be joined to the headers around it."""
_BETWEEN = 4096  # bytes: what lies between two transplanted contents and is no longer than this is headers
_IN_FLIGHT = 16  # members being compressed at most: bounds the memory, never the bytes
_HEAD = bytes((0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255))  # no name, no time, no flags, unknown system

MADE_BY = f"gzip:2:libdeflate-{deflate.__version__}/{_LEVEL}/{_MEMBER}/{SMALL}"


class Members:
    """Writes members; compresses on every thread of `pool`, with the same bytes on any number."""

    def __init__(self, write: Callable[[bytes | memoryview], None], pool: ThreadPoolExecutor) -> None:
        self._write = write
        self._pool = pool
        self._pending = bytearray()
        self._shared: _Shared | None = None
        self._queue: deque[Future[bytes] | bytes | memoryview] = deque()
        self._any = False

    def plain(self, data: bytes | memoryview) -> None:
        """Collect up to a member's worth, then compress it beside the caller."""
        if len(self._pending) + len(data) < _MEMBER:
            self._pending += data
            return
        view = memoryview(data)
        while view:
            room = _MEMBER - len(self._pending)
            self._pending += view[:room]
            view = view[room:]
            if len(self._pending) == _MEMBER:
                self._flush()

    def transplant(self, piece: Deflated, size: int) -> None:
        """Bytes of the tar whose deflate stream exists: a member of its own, ten bytes before, eight after."""
        self._flush()
        self._queue.append(_HEAD)
        for data in piece.slices():
            self._queue.append(data)
            self._drain(_IN_FLIGHT)
        self._queue.append(_tail(piece.crc32, size))

    def join(self, stream: bytes, content: bytes) -> None:
        """Bytes of the tar with a stream that more may follow, as `continued` makes it: one member holds many."""
        if len(self._pending) > _BETWEEN:
            self._flush()
        if self._shared is None:
            self._shared = _Shared()
        self._shared.headers(bytes(self._pending))
        self._shared.content(stream, content)
        self._pending.clear()
        if self._shared.size >= _MEMBER:
            self._flush()

    def finish(self) -> None:
        """Everything is written when this returns."""
        self._flush()
        self._drain(0)
        if not self._any:
            self._write(_member(b""))  # no bytes at all would be no gzip file

    def _flush(self) -> None:
        """End the member that is shared: with what is pending, if that is headers; else a member follows for that."""
        pending = bytes(self._pending)
        self._pending.clear()
        if self._shared is not None:
            headers = pending if len(pending) <= _BETWEEN else b""
            self._queue.append(self._shared.end(headers))
            self._shared = None
            pending = pending[len(headers) :]
        if pending:
            self._queue.append(self._pool.submit(_member, pending))
        self._drain(_IN_FLIGHT)

    def _drain(self, leave: int) -> None:
        while len(self._queue) > leave:
            piece = self._queue.popleft()
            self._any = True
            self._write(piece.result() if isinstance(piece, Future) else piece)


class _Shared:
    """One member with several contents and the headers between them."""

    def __init__(self) -> None:
        self._between = Headers()
        self._out = bytearray(_HEAD)
        self._crc = 0
        self._plain = 0

    @property
    def size(self) -> int:
        """Bytes of tar so far."""
        return self._plain

    def headers(self, data: bytes) -> None:
        if data:
            self._add(self._between.block(data), data)

    def content(self, stream: bytes, content: bytes) -> None:
        self._add(stream, content)
        self._between.skip(len(content))

    def end(self, headers: bytes) -> bytes:
        self._add(self._between.block(headers, final=True), headers)
        return bytes(self._out + _tail(self._crc, self._plain))

    def _add(self, stream: bytes, plain: bytes) -> None:
        self._out += stream
        self._crc = isal_zlib.crc32(plain, self._crc)
        self._plain += len(plain)


def _member(data: bytes) -> bytes:
    return b"".join((_HEAD, deflate.deflate_compress(data, _LEVEL), _tail(isal_zlib.crc32(data), len(data))))


def _tail(crc32: int, size: int) -> bytes:
    return crc32.to_bytes(4, "little") + (size & 0xFFFFFFFF).to_bytes(4, "little")
