"""One of two tar streams: what comes next in it, and how to get past it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from cog_oci.compare._head import BLOCK, Head, head_at

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CHUNK", "Side", "Skipped"]

CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Skipped:
    """A member that was passed by: what is left of it to compare with when it turns up on the other side."""

    head: Head
    index: int
    offset: int
    sha256: str
    padding: bytes


class Side:
    """A stream that is read once, from front to back; `offset` counts bytes taken and `members` heads passed."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._buffer, self._at = b"", 0
        self.offset = 0
        self.members = 0

    def peek(self, size: int) -> bytes:
        """The next bytes, or those that there are."""
        while len(self._buffer) - self._at < size:
            more = self._stream.read(max(CHUNK, size))
            if not more:
                break
            self._buffer, self._at = self._buffer[self._at :] + more, 0
        return self._buffer[self._at : self._at + size]

    def take(self, size: int) -> bytes:
        """The next bytes, which are gone then."""
        data = self.peek(size)
        self._at += len(data)
        self.offset += len(data)
        return data

    def chunks(self, size: int) -> Iterator[bytes]:
        """The next `size` bytes in pieces; fewer when the stream ends."""
        while size and (data := self.take(min(size, CHUNK))):
            size -= len(data)
            yield data

    @property
    def at_end(self) -> bool:
        """Whether the archive ends here: with two zero blocks, or because there is nothing more."""
        return not self.peek(2 * BLOCK).strip(b"\0")

    def head(self) -> Head | None:
        """The head that comes next; None at the end, and where there is no head that holds."""
        return head_at(self.peek)

    def skip(self, head: Head) -> Skipped:
        """Take a whole member, whose head comes next."""
        offset, index = self.offset, self.members
        self.members += 1
        self.take(len(head.raw))
        digest = hashlib.sha256()
        for chunk in self.chunks(head.size):
            digest.update(chunk)
        return Skipped(head, index, offset, digest.hexdigest(), self.take(-head.size % BLOCK))
