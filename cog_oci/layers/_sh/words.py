"""From characters to words: quoting, expansions and here-documents (POSIX.1-2017, XCU 2.2, 2.3, 2.6, 2.7)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cog_oci.layers._sh.nodes import (
    Literal,
    Node,
    NotInterpreted,
    Parameter,
    Part,
    Redirect,
    Substitution,
    UnknownSyntaxError,
    Word,
)

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["WordReader"]

_OPERATOR = re.compile(r"&&|\|\||;;|<<-|<<|>>|>&|<&|<>|>\||[;&|()<>\n]")
_REDIRECTIONS = frozenset({"<<-", "<<", ">>", ">&", ">|", ">", "<"})
_BLANK = re.compile(r"(?:[ \t]|\\\n)*(?:#[^\n]*)?")
_PLAIN = re.compile(r"[^\s;&|()<>\"'$`\\]+")
_PARAMETER = re.compile(r"[A-Za-z_]\w*|[0-9@*#?$!-]")
_BRACED = re.compile(r"([A-Za-z_]\w*|[0-9]+|[@*#?])(:?[-+=?]|##?|%%?)?")
_ENDS_WORD = frozenset(" \t\n;&|()<>")
_ESCAPED_IN_QUOTES = frozenset('$`"\\')


class WordReader:
    """Reads words at `at`. A here-document is cut out of the text as soon as it is named."""

    def __init__(self, text: str, parse: Callable[[str], Node]) -> None:
        self.text, self.at = text, 0
        self._parse = parse

    def unknown(self, what: str) -> UnknownSyntaxError:
        """The error for what is next."""
        row = self.text[self.text.rfind("\n", 0, self.at) + 1 :].partition("\n")[0].strip()
        return UnknownSyntaxError(f"{what}: {row}" if row else what)

    def ended(self) -> bool:
        """Whether only blanks and comments are left of the text."""
        self.blank()
        return self.at >= len(self.text)

    def blank(self) -> None:
        """Skip blanks, continued lines, and a comment."""
        found = _BLANK.match(self.text, self.at)
        self.at = found.end() if found else self.at

    def operator(self) -> str:
        """The operator that comes next, not taken; empty when there is none."""
        self.blank()
        found = _OPERATOR.match(self.text, self.at)
        return found[0] if found else ""

    def take(self, operator: str) -> bool:
        """Whether this operator comes next; then it is taken."""
        found = self.operator() == operator
        self.at += len(operator) if found else 0
        return found

    def plain(self) -> str:
        """The word that comes next when nothing in it is quoted or expanded, not taken; else empty."""
        self.blank()
        found = _PLAIN.match(self.text, self.at)
        if found is None or (found.end() < len(self.text) and self.text[found.end()] not in _ENDS_WORD):
            return ""
        return found[0]

    def word(self, ends: frozenset[str] = _ENDS_WORD) -> Word:
        """The word that is here, up to one of these characters outside of quotes."""
        parts: list[Part] = []
        start = self.at
        while self.at < len(self.text) and (character := self.text[self.at]) not in ends:
            if character == "'":
                end = self.text.find("'", self.at + 1)
                if end < 0:
                    raise self.unknown("a quote that is not closed")
                parts.append(Literal(self.text[self.at + 1 : end], quoted=True))
                self.at = end + 1
            elif character == '"':
                self.at += 1
                parts += self.quoted('"') or [Literal("", quoted=True)]
                self.at += 1
            elif character == "\\":
                if self.text[self.at + 1 : self.at + 2] != "\n":
                    parts.append(Literal(self.text[self.at + 1 : self.at + 2], quoted=True))
                self.at += 2
            elif character in "$`":
                parts.append(self._expansion(quoted=False))
            else:
                self.at += 1
                parts.append(Literal(character, quoted=False))
        if self.at == start:
            raise self.unknown("no word where one has to be")
        return Word(tuple(_joined(parts)))

    def redirects(self) -> tuple[Redirect, ...]:
        """The redirections that come next."""
        redirects: list[Redirect] = []
        while True:
            self.blank()
            number = re.compile(r"[0-9]?(?=[<>])").match(self.text, self.at)
            if number is None:
                return tuple(redirects)
            self.at = number.end()
            operator = self.operator()
            if operator not in _REDIRECTIONS or self.text.startswith("(", self.at + len(operator)):
                raise self.unknown("a redirection that is not interpreted")
            self.take(operator)
            descriptor = int(number[0] or not operator.startswith("<"))
            self.blank()
            target = self.word()
            if operator.startswith("<<"):
                operator, target = "<<", self._document(target, tabs=operator == "<<-")
            redirects.append(Redirect(descriptor, operator, target))

    def _document(self, delimiter: Word, *, tabs: bool) -> Word:
        """The text of a here-document that was just named; it begins behind the line that is being read."""
        last = "".join(part.text for part in delimiter.parts if isinstance(part, Literal))
        start = at = self.text.find("\n", self.at) + 1
        rows: list[str] = []
        while start and at < len(self.text):
            end = self.text.find("\n", at)
            end = len(self.text) if end < 0 else end
            row = self.text[at:end].lstrip("\t") if tabs else self.text[at:end]
            at = end + 1
            if row == last:
                self.text = self.text[:start] + self.text[at:]
                text = "".join(f"{row}\n" for row in rows)
                if delimiter.plain is None:
                    return Word((Literal(text, quoted=True),))
                return Word(tuple(type(self)(text, self._parse).quoted("")))
            rows.append(row)
        raise self.unknown("a here-document without an end")

    def quoted(self, end: str) -> list[Part]:
        """What is inside double quotes up to their end, or in all of a here-document."""
        parts: list[Part] = []
        while self.at < len(self.text) and self.text[self.at] != (end or None):
            character = self.text[self.at]
            following = self.text[self.at + 1 : self.at + 2]
            if character == "\\" and following in (_ESCAPED_IN_QUOTES if end else _ESCAPED_IN_QUOTES - {'"'}):
                parts.append(Literal(following, quoted=True))
                self.at += 2
            elif character == "\\" and following == "\n":
                self.at += 2
            elif character in "$`":
                parts.append(self._expansion(quoted=True))
            else:
                parts.append(Literal(character, quoted=True))
                self.at += 1
        if end and self.at >= len(self.text):
            raise self.unknown("a quote that is not closed")
        return list(_joined(parts))

    def _expansion(self, *, quoted: bool) -> Part:
        """What begins with a dollar sign or a backquote."""
        if self.text[self.at] == "`":
            return self._backquoted(quoted=quoted)
        if self.text.startswith("$((", self.at):
            return self._arithmetic()
        if self.text.startswith("$(", self.at):
            self.at += 2
            return Substitution(self.enclosed(), quoted)
        if self.text.startswith("${", self.at):
            return self._braced(quoted=quoted)
        self.at += 1
        found = _PARAMETER.match(self.text, self.at)
        if found is None:
            if self.text[self.at : self.at + 1] in {"'", '"'} and not quoted:
                raise self.unknown("a quote with a dollar sign")
            return Literal("$", quoted)
        self.at = found.end()
        return Parameter(found[0], "", Word(), quoted)

    def _arithmetic(self) -> Part:
        start, depth = self.at, 0
        self.at += 1
        while self.at < len(self.text):
            depth += {"(": 1, ")": -1}.get(self.text[self.at], 0)
            self.at += 1
            if not depth:
                return NotInterpreted(self.text[start : self.at])
        raise self.unknown("a parenthesis that is not closed")

    def enclosed(self) -> Node:
        """Commands up to the parenthesis that closes, which is taken. The reader of commands knows how."""
        raise self.unknown("a command in this place")

    def _braced(self, *, quoted: bool) -> Part:
        self.at += 2
        if self.text.startswith("#", self.at) and not self.text.startswith("#}", self.at):
            raise self.unknown("the length of a value")
        found = _BRACED.match(self.text, self.at)
        if found is None:
            raise self.unknown("an expansion that is not interpreted")
        self.at = found.end()
        argument = Word()
        if found[2] and not self.text.startswith("}", self.at):
            argument = Word(tuple(self.quoted("}"))) if quoted else self.word(frozenset("}"))
        if not self.text.startswith("}", self.at):
            raise self.unknown("an expansion that is not interpreted")
        self.at += 1
        return Parameter(found[1], found[2] or "", argument, quoted)

    def _backquoted(self, *, quoted: bool) -> Part:
        end = re.compile(r"`((?:[^`\\]|\\.)*)`", re.DOTALL).match(self.text, self.at)
        if end is None:
            raise self.unknown("a backquote that is not closed")
        self.at = end.end()
        return Substitution(self._parse(re.sub(r"\\([$`\\])", r"\1", end[1])), quoted)


def _joined(parts: list[Part]) -> list[Part]:
    """Neighbouring literals of one kind as one."""
    joined: list[Part] = []
    for part in parts:
        last = joined[-1] if joined else None
        if isinstance(part, Literal) and isinstance(last, Literal) and part.quoted == last.quoted:
            joined[-1] = Literal(last.text + part.text, part.quoted)
        else:
            joined.append(part)
    return joined
