"""gzip as a sequence of members (RFC 1952 §2.2), some of them around deflate streams that existed before.

What lies deflated in a wheel is transplanted: its raw stream goes into a member with nothing compressed again. Small
contents share members with the tar headers between them. Everything else goes through libdeflate, whose output, unlike
that of ISA-L or of a host's zlib, is the same on every processor (docs/adr/0003).
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

import deflate

from cog_oci.layers._tar import Deflated

if TYPE_CHECKING:
    from collections.abc import Callable

    from cog_oci.layers._hashing import Hasher

__all__ = ["MADE_BY", "SMALL", "Members"]

_MEMBER = 1 << 20  # bytes of tar in a compressed member: decides the bytes, so changing it is a new version
_LEVEL = 1
SMALL = 1 << 16
"""Bytes: a content up to this size may be joined to the headers around it."""
_BETWEEN = 4096  # bytes: what lies between two transplanted contents and is no longer than this is headers
_IN_FLIGHT = 16  # members being compressed at most: bounds the memory, never the bytes
_HEAD = bytes((0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255))  # no name, no time, no flags, unknown system

MADE_BY = f"gzip:2:libdeflate-{deflate.__version__}/{_LEVEL}/{_MEMBER}/{SMALL}"


class Submit(Protocol):
    """How a function is called beside the caller, and what gives its answer when it is asked for."""

    def __call__(self, make: Callable[[bytes], bytes], data: bytes) -> Callable[[], bytes]: ...


class Members:
    """Writes members; compresses beside the caller as `submit` does, with the same bytes on any number of threads."""

    def __init__(self, written: Hasher, submit: Submit) -> None:
        self._written = written
        self._submit = submit
        self._pending = bytearray()
        self._shared: _Shared | None = None
        self._queue: deque[Callable[[], bytes] | Deflated | bytes] = deque()

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

    def transplant(self, piece: Deflated, size: int) -> memoryview | None:
        """Bytes of the tar whose deflate stream exists. Those bytes, where they had to be inflated, else None.

        A small content is joined to the headers around it where its stream allows; any other has a member of its own,
        ten bytes before, eight after.
        """
        if size <= SMALL:
            from cog_oci.layers._deflate import continued  # noqa: PLC0415 - its tables are for layers of wheels

            joined = continued(piece.read(), size)
            if joined is not None and deflate.crc32(joined[1]) == piece.crc32:
                self._join(*joined)
                return joined[1]
        self._flush()
        self._queue += (_HEAD, piece, _tail(piece.crc32, size))
        self._drain(_IN_FLIGHT)
        return None

    def _join(self, stream: bytes, content: memoryview) -> None:
        """A stream that more may follow, as `continued` makes it: one member holds many."""
        if len(self._pending) > _BETWEEN:
            self._flush()
        if self._shared is None:
            self._shared = _Shared()
        self._shared.add(bytes(self._pending), stream, content)
        self._pending.clear()
        if self._shared.size >= _MEMBER:
            self._flush()

    def finish(self) -> None:
        """Everything is written when this returns."""
        rest = self._end_shared()
        if rest:
            self._queue.append(_member(rest))
        self._drain(0)
        if not self._written.size:
            self._written.update(_member(b""))  # no bytes at all would be no gzip file

    def _flush(self) -> None:
        rest = self._end_shared()
        if rest:
            self._queue.append(self._submit(_member, rest))
        self._drain(_IN_FLIGHT)

    def _end_shared(self) -> bytes:
        """End the member that is shared, with what is pending if that is headers; what is left is a member to make."""
        pending = bytes(self._pending)
        self._pending.clear()
        if self._shared is None:
            return pending
        headers = pending if len(pending) <= _BETWEEN else b""
        self._queue.append(self._shared.end(headers))
        self._shared = None
        return pending[len(headers) :]

    def _drain(self, leave: int) -> None:
        while len(self._queue) > leave:
            piece = self._queue.popleft()
            if isinstance(piece, Deflated):
                self._written.foresee(piece.slices())
                self._written.follow(piece.size)
            else:
                self._written.update(piece() if callable(piece) else piece)


class _Shared:
    """One member with several contents and the headers between them."""

    def __init__(self) -> None:
        from cog_oci.layers._deflate import Headers  # noqa: PLC0415 - its tables are for layers of wheels

        self._between = Headers()
        self._out = bytearray(_HEAD)
        self._crc = 0
        self.size = 0
        """Bytes of tar so far."""

    def add(self, headers: bytes, stream: bytes, content: memoryview) -> None:
        """A content, as `stream` that more may follow, after headers or nothing."""
        if headers:
            self._out += self._between.block(headers)
        self._out += stream
        self._between.skip(len(content))
        self._crc = deflate.crc32(content, deflate.crc32(headers, self._crc))
        self.size += len(headers) + len(content)

    def end(self, headers: bytes) -> bytes:
        """The whole member, given the headers that are its last bytes."""
        self._out += self._between.block(headers, final=True)
        crc = deflate.crc32(headers, self._crc)
        return bytes(self._out + _tail(crc, self.size + len(headers)))


def _member(data: bytes) -> bytes:
    return b"".join((_HEAD, deflate.deflate_compress(data, _LEVEL), _tail(deflate.crc32(data), len(data))))


def _tail(crc32: int, size: int) -> bytes:
    return crc32.to_bytes(4, "little") + (size & 0xFFFFFFFF).to_bytes(4, "little")
