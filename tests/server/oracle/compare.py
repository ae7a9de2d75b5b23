"""Where two answers differ: `body.error`, `1.status`, … The place of two lists that are not of one length is their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["covers", "places"]


def places(theirs: Any, ours: Any) -> set[str]:
    """The innermost places at which the two are not the same; "" is the whole."""
    return {".".join(path) for path in _places(theirs, ours, ())}


def covers(wide: str, narrow: str) -> bool:
    """Whether a place is another or contains it."""
    return wide in {"", narrow} or narrow.startswith(f"{wide}.")


def _places(theirs: Any, ours: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for name in theirs.keys() | ours.keys():
            if name in theirs and name in ours:
                yield from _places(theirs[name], ours[name], (*path, name))
            else:
                yield (*path, name)
    elif isinstance(theirs, list | tuple) and isinstance(ours, list | tuple) and len(theirs) == len(ours):
        for number, (one, other) in enumerate(zip(theirs, ours, strict=True)):
            yield from _places(one, other, (*path, str(number)))
    elif type(theirs) is not type(ours) or theirs != ours:  # 1 is not true, and 3 is not 3.0
        yield path
