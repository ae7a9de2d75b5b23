"""A sha256 taken beside the work, and a file written there: on another thread, in order, with a bound on what waits."""

from __future__ import annotations

import hashlib
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future
    from types import TracebackType

__all__ = ["Hasher"]

_BATCH = 1 << 20  # bytes of small pieces that are worth a turn of the other thread
_LARGE = 1 << 16  # bytes that are worth one alone
_IN_FLIGHT = 32  # turns that may wait: bounds the memory


class Hasher:
    """Counts and hashes what it is given, and writes it if told where; a context.

    The pieces must stay as they are until `hexdigest`, after which everything is written.
    """

    def __init__(self, write: Callable[[bytes | memoryview], object] | None = None) -> None:
        self.size = 0
        self._write = write
        self._hash = hashlib.sha256()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="hash")
        self._ahead = ThreadPoolExecutor(1, thread_name_prefix="ahead")
        self._jobs: deque[Future[None]] = deque()
        self._batch: list[bytes | memoryview] = []
        self._waiting = 0

    def update(self, data: bytes | memoryview) -> None:
        """The next bytes."""
        self.size += len(data)
        if len(data) >= _LARGE:
            self._send()
            self._submit(data)
            return
        self._batch.append(data)
        self._waiting += len(data)
        if self._waiting >= _BATCH:
            self._send()

    def follow(self, pieces: Iterator[bytes | memoryview], size: int) -> None:
        """The next `size` bytes, taken from `pieces` when it is their turn: on one more thread, one piece ahead.

        What `pieces` raises is raised by a later call.
        """
        self.size += size
        self._send()
        self._wait(_IN_FLIGHT)
        self._jobs.append(self._thread.submit(self._take_all, pieces))

    def hexdigest(self) -> str:
        """64 hex digits over everything so far."""
        self._send()
        self._wait(0)
        return self._hash.hexdigest()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """What has not begun does not begin."""
        self._thread.shutdown(wait=True, cancel_futures=True)
        self._ahead.shutdown(wait=True, cancel_futures=True)

    def _send(self) -> None:
        # Small pieces are sent as one: between two the other thread would have to wait for this one to let go.
        if self._batch:
            self._submit(b"".join(self._batch))
            self._batch, self._waiting = [], 0

    def _submit(self, data: bytes | memoryview) -> None:
        self._wait(_IN_FLIGHT)
        self._jobs.append(self._thread.submit(self._take, data))

    def _take(self, data: bytes | memoryview) -> None:
        if self._write is not None:
            self._write(data)
        self._hash.update(data)

    def _take_all(self, pieces: Iterator[bytes | memoryview]) -> None:
        coming = self._ahead.submit(next, pieces, None)
        while (piece := coming.result()) is not None:
            coming = self._ahead.submit(next, pieces, None)
            self._take(piece)

    def _wait(self, leave: int) -> None:
        while len(self._jobs) > leave:
            self._jobs.popleft().result()
