"""Work that is done beside other work."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING, Generic, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future, ThreadPoolExecutor
    from types import TracebackType

__all__ = ["Aside"]

T = TypeVar("T")


class Aside(Generic[T]):
    """Some work in a thread of its own, from when somebody begins it or wants its result; it is done once.

    A context: what has begun has ended when that closes, whatever happens meanwhile. Beginning late is the point. A
    thread of Python's would hold up the start of a program that runs without us.

    The work is given an event, which is set when the context closes for an error or an interrupt: then nobody wants the
    result, and whoever waits for the end should not wait for a download.
    """

    def __init__(self, work: Callable[[Event], T]) -> None:
        self._work = work
        self._given_up = Event()
        self._pool: ThreadPoolExecutor | None = None
        self._job: Future[T] | None = None

    def begin(self) -> None:
        """Begin it, unless it has begun."""
        self._begun()

    def result(self) -> T:
        """What it gives, or raises."""
        return self._begun().result()

    def _begun(self) -> Future[T]:
        if self._job is None:
            from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - slow to load, and not needed earlier

            self._pool = ThreadPoolExecutor(1, thread_name_prefix="aside")
            self._job = self._pool.submit(self._work, self._given_up)
        return self._job

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._pool is not None:
            if error is not None:
                self._given_up.set()
            self._pool.shutdown()
