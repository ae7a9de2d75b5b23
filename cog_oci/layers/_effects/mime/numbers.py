"""Numbers as strtol(3) and strtoul(3) read them where a long has 64 bits."""

from __future__ import annotations

import re

__all__ = ["signed", "unsigned", "wrapped"]

_DECIMAL = re.compile(rb"[ \t\n\v\f\r]*([+-]?[0-9]+)")
_ANY = re.compile(rb"[ \t\n\v\f\r]*([+-]?)(0[xX][0-9a-fA-F]+|[0-9]+)")
_LONG = 1 << 63
_DIGITS = 20  # a number of so many is too large


def signed(text: bytes) -> tuple[int, bytes]:
    """A decimal number and what follows it; 0 and everything when there is none. Raises OverflowError."""
    found = _DECIMAL.match(text)
    if found is None:
        return 0, text
    digits = found[1].lstrip(b"+-0")
    # Python reads no more than some thousand digits.
    number = int(digits[:_DIGITS] or b"0") * (-1 if found[1].startswith(b"-") else 1)
    if not -_LONG <= number < _LONG:
        raise OverflowError(text)
    return number, text[found.end() :]


def unsigned(text: bytes) -> int:
    """The whole text as a number: 0x… is hexadecimal, 0… octal; of a negative one, its two's complement.

    Nothing at all is 0. Raises ValueError for anything else, and OverflowError.
    """
    if not text:
        return 0
    found = _ANY.match(text)
    digits = found[2].lower() if found else b""
    base = 16 if digits.startswith(b"0x") else 8 if digits.startswith(b"0") else 10
    if base == 8 and found:
        # An 8 or 9 ends the number, and then something is left over.
        digits = digits[: len(digits) - len(digits.lstrip(b"01234567"))]
    if found is None or found.start(2) + len(digits) != len(text):
        raise ValueError(text)
    number = int(digits, base)
    if number >= 2 * _LONG:
        raise OverflowError(text)
    return -number % (2 * _LONG) if found[1] == b"-" else number


def wrapped(number: int) -> int:
    """The number in an int of 32 bits."""
    return (number + (1 << 31)) % (1 << 32) - (1 << 31)
