"""Marks on `run()` that say how the server may use it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, overload

__all__ = ["concurrent", "concurrent_max", "streaming"]

F = TypeVar("F", bound=Callable[..., Any])

_CONCURRENT = "__cog_concurrent_max__"


@overload
def streaming(run: F) -> F: ...
@overload
def streaming() -> Callable[[F], F]: ...
def streaming(run: F | None = None) -> F | Callable[[F], F]:
    """Mark an iterator `run()` as one whose clients may ask for server-sent events."""
    if run is None:
        return streaming
    return run


@overload
def concurrent(run: F) -> F: ...
@overload
def concurrent(*, max: int = 1) -> Callable[[F], F]: ...
def concurrent(run: F | None = None, *, max: int = 1) -> F | Callable[[F], F]:  # noqa: A002 - Cog's interface
    """Let `max` predictions run at a time in one process. More than one needs an asynchronous `run()`.

    Raises TypeError or ValueError for a `max` that is not a number of predictions.
    """
    if isinstance(max, bool) or not isinstance(max, int):
        raise TypeError(f"concurrent max must be an int, got {type(max).__name__}")
    if max < 1:
        raise ValueError(f"concurrent max must be at least 1, got {max}")

    def mark(function: F) -> F:
        setattr(function, _CONCURRENT, max)
        return function

    return mark if run is None else mark(run)


def concurrent_max(run: Callable[..., Any]) -> int:
    """How many predictions `run` declares to take at a time."""
    return int(getattr(run, _CONCURRENT, 1))
