"""`Input`: what a parameter of `run()` accepts, beyond its type."""

from __future__ import annotations

from typing import Any, NamedTuple

from ._functions import MISSING

__all__ = ["FieldInfo", "Input"]


class FieldInfo(NamedTuple):
    """What `Input()` was told. The schema is derived from the source; at run time only the default matters."""

    default: Any = MISSING
    description: str | None = None
    ge: float | None = None
    le: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    regex: str | None = None
    choices: list[Any] | None = None
    deprecated: bool | None = None
    accept: str | None = None


def Input(  # noqa: N802, PLR0913 - Cog's interface
    default: Any = MISSING,
    *,
    default_factory: None = None,
    description: str | None = None,
    ge: float | None = None,
    le: float | None = None,
    min_length: int | None = None,
    max_length: int | None = None,
    regex: str | None = None,
    choices: list[Any] | None = None,
    deprecated: bool | None = None,
    accept: str | None = None,
) -> Any:
    """Say what a parameter accepts, in place of its default.

    The bounds, lengths, `regex` and `choices` are checked by the server before the model sees the value.
    `deprecated` marks the field in the schema; `accept` is a hint for file pickers (`"image/*"`).

    Raises TypeError for a `default_factory`: what a client is told of must be known without running the model.
    """
    if default_factory is not None:
        raise TypeError("Input() takes no default_factory, write the default itself: Input(default=...)")
    return FieldInfo(default, description, ge, le, min_length, max_length, regex, choices, deprecated, accept)
