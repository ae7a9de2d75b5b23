"""Named values, before and after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ValueChange", "compare_values"]


@dataclass(frozen=True, slots=True)
class ValueChange:
    """A value that differs; None where there is none."""

    name: str
    before: str | None
    after: str | None


def compare_values(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[ValueChange, ...]:
    """Every name whose value differs, sorted by name."""
    return tuple(
        ValueChange(name, before.get(name), after.get(name))
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    )
