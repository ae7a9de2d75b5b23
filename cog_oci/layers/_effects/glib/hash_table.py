"""The order in which GLib's hash tables are gone through: files that GLib's programs write have it in them.

GHashTable (glib/ghash.c since 2.60) is open addressing in a table of 2^n places: a key's first place is its hash times
11 modulo the largest prime below 2^n, the next ones are 1, 3, 6, 10, … further, around the end. It is gone through by
place. When 15 of 16 places have been taken, or three of four are free, everything is placed anew, in a table that is
three quarters full at most, in the order of the old places; who stands in a place that another one gets moves on next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["HashTable", "string_hash"]

_Value = TypeVar("_Value")
_SMALLEST = 3
# The largest primes below 2^n, from n = 0 (ghash.c: 1 and 2 for the first two).
_PRIMES = (
    *(1, 2, 3, 7, 13, 31, 61, 127, 251, 509, 1021, 2039, 4093, 8191, 16381, 32749, 65521, 131071, 262139, 524287),
    *(1048573, 2097143, 4194301, 8388593, 16777213),
)


def string_hash(text: bytes) -> int:
    """g_str_hash and GVDB's hash: Bernstein's, 32 bits wide, of signed bytes."""
    found = 5381
    for byte in text:
        found = (found * 33 + (byte - 256 if byte > 127 else byte)) & 0xFFFFFFFF
    return found


def _number(key: str) -> int:
    return max(string_hash(key.encode("utf-8", "surrogateescape")), 2)


class _Removed:
    """Stands where something has been taken away: a search goes on behind it."""


_REMOVED = _Removed()


class HashTable(Generic[_Value]):
    """Values by text, gone through in GLib's order."""

    def __init__(self) -> None:
        self._shift = _SMALLEST
        self._places: list[tuple[int, str] | _Removed | None] = [None] * (1 << self._shift)
        self._values: dict[str, _Value] = {}
        self._taken = 0

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def get(self, key: str) -> _Value | None:
        """The value, None when there is none."""
        return self._values.get(key)

    def insert(self, key: str, value: _Value) -> None:
        """Put a value; another one of the same key makes room without a change of the order."""
        if key not in self._values:
            number = _number(key)
            place = next(at for at in self._probe(number) if not isinstance(self._places[at], tuple))
            self._values[key] = value
            fresh = self._places[place] is None
            # A search ends at the first free place: one that was taken away before it is used again.
            self._places[place] = (number, key)
            if fresh:
                self._taken += 1
                self._resize_when_due()
        self._values[key] = value

    def remove(self, key: str) -> None:
        """Take a value away."""
        del self._values[key]
        place = next(at for at in self._probe(_number(key)) if self._is_at(at, key))
        self._places[place] = _REMOVED
        self._resize_when_due()

    def __iter__(self) -> Iterator[str]:
        """The keys, by place."""
        return (held[1] for held in self._places if isinstance(held, tuple))

    def items(self) -> Iterator[tuple[str, _Value]]:
        """The keys with their values, by place."""
        return ((key, self._values[key]) for key in self)

    def _is_at(self, place: int, key: str) -> bool:
        held = self._places[place]
        return isinstance(held, tuple) and held[1] == key

    def _probe(self, number: int) -> Iterator[int]:
        place = (number * 11 & 0xFFFFFFFF) % _PRIMES[self._shift]
        step = 0
        while True:
            yield place
            step += 1
            place = (place + step) & ((1 << self._shift) - 1)

    def _resize_when_due(self) -> None:
        size, count = 1 << self._shift, len(self._values)
        if (size > count * 4 and self._shift > _SMALLEST) or size <= self._taken + self._taken // 16:
            self._shift = max(int(count * 1.333).bit_length(), _SMALLEST)
            self._place_anew(size)
            self._taken = count

    def _place_anew(self, old: int) -> None:
        size = 1 << self._shift
        places = self._places + [None] * max(0, size - old)
        settled: set[int] = set()
        for at in range(old):
            held = places[at]
            if at in settled:
                continue
            places[at] = None
            while isinstance(held, tuple):
                place = next(place for place in self._probe(held[0]) if place not in settled)
                settled.add(place)
                held, places[place] = places[place], held
        self._places = places[:size]
