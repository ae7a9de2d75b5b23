"""A sha256 taken beside the work, and a file written there: on another thread, in order, with a bound on what waits."""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from queue import Queue, SimpleQueue
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    Piece = bytes | memoryview

__all__ = ["Hasher"]

_BATCH = 1 << 20  # bytes of small pieces that are worth a turn of the other thread
_IN_FLIGHT = 8  # turns that may wait; more of them only cost: what is in the processor's cache is hashed sooner
_AHEAD = 8 << 20  # bytes that may be fetched before their turn; likewise


class Hasher:
    """Counts and hashes what it is given, and writes it if told where; a context, as it owns threads.

    The pieces must stay as they are until `hexdigest`, after which everything is written. What goes wrong beside is
    raised by a later call. What is less than a batch in all needs no thread.
    """

    def __init__(self, write: Callable[[Piece], object] | None = None, ahead: int = _AHEAD) -> None:
        self.size = 0
        self._write, self._ahead = write, ahead
        self._foreseen: deque[_Coming] = deque()
        self._hash = hashlib.sha256()
        self._batch: list[Piece] = []
        self._waiting = 0
        self._beside: _Beside | None = None

    def update(self, data: Piece) -> None:
        """The next bytes."""
        self.size += len(data)
        self._batch.append(data)
        self._waiting += len(data)
        if self._waiting >= _BATCH:
            self._thread().then(self._collected())

    def foresee(self, pieces: Iterator[Piece]) -> None:
        """What some `follow` will be about: one more thread takes it from there already, up to `ahead` bytes in all."""
        self._foreseen.append(self._thread().fetch(pieces))

    def follow(self, size: int) -> None:
        """The next `size` bytes are those that were foreseen first, of what has not followed yet."""
        self.size += size
        beside = self._thread()
        if self._batch:
            beside.then(self._collected())
        beside.then(self._foreseen.popleft())

    def hexdigest(self) -> str:
        """64 hex digits over everything so far; nothing may follow."""
        if self._beside is not None:
            self._beside.finish()
        if self._batch:
            self._take(self._collected())
        return self._hash.hexdigest()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """What has not begun does not begin."""
        if self._beside is not None:
            self._beside.stop()

    def _collected(self) -> Piece:
        # Small pieces go as one: between two the other thread would have to wait for this one to let go.
        data = self._batch[0] if len(self._batch) == 1 else b"".join(self._batch)
        self._batch, self._waiting = [], 0
        return data

    def _thread(self) -> _Beside:
        self._beside = self._beside or _Beside(self._take, self._ahead)
        return self._beside

    def _take(self, data: Piece) -> None:
        if self._write is not None:
            self._write(data)
        self._hash.update(data)


class _Coming:
    """Pieces on their way, in a queue that ends with None, or with what went wrong."""

    def __init__(self, pieces: Iterator[Piece]) -> None:
        self.pieces = pieces
        self.fetched: SimpleQueue[Piece | BaseException | None] = SimpleQueue()


class _Room:
    """So many bytes may be waiting; one piece more always may, so that none is too large."""

    def __init__(self, size: int) -> None:
        self._free = size
        self._open = False
        self._changed = threading.Condition()

    def take(self, size: int) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._free > 0 or self._open)
            self._free -= size

    def give(self, size: int) -> None:
        with self._changed:
            self._free += size
            self._changed.notify()

    def open(self) -> None:
        """Nobody waits any more."""
        with self._changed:
            self._open = True
            self._changed.notify()


class _Beside:
    """Two threads: one takes what it is given in that order, the other fetches ahead what comes from an iterator."""

    def __init__(self, take: Callable[[Piece], None], ahead: int) -> None:
        self._take = take
        self._line: Queue[Piece | _Coming | None] = Queue(_IN_FLIGHT)
        self._coming: SimpleQueue[_Coming | None] = SimpleQueue()
        self._room = _Room(ahead)
        self._failure: BaseException | None = None
        self._stopped = False
        self._threads = [
            threading.Thread(target=self._take_in_order, name="hash"),
            threading.Thread(target=self._fetch_in_order, name="ahead"),
        ]
        for thread in self._threads:
            thread.start()

    def then(self, item: Piece | _Coming) -> None:
        self._complain()
        self._line.put(item)

    def fetch(self, pieces: Iterator[Piece]) -> _Coming:
        coming = _Coming(pieces)
        self._coming.put(coming)
        return coming

    def finish(self) -> None:
        """Everything is taken when this returns; raises what went wrong."""
        self._end()
        self._complain()

    def stop(self) -> None:
        """Nothing more begins; both threads have ended when this returns."""
        self._give_up()
        self._end()

    def _end(self) -> None:
        self._coming.put(None)
        self._line.put(None)
        for thread in self._threads:
            thread.join()

    def _complain(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _give_up(self) -> None:
        self._stopped = True
        self._room.open()

    def _take_in_order(self) -> None:
        while (item := self._line.get()) is not None:
            if self._stopped:
                continue  # whoever gives must not be left waiting for room
            try:
                if isinstance(item, _Coming):
                    self._take_all(item)
                else:
                    self._take(item)
            except BaseException as error:  # noqa: BLE001 - it is raised where the pieces come from
                self._failure = error
                self._give_up()

    def _take_all(self, coming: _Coming) -> None:
        while (piece := coming.fetched.get()) is not None:
            if isinstance(piece, BaseException):
                raise piece
            self._take(piece)
            self._room.give(len(piece))

    def _fetch_in_order(self) -> None:
        while (coming := self._coming.get()) is not None:
            try:
                self._fetch_all(coming)
            except BaseException as error:  # noqa: BLE001 - it is raised by whoever takes
                coming.fetched.put(error)
            coming.fetched.put(None)

    def _fetch_all(self, coming: _Coming) -> None:
        for piece in coming.pieces:
            self._room.take(len(piece))
            if self._stopped:
                return
            coming.fetched.put(piece)
