"""The one rendering of a schema document: compact, keys sorted except where their order says something.

Numbers are those of Cog's documents: a float that is whole has no point (`1.0` is `1`), and exponents appear only where
Go's encoding/json writes them.
"""

from __future__ import annotations

import json
from typing import Any

__all__ = ["Ordered", "render"]


class Ordered(dict[str, Any]):
    """An object whose keys stay as they were inserted."""


def render(value: object) -> str:
    """The JSON text of a value (RFC 8259), a pure function of it; in ASCII only where the value is."""
    match value:
        case dict():
            keys = list(value) if isinstance(value, Ordered) else sorted(value)
            return "{" + ",".join(f"{_text(key)}:{render(value[key])}" for key in keys) + "}"
        case list():
            return "[" + ",".join(map(render, value)) + "]"
        case float():
            return _number(value)
        case _:
            return _text(value)


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _number(value: float) -> str:
    """The shortest digits that read back as the same float; an exponent below 1e-6 and from 1e21 on."""
    if value == 0:
        return "0"
    digits = repr(value)
    if 1e-6 <= abs(value) < 1e21:
        return _positional(digits)
    mantissa, _, exponent = digits.partition("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent):+d}"


def _positional(digits: str) -> str:
    """`1.5e-05` → `0.000015`: the same digits with the point moved."""
    mantissa, _, exponent = digits.removeprefix("-").partition("e")
    whole, _, fraction = mantissa.partition(".")
    figures, point = (whole + fraction).lstrip("0"), len(whole) + int(exponent or 0)
    point -= len(whole + fraction) - len(figures)
    figures = figures.rstrip("0")
    if point <= 0:
        text = "0." + "0" * -point + figures
    elif point >= len(figures):
        text = figures + "0" * (point - len(figures))
    else:
        text = figures[:point] + "." + figures[point:]
    return ("-" if digits.startswith("-") else "") + text
