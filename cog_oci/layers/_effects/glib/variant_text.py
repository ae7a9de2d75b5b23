"""GVariant's text format (GLib's manual, "GVariant Text Format"): what default values of settings are written in."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from cog_oci.layers._effects.glib.variant import is_object_path, is_type, members
from cog_oci.layers._effects.glib.variant_nodes import TextError, read
from cog_oci.layers._effects.glib.variant_types import type_of

if TYPE_CHECKING:
    from cog_oci.layers._effects.glib.variant import Value
    from cog_oci.layers._effects.glib.variant_nodes import Node

__all__ = ["parse"]

_RANGES = {
    "y": (0, 2**8 - 1),
    "n": (-(2**15), 2**15 - 1),
    "q": (0, 2**16 - 1),
    "i": (-(2**31), 2**31 - 1),
    "u": (0, 2**32 - 1),
    "h": (-(2**31), 2**31 - 1),
    "x": (-(2**63), 2**63 - 1),
    "t": (0, 2**64 - 1),
}
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\n": ""}
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))", re.DOTALL)
_BYTE_ESCAPE = re.compile(r"\\(?:([0-7]{1,3})|(.))", re.DOTALL)
_INTEGER = re.compile(r"(-?)\+?(?:0[xX]([0-9A-Fa-f]+)|0([0-7]*)|([1-9][0-9]*))")
_DIGITS = 20  # in 64 bits
_DECIMAL = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")


def parse(kind: str, text: str) -> Value:
    """The value of a type. Raises TextError when the text is not one."""
    return _value(read(text), kind)


def _value(node: Node, kind: str) -> Value:
    if node.kind == "typed":
        return _value(node.inner[0], kind)
    if kind[0] == "m":
        if node.kind == "nothing":
            return []
        return [_value(node.inner[0] if node.kind == "just" else node, kind[1:])]
    if node.inner or node.kind in {"array", "tuple", "dictionary"}:
        return _container(node, kind)
    match node.kind, kind:
        case "number", _:
            return _number(node.text, kind)
        case "boolean", "b":
            return node.text == "true"
        case "string", "s" | "o" | "g":
            return _string(node.text, kind)
        case "bytes", "ay":
            return [*_bytes(node.text[2:-1]), 0]
    raise TextError(kind)


def _container(node: Node, kind: str) -> Value:
    match node.kind, kind[0]:
        case ("array", "a") | ("dictionary", "a"):
            if node.kind == "dictionary" and kind[1] != "{":
                raise TextError(kind)
            return [_value(one, kind[1:]) for one in node.inner]
        case ("tuple", "(") | ("entry", "{"):
            kinds = members(kind)
            if len(kinds) != len(node.inner):
                raise TextError(kind)
            return tuple(_value(one, own) for one, own in zip(node.inner, kinds, strict=True))
        case "variant", "v":
            inner = type_of(node.inner[0])
            return (inner, _value(node.inner[0], inner))
    raise TextError(kind)


def _number(text: str, kind: str) -> int | float:
    if kind == "d":
        return _double(text)
    found = _INTEGER.fullmatch(text)
    if found is None or kind not in _RANGES:
        raise TextError(text)
    sign, hexadecimal, octal, decimal = found.groups()
    if decimal and len(decimal) > _DIGITS:  # Python reads no more than some thousand
        raise TextError(text)
    number = int(hexadecimal, 16) if hexadecimal else int(octal or "0", 8) if octal is not None else int(decimal)
    number = -number if sign else number
    least, most = _RANGES[kind]
    if not least <= number <= most:
        raise TextError(text)
    return number


def _double(text: str) -> float:
    if re.fullmatch(r"[-+]?(?:inf|infinity|nan)", text, re.IGNORECASE):
        return float(text)
    if re.fullmatch(r"[-+]?0[xX][0-9A-Fa-f.]+(?:[pP][-+]?[0-9]+)?", text):
        try:
            return float.fromhex(text)
        except (ValueError, OverflowError):
            raise TextError(text) from None
    if not _DECIMAL.fullmatch(text) or math.isinf(float(text)):
        raise TextError(text)
    return float(text)


def _string(quoted: str, kind: str) -> str:
    def unescaped(found: re.Match[str]) -> str:
        code = found[1] or found[2]
        if code is None and found[3] in "uU":
            raise TextError(quoted)
        return chr(int(code, 16)) if code else _ESCAPES.get(found[3], found[3])

    try:
        text = _ESCAPE.sub(unescaped, quoted[1:-1])
        text.encode()
    except (ValueError, OverflowError):
        raise TextError(quoted) from None
    if (
        "\0" in text
        or (kind == "o" and not is_object_path(text))
        or (kind == "g" and text and not is_type(f"({text})"))
    ):
        raise TextError(quoted)
    return text


def _bytes(text: str) -> bytes:
    def raw(part: str) -> bytes:
        return part.encode("utf-8", "surrogateescape")

    parts, at = bytearray(), 0
    for found in _BYTE_ESCAPE.finditer(text):
        parts += raw(text[at : found.start()])
        parts += bytes([int(found[1], 8) & 0xFF]) if found[1] else raw(_ESCAPES.get(found[2], found[2]))
        at = found.end()
    return bytes(parts) + raw(text[at:])
