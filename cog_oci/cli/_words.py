"""Figures and lists for people: sizes that can be compared at a glance, and lists that end when enough is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["cut", "delta", "human", "plain", "plural", "table"]


def human(size: int) -> str:
    """`12 B`, `3.4 kB`, `1.2 GB`, in powers of a thousand."""
    if abs(size) < 1000:
        return f"{size} B"
    value = float(size)
    for unit in ("kB", "MB", "GB"):
        value /= 1000
        if abs(value) < 999.95:
            return f"{value:.1f} {unit}"
    return f"{value / 1000:.1f} TB"


def delta(size: int) -> str:
    """`+3.4 kB`, `-12 B`; nothing for nothing."""
    if not size:
        return ""
    return ("+" if size > 0 else "") + human(size)


def plural(count: int, one: str, many: str = "") -> str:
    """`1 file`, `1,234 files`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def plain(text: str) -> str:
    """Text out of somebody's image that is safe on a terminal and in any encoding of it."""
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def table(rows: Sequence[Sequence[str]], right: str = "") -> list[str]:
    """The rows as lines, indented, in columns that line up; `right` has an `r` at the columns that are figures."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    sides = right.ljust(len(widths))
    return [
        "  "
        + "  ".join(
            cell.rjust(width) if side == "r" else cell.ljust(width)
            for cell, width, side in zip(row, widths, sides, strict=True)
        ).rstrip()
        for row in rows
    ]


def cut(lines: Sequence[str], most: int | None, more: str = "--all") -> list[str]:
    """The first lines, and how many there are besides; all of them when `most` is None."""
    if most is None or len(lines) <= most:
        return list(lines)
    return [*lines[:most], f"  … and {len(lines) - most:,} more ({more})"]
