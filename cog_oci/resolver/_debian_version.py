"""The order of Debian versions (Debian Policy §5.6.12)."""

from __future__ import annotations

import operator
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["holds", "version_key"]

_RUNS = re.compile(r"([^0-9]*)([0-9]*)")

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "<<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    ">=": operator.ge,
    ">>": operator.gt,
    # What they meant before dpkg 1.4 (Policy §7.1); a few old archives still have them.
    "<": operator.le,
    ">": operator.ge,
}


@lru_cache(maxsize=1 << 16)
def version_key(version: str) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
    """A key that sorts as dpkg does: versions that differ only in leading zeros have one key.

    Any text has a key, so that a bad version in an index is never worse than an odd place in the order.
    """
    epoch, colon, rest = version.partition(":")
    if not colon or not epoch.isdecimal():
        epoch, rest = "0", version
    upstream, _, revision = rest.rpartition("-") if "-" in rest else (rest, "", "0")
    return int(epoch), _part_key(upstream), _part_key(revision)


def holds(version: str, relation: str, other: str) -> bool:
    """Whether `version` stands in this relation (`<<`, `<=`, `=`, `>=`, `>>`) to `other`."""
    return _OPERATORS[relation](version_key(version), version_key(other))


def _part_key(text: str) -> tuple[int, ...]:
    """Runs of non-digits and numbers by turns, flat; each run of non-digits ends in a 0.

    `~` is less than that 0, so it sorts before the end; letters are more, and everything else comes after letters.
    """
    key: list[int] = []
    for letters, digits in _RUNS.findall(text or "0"):
        if letters or digits:
            key += map(_weight, letters)
            key += (0, int(digits or "0"))
    key.append(0)
    return tuple(key)


def _weight(character: str) -> int:
    if character == "~":
        return -1
    return ord(character) if character.isascii() and character.isalpha() else ord(character) + 256
