"""A difference as a value."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Difference", "at_byte", "first_difference"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as it should be, and where.

    `path` is a member of a layer (`/usr/bin/x`), `the end` of its tar, or `config`; `what` is a part of it, empty for
    the whole. `expected` and `actual` are written for people; None is nothing at all. Bytes are counted from 0.
    """

    path: str
    what: str
    expected: str | None
    actual: str | None

    def __str__(self) -> str:
        subject = f"{self.path}: {self.what}".rstrip(" ")
        if self.actual is None:
            return f"{subject} is missing"
        if self.expected is None:
            return f"{subject} is not expected"
        return f"{subject} is {self.actual} instead of {self.expected}"


def first_difference(one: bytes, other: bytes) -> int | None:
    """Where two pieces begin to differ, the end of the shorter included; None when they are equal."""
    if one == other:
        return None
    low, high = 0, min(len(one), len(other))
    if one[:high] == other[:high]:
        return high
    while high - low > 1:  # the first difference is in [low, high)
        middle = (low + high) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle
    return low


def at_byte(path: str, what: str, expected: bytes, actual: bytes, *, base: int = 0) -> list[Difference]:
    """The first byte in which two pieces differ; `what` has `{}` where its position goes, which counts from `base`."""
    at = first_difference(expected, actual)
    if at is None:
        return []
    return [Difference(path, what.format(base + at), _byte(expected, at), _byte(actual, at))]


def _byte(data: bytes, at: int) -> str | None:
    return f"0x{data[at]:02x}" if at < len(data) else None
