"""Renderings of a layer: what a tar is wrapped in. A layer *is* its tar; an envelope is how it travels (design §1.2).

The gzip envelope is a sequence of members (RFC 1952 §2.2). What lies deflated in a wheel is transplanted: its raw
stream becomes the body of a member, with nothing compressed again. Everything else goes through libdeflate, whose
output, unlike that of ISA-L or of a host's zlib, is the same on every processor (docs/adr/0003).
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol

import deflate

from cog_oci.oci import Digest, MediaType

if TYPE_CHECKING:
    from types import TracebackType

    from cog_oci.layers._tar import Deflated
    from cog_oci.store import Incoming

__all__ = ["Envelope", "Gzip"]

_MEMBER = 1 << 20  # bytes of tar in one member: decides the bytes, so changing it is a new version
_LEVEL = 1
_IN_FLIGHT = 16  # members being compressed at most: bounds the memory, never the bytes
_HEAD = bytes((0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255))  # no name, no time, no flags, unknown system


class Envelope(Protocol):
    """Takes a tar in pieces, writes a blob, and knows the blob's digest and size when it is closed."""

    media_type: str
    name: str
    """What decides the bytes besides the tar: format, compressor, its version, its level."""

    def plain(self, data: bytes | memoryview) -> None:
        """The next bytes of the tar."""

    def transplant(self, piece: Deflated, size: int) -> None:
        """The next `size` bytes of the tar, already deflated."""

    def close(self) -> tuple[Digest, int]:
        """Write what is left. The blob's digest and its size in bytes."""


class Gzip:
    """`application/vnd.oci.image.layer.v1.tar+gzip`; compresses on every core, with the same bytes on any number."""

    media_type = MediaType.LAYER_GZIP
    name = f"gzip:libdeflate-{deflate.__version__}/{_LEVEL}/{_MEMBER}"

    def __init__(self, sink: Incoming, pool: ThreadPoolExecutor) -> None:
        self._sink = sink
        self._pool = pool
        self._pending = bytearray()
        self._queue: deque[Future[bytes] | bytes | memoryview] = deque()
        self._hash = hashlib.sha256()
        self._size = 0

    def plain(self, data: bytes | memoryview) -> None:
        """Collect up to a member's worth, then compress it beside the caller."""
        view = memoryview(data)
        while view:
            room = _MEMBER - len(self._pending)
            self._pending += view[:room]
            view = view[room:]
            if len(self._pending) == _MEMBER:
                self._flush()

    def transplant(self, piece: Deflated, size: int) -> None:
        """A member around a deflate stream that exists: ten bytes before, eight after."""
        self._flush()
        self._queue.append(_HEAD)
        self._queue.append(piece.data)
        self._queue.append(_tail(piece.crc32, size))
        self._drain(_IN_FLIGHT)

    def close(self) -> tuple[Digest, int]:
        """Everything is written when this returns."""
        self._flush()
        self._drain(0)
        return Digest("sha256:" + self._hash.hexdigest()), self._size

    def _flush(self) -> None:
        if self._pending:
            self._queue.append(self._pool.submit(_member, bytes(self._pending)))
            self._pending.clear()
            self._drain(_IN_FLIGHT)

    def _drain(self, leave: int) -> None:
        while len(self._queue) > leave:
            piece = self._queue.popleft()
            data = piece.result() if isinstance(piece, Future) else piece
            self._sink.write(data)
            self._hash.update(data)
            self._size += len(data)


class Compressors:
    """The threads that compress, as a context."""

    def __enter__(self) -> ThreadPoolExecutor:
        """As many as there are cores for this process."""
        self._pool = ThreadPoolExecutor(_cores(), thread_name_prefix="compress")
        return self._pool

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """What has not begun does not begin."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _member(data: bytes) -> bytes:
    return b"".join((_HEAD, deflate.deflate_compress(data, _LEVEL), _tail(zlib.crc32(data), len(data))))


def _tail(crc32: int, size: int) -> bytes:
    return crc32.to_bytes(4, "little") + (size & 0xFFFFFFFF).to_bytes(4, "little")
