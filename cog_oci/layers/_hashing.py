"""A sha256 taken beside the work: on another thread, in order, with a bound on what waits."""

from __future__ import annotations

import hashlib
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from concurrent.futures import Future
    from types import TracebackType

__all__ = ["Hasher"]

_BATCH = 1 << 18  # bytes that are worth a turn of the other thread
_IN_FLIGHT = 8


class Hasher:
    """Counts and hashes what it is given, as a context; the pieces must stay as they are until `hexdigest`."""

    def __init__(self) -> None:
        self.size = 0
        self._hash = hashlib.sha256()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="hash")
        self._jobs: deque[Future[None]] = deque()
        self._small = bytearray()

    def update(self, data: bytes | memoryview) -> None:
        """The next bytes."""
        self.size += len(data)
        if len(data) < _BATCH:
            self._small += data
            if len(self._small) >= _BATCH:
                self._send()
        else:
            self._send()
            self._submit(data)

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

    def _send(self) -> None:
        if self._small:
            self._submit(bytes(self._small))
            self._small.clear()

    def _submit(self, data: bytes | memoryview) -> None:
        self._wait(_IN_FLIGHT)
        self._jobs.append(self._thread.submit(self._hash.update, data))

    def _wait(self, leave: int) -> None:
        while len(self._jobs) > leave:
            self._jobs.popleft().result()
