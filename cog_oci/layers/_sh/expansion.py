"""From words to fields (POSIX.1-2017, XCU 2.6): values that are known, and None for those that are not."""

from __future__ import annotations

import fnmatch
import glob
import re
from typing import TYPE_CHECKING, Protocol

from cog_oci.layers._sh.nodes import Literal, NotInterpreted, Parameter, Word

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cog_oci.layers._sh.nodes import Node, Part

__all__ = ["Field", "NotComputedError", "Variables", "expand", "matches", "text_of"]

Field = str | None
"""Text; None where it depends on what is not known."""

_MAGIC = re.compile(r"[*?]|\[[^]]+\]")
_Piece = tuple[Field, bool]
"""A part of a field, and whether its characters only stand for themselves."""


class NotComputedError(Exception):
    """A command, by its source, whose effect is not computed."""


class Variables(Protocol):
    """What expansion asks of the shell."""

    values: dict[str, Field]
    arguments: list[Field]

    def matching(self, pattern: str) -> list[str] | None:
        """The paths that a pattern matches; None when that is not known."""

    def output(self, body: Node) -> Field:
        """What commands write to their standard output."""


def expand(words: Iterable[Word], shell: Variables) -> list[Field]:
    """The fields of all these words: expanded, split at blanks, paths matched."""
    fields: list[Field] = []
    for word in words:
        for pieces in _fields(word, shell):
            fields += _matched(pieces, shell)
    return fields


def text_of(word: Word, shell: Variables) -> Field:
    """A word where it is not split: what is assigned, or the subject of a case."""
    return _joined([piece for part in word.parts for piece in _pieces(part, shell)])


def matches(text: str, word: Word, shell: Variables) -> bool | None:
    """Whether a text is matched by a pattern (XCU 2.13); None when that is not known."""
    pattern = _pattern(word, shell)
    return None if pattern is None else re.fullmatch(pattern, text) is not None


def _pattern(word: Word, shell: Variables) -> str | None:
    """The pattern as a regular expression: what is quoted stands for itself."""
    pieces = [piece for part in word.parts for piece in _pieces(part, shell)]
    text = _joined([(glob.escape(value) if quoted and value is not None else value, True) for value, quoted in pieces])
    return None if text is None else fnmatch.translate(text.replace("[^", "[!"))


def _joined(pieces: Iterable[_Piece]) -> Field:
    values = [value for value, _ in pieces]
    known = [value for value in values if value is not None]
    return "".join(known) if len(known) == len(values) else None


def _fields(word: Word, shell: Variables) -> Iterator[list[_Piece]]:
    current: list[_Piece] = []
    for part in word.parts:
        if isinstance(part, Parameter) and part.name == "@" and part.quoted and not part.operator:
            arguments = list(shell.arguments)
            for number, argument in enumerate(arguments):
                current.append((argument, True))
                if number < len(arguments) - 1:
                    yield current
                    current = []
            continue
        for value, quoted in _pieces(part, shell):
            if quoted or value is None or isinstance(part, Literal):
                current.append((value, quoted))
                continue
            *complete, last = re.split(r"[ \t\n]+", value)
            for text in complete:
                current += [(text, False)] if text else []
                if current:
                    yield current
                current = []
            current += [(last, False)] if last else []
    if current:
        yield current


def _matched(pieces: list[_Piece], shell: Variables) -> list[Field]:
    """The field, or the paths that it matches when it is a pattern that matches any."""
    text = _joined(pieces)
    if text is None or not any(value and not quoted and _MAGIC.search(value) for value, quoted in pieces):
        return [text]
    found = shell.matching("".join(glob.escape(value or "") if quoted else value or "" for value, quoted in pieces))
    return [None] if found is None else [*found] or [text]


def _pieces(part: Part, shell: Variables) -> list[_Piece]:
    match part:
        case Literal(text, quoted):
            return [(text, quoted)]
        case Parameter():
            return _parameter(part, shell)
        case NotInterpreted(source):
            raise NotComputedError(source)
        case _:
            return [(shell.output(part.body), part.quoted)]


def _parameter(part: Parameter, shell: Variables) -> list[_Piece]:
    value, is_set = _value(part.name, shell)
    kind = part.operator.lstrip(":")
    if kind in {"-", "=", "+"}:
        if value is None:
            return [(None, part.quoted)]
        missing = not is_set or (part.operator.startswith(":") and not value)
        if missing == (kind == "+"):
            return [("" if kind == "+" else value, part.quoted)]
        found = [(text, part.quoted or quoted) for one in part.argument.parts for text, quoted in _pieces(one, shell)]
        if kind == "=":
            shell.values[part.name] = _joined(found)
        return found or [("", part.quoted)]
    if kind and kind != "?" and value is not None:
        value = _trimmed(value, kind, _pattern(part.argument, shell))
    return [(value, part.quoted)]


def _value(name: str, shell: Variables) -> tuple[Field, bool]:
    if name.isdigit():
        if name == "0":
            return "postinst", True
        return (shell.arguments[int(name) - 1], True) if int(name) <= len(shell.arguments) else ("", False)
    if name == "#":
        return str(len(shell.arguments)), True
    if name in {"@", "*"}:
        known = [argument for argument in shell.arguments if argument is not None]
        return (" ".join(known) if len(known) == len(shell.arguments) else None), bool(known)
    if name in {"$", "!", "-"}:
        return None, True
    return shell.values.get(name, ""), name in shell.values


def _trimmed(value: str, kind: str, pattern: str | None) -> Field:
    """The value without what a pattern matches: `#` at its beginning, `%` at its end, doubled for the longest."""
    if pattern is None:
        return None
    lengths = range(len(value) + 1)
    for length in reversed(lengths) if len(kind) == 2 else lengths:
        if kind[0] == "#" and re.fullmatch(pattern, value[:length]):
            return value[length:]
        if kind[0] == "%" and re.fullmatch(pattern, value[len(value) - length :]):
            return value[: len(value) - length]
    return value
