"""Types of GVariant texts that do not say them: the contents of variants.

They are worked out as GLib does it (glib/gvariant-parser.c), from patterns: `N` is any number, `S` any string, `*`
anything, and `M` says that a maybe may be around what follows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cog_oci.layers._effects.glib.variant_nodes import TextError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cog_oci.layers._effects.glib.variant_nodes import Node

__all__ = ["type_of"]

_BASIC = frozenset("bynqiuxthdsogNS")


def type_of(node: Node) -> str:
    """The type that a text is of when none is asked for. Raises TextError when it does not say enough."""
    pattern = _pattern(node)
    if "*" in pattern:
        raise TextError("says no type")
    return pattern.replace("M", "").replace("N", "i").replace("S", "s")


def _pattern(node: Node) -> str:
    """What types the text may be of."""
    match node.kind:
        case "typed":
            return node.text
        case "number":
            whole = not (set(node.text) & {".", "n"} or ("e" in node.text and not node.text.startswith("0x")))
            return "MN" if whole else "Md"
        case "array":
            return "Ma" + _common([_pattern(one) for one in node.inner])
        case "tuple":
            return "M(" + "".join(_pattern(one) for one in node.inner) + ")"
        case "entry" | "dictionary":
            entries = (node,) if node.kind == "entry" else node.inner
            keys = _common([_pattern(one.inner[0]) for one in entries]).removeprefix("M")
            if entries and keys not in _BASIC:
                raise TextError("a key that is not basic")
            values = _common([_pattern(one.inner[1]) for one in entries])
            return f"M{'' if node.kind == 'entry' else 'a'}{{{keys}{values}}}"
        case "just":
            return "m" + _pattern(node.inner[0])
    return {"boolean": "Mb", "string": "MS", "bytes": "May", "variant": "Mv", "nothing": "m*"}[node.kind]


def _common(patterns: Sequence[str]) -> str:
    """The pattern of what fits all of them."""
    if not patterns:
        return "*"
    found = patterns[0]
    for pattern in patterns[1:]:
        found = _coalesced(found, pattern)
    return found


def _coalesced(one: str, other: str) -> str:
    out = ""
    while one and other:
        if one[0] == other[0]:
            out, one, other = out + one[0], one[1:], other[1:]
            continue
        for left, right, turned in ((one, other, False), (other, one, True)):
            if (step := _step(left, right)) is not None:
                added, left_rest, right_rest = step
                out += added
                one, other = (right_rest, left_rest) if turned else (left_rest, right_rest)
                break
        else:
            raise TextError("no common type")
    if one or other:
        raise TextError("no common type")
    return out


def _step(left: str, right: str) -> tuple[str, str, str] | None:
    """What both patterns become at their beginnings, and their rests; None when `left` does not give way."""
    if left[0] == "*" and right[0] != ")":
        end = _pattern_end(right)
        return right[:end], left[1:], right[end:]
    if left[0] == "M":
        return ("m", left, right[1:]) if right[0] == "m" else ("", left[1:], right)
    if (left[0] == "N" and right[0] in "ynqiuxthd") or (left[0] == "S" and right[0] in "sog"):
        return right[0], left[1:], right[1:]
    return None


def _pattern_end(pattern: str) -> int:
    """Where the first type of a pattern ends."""
    at = len(pattern) - len(pattern.lstrip("Mam"))
    depth = 0
    while True:
        depth += (pattern[at] in "({") - (pattern[at] in ")}")
        at += 1
        if not depth:
            return at
