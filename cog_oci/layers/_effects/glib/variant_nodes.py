"""Values in GVariant's text format as trees: what is written, before it is known of which type it is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cog_oci.layers._effects.glib.variant import is_type

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Node", "TextError", "read"]

_KEYWORDS = {
    "boolean": "b",
    "byte": "y",
    "int16": "n",
    "uint16": "q",
    "int32": "i",
    "handle": "h",
    "uint32": "u",
    "int64": "x",
    "uint64": "t",
    "double": "d",
    "string": "s",
    "objectpath": "o",
    "signature": "g",
}
_TOKEN = re.compile(
    r"""[ \t\n\f\r]*(?:
        (?P<bytes>b'(?:[^'\\]|\\.)*'|b"(?:[^"\\]|\\.)*")
      | (?P<string>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
      | (?P<number>[-+.0-9][-+.0-9A-Za-z]*)
      | (?P<word>[a-z][0-9A-Za-z]*)
      | (?P<type>@[a-z(){}]+)
      | (?P<sign>[][(){}<>,:])
    )""",
    re.VERBOSE | re.DOTALL,
)
_WORDS = {"just": "just", "nothing": "nothing", "true": "boolean", "false": "boolean", "inf": "number", "nan": "number"}
_DEEPEST = 128


class TextError(ValueError):
    """A text that is no value of the type."""


@dataclass(frozen=True, slots=True)
class Node:
    """A part of the text: its kind, what it says, and the parts in it."""

    kind: str
    text: str = ""
    inner: tuple[Node, ...] = ()


def read(text: str) -> Node:
    """The text as a tree. Raises TextError when it is not one value."""
    tokens = _Tokens(text)
    node = tokens.node(_DEEPEST)
    tokens.finish()
    return node


class _Tokens:
    """The parts of a text, from left to right."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0

    def finish(self) -> None:
        if self._at < len(self._tokens):
            raise TextError(self._tokens[self._at][1])

    def node(self, depth: int) -> Node:
        if not depth:
            raise TextError("too deep")
        kind, text = self._next()
        if kind == "sign":
            return self._container(text, depth)
        if kind == "word" and text in _KEYWORDS:
            return Node("typed", _KEYWORDS[text], (self.node(depth - 1),))
        if kind == "type" and is_type(text[1:]):
            return Node("typed", text[1:], (self.node(depth - 1),))
        if kind == "word" and text in _WORDS:
            inner = (self.node(depth - 1),) if text == "just" else ()
            return Node(_WORDS[text], text, inner)
        if kind in {"word", "type"}:
            raise TextError(text)
        return Node(kind, text)

    def _container(self, sign: str, depth: int) -> Node:
        match sign:
            case "[":
                return Node("array", inner=tuple(self._list("]", depth)))
            case "(":
                return Node("tuple", inner=tuple(self._tuple(depth)))
            case "{":
                return self._dictionary(depth)
            case "<":
                inner = self.node(depth - 1)
                self._require(">")
                return Node("variant", inner=(inner,))
        raise TextError(sign)

    def _list(self, end: str, depth: int) -> Iterator[Node]:
        if self._is(end):
            return
        yield self.node(depth - 1)
        while not self._is(end):
            self._require(",")
            yield self.node(depth - 1)

    def _tuple(self, depth: int) -> Iterator[Node]:
        """As a list; one of a single value has a comma behind it."""
        if self._is(")"):
            return
        yield self.node(depth - 1)
        self._require(",")
        if not self._is(")"):
            yield self.node(depth - 1)
            while not self._is(")"):
                self._require(",")
                yield self.node(depth - 1)

    def _dictionary(self, depth: int) -> Node:
        if self._is("}"):
            return Node("dictionary")
        key = self.node(depth - 1)
        if self._is(","):
            entry = Node("entry", inner=(key, self.node(depth - 1)))
            self._require("}")
            return entry
        entries = []
        while True:
            self._require(":")
            entries.append(Node("entry", inner=(key, self.node(depth - 1))))
            if self._is("}"):
                return Node("dictionary", inner=tuple(entries))
            self._require(",")
            key = self.node(depth - 1)

    def _next(self) -> tuple[str, str]:
        if self._at == len(self._tokens):
            raise TextError("ends too early")
        self._at += 1
        return self._tokens[self._at - 1]

    def _is(self, sign: str) -> bool:
        found = self._tokens[self._at : self._at + 1] == [("sign", sign)]
        self._at += found
        return found

    def _require(self, sign: str) -> None:
        if not self._is(sign):
            raise TextError(f"no {sign}")


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    text = text.rstrip(" \t\n\f\r")
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None or found.lastgroup is None:
            raise TextError(text[at:])
        yield found.lastgroup, found[found.lastgroup]
        at = found.end()
