"""From words to commands: the grammar of the shell (POSIX.1-2017, XCU 2.10), as far as maintainer scripts need it.

What is not in it (jobs, process substitution, bash's own constructs) is an UnknownSyntaxError: nothing is guessed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cog_oci.layers._sh.nodes import (
    AndOr,
    Case,
    Command,
    For,
    Function,
    Group,
    If,
    Node,
    NotInterpreted,
    Pipeline,
    Redirect,
    Sequence,
    Word,
)
from cog_oci.layers._sh.words import WordReader

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["parse"]

_NAME = re.compile(r"[A-Za-z_]\w*")
_DEFINED = re.compile(r"[ \t]*\([ \t]*\)")
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(?=[(]?)")
_RESERVED = frozenset({"then", "else", "elif", "fi", "do", "done", "esac", "}", "in", "{"})
_NOT_INTERPRETED = frozenset({"select", "[[", "time", "coproc"})


def parse(script: str) -> Node:
    """The whole script. Raises UnknownSyntaxError."""
    reader = _Reader(script, parse)
    node = reader.sequence()
    if not reader.ended():
        raise reader.unknown("this does not belong here")
    return node


class _Reader(WordReader):
    """Recursive descent, one method a construct."""

    def sequence(self, *ends: str, closing: str = "") -> Sequence:
        """Commands up to one of these reserved words, `;;`, or the operator that closes; none of them is taken."""
        nodes: list[Node] = []
        while True:
            self._lines()
            stops = self.operator() in {";;", closing or ";;"} or self.plain() in ends
            if self.ended() or stops:
                return Sequence(tuple(nodes))
            nodes.append(self._and_or())
            if not self.take(";") and not self.ended() and self.operator() not in {"\n", ";;", closing or ";;"}:
                raise self.unknown("a command that does not end here")

    def enclosed(self) -> Node:
        """Commands up to the parenthesis that closes, which is taken."""
        node = self.sequence(closing=")")
        if not self.take(")"):
            raise self.unknown("a parenthesis that is not closed")
        return node

    def _lines(self) -> None:
        while self.take("\n"):
            pass

    def _expect(self, word: str) -> None:
        if self.plain() != word:
            raise self.unknown(f"no {word!r} where one has to be")
        self.at += len(word)

    def _body(self, *ends: str) -> Node:
        node = self.sequence(*ends)
        if not node.nodes:
            raise self.unknown("nothing where a command has to be")
        return node

    def _and_or(self) -> Node:
        left = self._pipeline()
        while (operator := self.operator()) in {"&&", "||"}:
            self.take(operator)
            self._lines()
            left = AndOr(left, operator, self._pipeline())
        return left

    def _pipeline(self) -> Node:
        negated = self.plain() == "!"
        start = self.at
        if negated:
            self._expect("!")
        commands = [self._command()]
        while self.take("|"):
            self._lines()
            commands.append(self._command())
        if len(commands) == 1 and not negated:
            return commands[0]
        return Pipeline(tuple(commands), negated, self.text[start : self.at].strip())

    def _command(self) -> Node:
        if self.take("("):
            node: Node = self.enclosed()
            return Group(node, self.redirects(), own=True)
        word = self.plain()
        kinds: dict[str, Callable[[], Node]] = {"if": self._if, "for": self._for, "case": self._case, "{": self._braces}
        if word in {"while", "until"}:
            return self._loop(word)
        if word == "function":
            self._expect(word)
            self.blank()
        if word in kinds:
            self._expect(word)
            node = kinds[word]()
            redirects = self.redirects()
            return Group(node, redirects, own=False) if redirects else node
        if word in _NOT_INTERPRETED or word in _RESERVED:
            raise self.unknown("this is not interpreted" if word in _NOT_INTERPRETED else "this does not belong here")
        if (name := _NAME.match(self.text, self.at)) and (defined := _DEFINED.match(self.text, name.end())):
            self.at = defined.end()
            self._lines()
            return Function(name[0], self._command())
        return self._simple()

    def _braces(self) -> Node:
        body = self._body("}")
        self._expect("}")
        return body

    def _if(self) -> Node:
        branches: list[tuple[Node | None, Node]] = []
        while True:
            condition = self._body("then")
            self._expect("then")
            branches.append((condition, self._body("elif", "else", "fi")))
            end = self.plain()
            self._expect(end or "fi")
            if end == "else":
                branches.append((None, self._body("fi")))
                self._expect("fi")
            if end in {"else", "fi"}:
                return If(tuple(branches))

    def _loop(self, word: str) -> Node:
        start = self.at
        self._expect(word)
        self._body("do")
        self._expect("do")
        self._body("done")
        self._expect("done")
        self.redirects()
        return NotInterpreted(self.text[start : self.at])

    def _for(self) -> Node:
        name = self.plain()
        if not _NAME.fullmatch(name):
            raise self.unknown("this is not interpreted")
        self._expect(name)
        self._lines()
        words: list[Word] | None = None
        if self.plain() == "in":
            self._expect("in")
            words = []
            while not self.operator():
                words.append(self.word())
        self.take(";")
        self._lines()
        self._expect("do")
        body = self._body("done")
        self._expect("done")
        return For(name, None if words is None else tuple(words), body)

    def _case(self) -> Node:
        self.blank()
        word = self.word()
        self._lines()
        self._expect("in")
        branches = []
        self._lines()
        while self.plain() != "esac":
            self.take("(")
            patterns = [self._pattern()]
            while self.take("|"):
                patterns.append(self._pattern())
            if not self.take(")"):
                raise self.unknown("a pattern without its parenthesis")
            branches.append((tuple(patterns), self.sequence("esac")))
            if not self.take(";;") and self.plain() != "esac":
                raise self.unknown("a case that does not end")
            self._lines()
        self._expect("esac")
        return Case(word, tuple(branches))

    def _pattern(self) -> Word:
        self.blank()
        return self.word()

    def _simple(self) -> Node:
        start = self.at
        assignments: list[tuple[str, Word]] = []
        words: list[Word] = []
        redirects: list[Redirect] = []
        while True:
            if found := self.redirects():
                redirects += found
            elif self.ended() or self.operator():
                break
            elif not words and (name := _ASSIGNMENT.match(self.text, self.at)):
                self.at = name.end()
                empty = self.ended() or self.text[self.at] in " \t\n;&|)"
                assignments.append((name[1], Word() if empty else self.word()))
            else:
                words.append(self.word())
        if not (assignments or words or redirects):
            raise self.unknown("nothing where a command has to be")
        return Command(tuple(assignments), tuple(words), tuple(redirects), self.text[start : self.at].strip())
