"""Options and operands of a command in a maintainer script: one with any other option is not computed."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cog_oci.layers._sh.evaluator import Call
    from cog_oci.layers._sh.expansion import Field

__all__ = ["arguments"]


def arguments(
    call: Call,
    short: str = "",
    long: str = "",
    valued: Mapping[str, str] = MappingProxyType({}),
    *,
    least: int = 0,
    most: int | None = None,
) -> tuple[set[str], dict[str, Field], list[Field]]:
    """The flags, the values of those options that have one, and the operands.

    `short` are letters, `long` names, `valued` letters to long names of options with values, which come back by their
    letter. Raises NotComputedError for any other option, and when operands are fewer or more than these.
    """
    flags: set[str] = set()
    values: dict[str, Field] = {}
    operands: list[Field] = []
    names = {f"--{name}": letter for letter, name in valued.items()} | {f"-{letter}": letter for letter in valued}
    words = iter(call.words[1:])
    for word in words:
        if word is None or not word.startswith("-") or word == "-":
            operands.append(word)
        elif word == "--":
            operands += words
        elif word in names:
            values[names[word]] = next(words, None)
        elif word.startswith("--"):
            name, equals, value = word.partition("=")
            if equals and name in names:
                values[names[name]] = value
            elif word[2:] in long.split():
                flags.add(word[2:])
            else:
                raise call.refuse()
        elif word[:2] in names:
            values[names[word[:2]]] = word[2:].removeprefix("=")
        elif set(word[1:]) <= set(short):
            flags |= set(word[1:])
        else:
            raise call.refuse()
    if len(operands) < least or (most is not None and len(operands) > most):
        raise call.refuse()
    return flags, values, operands
