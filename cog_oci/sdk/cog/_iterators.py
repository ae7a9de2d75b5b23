"""Return types of `run()` whose strings are meant to be joined, such as the tokens of a language model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, TypeVar

__all__ = ["AsyncConcatenateIterator", "ConcatenateIterator"]

T = TypeVar("T")

if TYPE_CHECKING:  # a generator is an Iterator, but no instance of a class derived from it
    AsyncConcatenateIterator = AsyncIterator
    ConcatenateIterator = Iterator
else:

    class ConcatenateIterator(Iterator[T]):
        """What a generator `run()` returns when its items form one text."""

    class AsyncConcatenateIterator(AsyncIterator[T]):
        """What an asynchronous generator `run()` returns when its items form one text."""
