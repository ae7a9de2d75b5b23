"""How long work tells whoever is watching; the work itself never prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["SILENT", "Progress", "Silent", "Task"]


class Task(Protocol):
    """One piece of work under way: a context that ends it, and a count of the bytes done so far."""

    def advance(self, size: int) -> None:
        """`size` more bytes are done; negative when work was lost and starts again."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Progress(Protocol):
    """A watcher. Called from any thread."""

    def say(self, text: str) -> None:
        """A step worth a line: `resolving 12 packages`."""

    def task(self, name: str, total: int | None = None) -> Task:
        """Begin a piece of work of `total` bytes, where known."""


class Silent:
    """Nobody is watching."""

    def say(self, text: str) -> None:
        """Nothing."""

    def task(self, name: str, total: int | None = None) -> Task:  # noqa: ARG002 - the protocol's names
        """Itself: a piece of work that nobody watches either."""
        return self

    def advance(self, size: int) -> None:
        """Nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


SILENT: Progress = Silent()
