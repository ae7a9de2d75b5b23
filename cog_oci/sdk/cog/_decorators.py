"""Marks on `run()` that say how the server may use it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, overload

from ._functions import is_asynchronous

__all__ = ["Batching", "batch", "batching", "concurrent", "concurrent_max", "streaming"]

F = TypeVar("F", bound=Callable[..., Any])

_CONCURRENT = "__cog_concurrent_max__"
_BATCH = "__cog_batch__"


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

    Raises TypeError or ValueError for a `max` that is not a number of predictions, or too many for the function.
    """
    if run is not None and not callable(run):
        raise TypeError("concurrent is written @concurrent or @concurrent(max=...)")
    if isinstance(max, bool) or not isinstance(max, int):
        raise TypeError(f"concurrent max must be an int, got {type(max).__name__}")
    if max < 1:
        raise ValueError(f"concurrent max must be at least 1, got {max}")

    def mark(function: F) -> F:
        if max > 1 and not is_asynchronous(function):
            raise TypeError(f"concurrent max greater than 1 requires an async function, {function.__name__}() is none")
        setattr(function, _CONCURRENT, max)
        return function

    return mark if run is None else mark(run)


class Batching(NamedTuple):
    """How predictions are put together: at most `max_size`, the first of which waits `max_wait` seconds at most."""

    max_size: int
    max_wait: float


@overload
def batch(run: F) -> F: ...
@overload
def batch(*, max_size: int = 8, max_wait: float = 0.01) -> Callable[[F], F]: ...
def batch(run: F | None = None, *, max_size: int = 8, max_wait: float = 0.01) -> F | Callable[[F], F]:
    """Let `run()` answer several predictions at once: each of its inputs is a list, and so is what it returns.

    Of `max_size` predictions at most; the first waits `max_wait` seconds at most for others. Clients see nothing of it:
    `def run(self, text: list[str]) -> list[str]` is a model that takes a `text` and gives a string. A default is one
    prediction's.

    Raises TypeError or ValueError for numbers that are none.
    """
    if isinstance(max_size, bool) or not isinstance(max_size, int):
        raise TypeError(f"batch max_size must be an int, got {type(max_size).__name__}")
    if isinstance(max_wait, bool) or not isinstance(max_wait, (int, float)):
        raise TypeError(f"batch max_wait must be a number of seconds, got {type(max_wait).__name__}")
    if max_size < 1:
        raise ValueError(f"batch max_size must be at least 1, got {max_size}")
    if not 0 <= max_wait < float("inf"):
        raise ValueError(f"batch max_wait must be a number of seconds from 0 up, got {max_wait}")

    def mark(function: F) -> F:
        setattr(function, _BATCH, Batching(max_size, float(max_wait)))
        return function

    return mark if run is None else mark(run)


def batching(run: Callable[..., Any]) -> Batching | None:
    """How `run` wants predictions to be put together; None if it takes them one by one."""
    found = getattr(run, _BATCH, None)
    return found if isinstance(found, Batching) else None


def concurrent_max(run: Callable[..., Any]) -> int:
    """How many predictions `run` declares to take at a time."""
    return int(getattr(run, _CONCURRENT, 1))
