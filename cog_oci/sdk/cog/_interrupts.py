"""Cancelling code that runs on the main thread, by a signal: it wakes `time.sleep()` and other waiting calls too."""

from __future__ import annotations

import signal
from threading import get_ident, main_thread
from typing import TYPE_CHECKING, Any, TypeVar

from .exceptions import CancelationException

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Interrupts", "Run"]

T = TypeVar("T")

SIGNAL = signal.SIGURG
"""Harmless where it meets no handler (its default is to be ignored), and hardly any program uses it."""


class Run:
    """One call that may be interrupted; a request that comes too late finds its run ended, and no other."""

    __slots__ = ("wanted",)

    def __init__(self) -> None:
        self.wanted = False


class Interrupts:
    """Raises CancelationException in the prediction that runs on the main thread, once, and in nothing else.

    A `with` block holds it up.
    """

    def __init__(self) -> None:
        self._running: Run | None = None
        self._held = 0
        self._late = False
        self._main = main_thread().ident or 0

    def install(self) -> None:
        """Take over the signal. Must be called on the main thread."""
        signal.signal(SIGNAL, self._on_signal)

    def request(self, run: Run) -> None:
        """Interrupt `run`, now or when it starts. May be called on any thread."""
        run.wanted = True
        signal.pthread_kill(self._main, SIGNAL)

    def call(self, run: Run, function: Callable[[], T]) -> T:
        """`function()`, on the main thread; raises CancelationException when it is interrupted."""
        try:
            self._running = run
            self._raise_if_wanted()
            return function()
        finally:
            self._running = None

    def hold(self) -> None:
        """Until `release()`, the main thread is doing something that must not be left half done."""
        if get_ident() == self._main:
            self._held += 1

    def release(self) -> None:
        """The counterpart of `hold()`; a cancellation that came in between is raised now."""
        if get_ident() == self._main:
            self._held -= 1
            if self._late and not self._held:
                self._late = False
                self._raise_if_wanted()

    def __enter__(self) -> None:
        self.hold()

    def __exit__(self, *error: object) -> None:
        self.release()

    def _on_signal(self, number: int, frame: Any) -> None:  # noqa: ARG002 - the signature of a signal handler
        if self._held:
            self._late = True
        else:
            self._raise_if_wanted()

    def _raise_if_wanted(self) -> None:
        if self._running is not None and self._running.wanted:
            self._running = None  # raised once: what handles it may clean up undisturbed
            raise CancelationException("Prediction was canceled")
