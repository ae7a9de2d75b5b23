"""A script evaluated: which of its commands are reached, and with what words.

What a condition says may not be known. Then everything that hangs on it may happen, and is looked at: nothing that the
script could do is passed over.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from cog_oci.layers._sh.expansion import NotComputedError, expand, matches, text_of
from cog_oci.layers._sh.nodes import (
    AndOr,
    Case,
    Command,
    For,
    Function,
    Group,
    If,
    NotInterpreted,
    Pipeline,
    Sequence,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from cog_oci.layers._sh.expansion import Field
    from cog_oci.layers._sh.nodes import Node, Redirect

__all__ = ["Call", "Shell", "Status"]

Status = bool | None
"""Whether a command succeeds; None when that is not known."""

_DEEPEST = 50


@dataclass(frozen=True, slots=True)
class Call:
    """A command that was reached: its words, what it can read, and its source. `write` is for its output."""

    words: list[Field]
    stdin: Field
    source: str
    write: Callable[[Field], None]
    shell: Shell

    def refuse(self) -> NotComputedError:
        """The error that says this call is not computed."""
        return NotComputedError(self.source)


class _Leave(Exception):  # noqa: N818 - control flow: `exit` and `return`
    def __init__(self, status: Status, *, function: bool) -> None:
        self.status, self.function = status, function


class _Loop(Exception):  # noqa: N818 - control flow: `break` and `continue`
    def __init__(self, *, ends: bool) -> None:
        self.ends = ends


@dataclass
class Shell:
    """Runs parsed scripts with these commands, by name; `other` is asked for a command that is not in there.

    `store` takes what is written to a file: path, text, and whether it is appended. `certain` shells refuse a command
    with a word that is not known.
    """

    commands: Mapping[str, Callable[[Call], Status]]
    store: Callable[[Field, Field, bool], None]
    paths: Callable[[str], list[str] | None]
    arguments: list[Field]
    values: dict[str, Field] = field(default_factory=dict)
    certain: bool = False
    _functions: dict[str, Node] = field(default_factory=dict)
    _out: list[Field] = field(default_factory=list)
    _stdin: Field = ""
    _maybe: int = 0
    _depth: int = 0
    _last: str = ""
    _exits: bool = False
    _tested: int = 0
    _substituted: Status = True

    def run(self, script: Node) -> Status:
        """All of a script, up to its `exit`. Raises NotComputedError, also when a command fails that must not."""
        try:
            return self._run(script)
        except _Leave as leave:
            return leave.status

    def exit_on_failure(self) -> None:
        """From here on a command that fails ends the script, unless its failure is looked at (`set -e`)."""
        self._exits = True

    def output(self, body: Node) -> Field:
        """What commands write to their standard output, without the line breaks at its end."""
        with self._apart():
            outer, self._out = self._out, []
            try:
                self._substituted = self._asked(lambda: self.run(body))
                written = self._out
            finally:
                self._out = outer
        known = [text for text in written if text is not None]
        return "".join(known).rstrip("\n") if len(known) == len(written) else None

    def matching(self, pattern: str) -> list[str] | None:
        """The paths that a pattern matches; None when that is not known."""
        return self.paths(pattern)

    @contextmanager
    def _apart(self) -> Iterator[None]:
        """A shell of its own: what it sets is gone afterwards."""
        values, arguments, functions = self.values, self.arguments, self._functions
        self.values, self.arguments, self._functions = dict(values), list(arguments), dict(functions)
        try:
            yield
        finally:
            self.values, self.arguments, self._functions = values, arguments, functions

    def _asked(self, act: Callable[[], Status]) -> Status:
        """Run what may fail."""
        self._tested += 1
        try:
            return act()
        finally:
            self._tested -= 1

    def _perhaps(self, node: Node) -> None:
        """Run what may be reached or not."""
        if self.certain:
            raise NotComputedError(self._last)
        self._maybe += 1
        try:
            self._run(node)
        except (_Leave, _Loop):
            pass
        finally:
            self._maybe -= 1

    def _run(self, node: Node) -> Status:
        match node:
            case Sequence(nodes):
                status: Status = True
                for one in nodes:
                    status = self._run(one)
                return status
            case AndOr(left, operator, right):
                return self._and_or(self._asked(lambda: self._run(left)), operator, right)
            case If(branches):
                return self._if(branches)
            case Case():
                return self._case(node)
            case For():
                return self._for(node)
            case Function(name, body):
                self._functions[name] = body
                return True
            case Pipeline():
                return self._pipeline(node)
            case Group():
                return self._group(node)
            case NotInterpreted(source):
                raise NotComputedError(source)
            case Command():
                return self._command(node)

    def _and_or(self, left: Status, operator: str, right: Node) -> Status:
        if left is None:
            self._perhaps(right)
            return None
        return self._run(right) if left == (operator == "&&") else left

    def _if(self, branches: tuple[tuple[Node | None, Node], ...]) -> Status:
        for number, (condition, body) in enumerate(branches):
            status = True if condition is None else self._asked(partial(self._run, condition))
            if status:
                return self._run(body)
            if status is None:
                self._perhaps(body)
                if rest := branches[number + 1 :]:
                    self._perhaps(If(rest))
                return None
        return True

    def _case(self, node: Case) -> Status:
        subject = text_of(node.word, self)
        for number, (patterns, body) in enumerate(node.branches):
            found = [None if subject is None else matches(subject, pattern, self) for pattern in patterns]
            if True in found:
                return self._run(body)
            if None in found:
                self._perhaps(body)
                self._perhaps(Case(node.word, node.branches[number + 1 :]))
                return None
        return True

    def _for(self, node: For) -> Status:
        fields = list(self.arguments) if node.words is None else expand(node.words, self)
        status: Status = True
        for value in fields:
            self.values[node.name] = value
            if value is None:
                self._perhaps(node.body)
                status = None
                continue
            try:
                status = self._run(node.body)
            except _Loop as loop:
                if loop.ends:
                    break
        return status

    def _pipeline(self, node: Pipeline) -> Status:
        status: Status = True
        outer = self._stdin
        try:
            for command in node.commands[:-1]:
                self._stdin = self.output(command)
                if self._stdin is not None:
                    self._stdin += "\n" if self._stdin else ""
            if len(node.commands) > 1:
                with self._apart():
                    status = self._run(node.commands[-1])
            else:
                status = self._asked(lambda: self._run(node.commands[0]))
        finally:
            self._stdin = outer
        return status if status is None else status != node.negated

    def _group(self, node: Group) -> Status:
        if not node.own:
            return self._redirected(node.redirects, lambda: self._run(node.body), "a redirected group")
        with self._apart():
            return self._redirected(node.redirects, lambda: self.run(node.body), "a redirected group")

    def _redirected(self, redirects: tuple[Redirect, ...], act: Callable[[], Status], source: str) -> Status:
        """Act with the standard streams elsewhere; what goes to a file is stored, what goes to a device is gone."""
        outer, outer_in, target = self._out, self._stdin, None
        for redirect in redirects:
            where = text_of(redirect.target, self)
            if redirect.operator == "<<":
                self._stdin = where
            elif redirect.operator.startswith("<"):
                self._stdin = None
            elif redirect.descriptor == 1 or (redirect.operator == ">&" and where == "-"):
                if target is not None and not (target[0] or "").startswith("/dev/"):
                    raise NotComputedError(source)
                target = (where, redirect.operator == ">>") if redirect.operator != ">&" else ("/dev/stderr", False)
            elif redirect.operator != ">&" and where != "/dev/null":
                raise NotComputedError(source)
        if target is not None:
            self._out = []
        try:
            status = act()
        finally:
            written, self._out, self._stdin = self._out, outer, outer_in
        if target is not None and (target[0] is None or not target[0].startswith("/dev/")):
            known = [text for text in written if text is not None]
            if self.certain and (target[0] is None or len(known) != len(written)):
                raise NotComputedError(source)
            self.store(target[0], "".join(known) if len(known) == len(written) else None, target[1])
        return status

    def _command(self, node: Command) -> Status:
        words = expand(node.words, self)
        if not words:
            self._substituted = True
            for name, word in node.assignments:
                self.values[name] = None if self._maybe else text_of(word, self)
                if self._maybe:
                    text_of(word, self)
            if node.redirects:
                return self._redirected(node.redirects, lambda: True, node.source)
            return self._substituted
        with self._temporary(node):
            status = self._redirected(node.redirects, lambda: self._call(words, node.source), node.source)
        if status is False and self._exits and not self._tested and not self._maybe:
            raise NotComputedError(f"{node.source} (which fails)")
        return status

    @contextmanager
    def _temporary(self, node: Command) -> Iterator[None]:
        before = dict(self.values) if node.assignments else None
        for name, word in node.assignments:
            self.values[name] = text_of(word, self)
        try:
            yield
        finally:
            if before is not None:
                self.values = before

    def _call(self, words: list[Field], source: str) -> Status:
        name = words[0]
        self._last = source
        if self.certain and None in words:
            raise NotComputedError(source)
        if name in self._functions:
            return self._function(self._functions[name], words[1:], source)
        match name:
            case "exit" | "return":
                raise _Leave(_status(words[1:]), function=name == "return")
            case "break" | "continue":
                raise _Loop(ends=name == "break")
            case "shift":
                count = words[1] if len(words) > 1 else "1"
                if count is None or not count.isdigit():
                    raise NotComputedError(source)
                self.arguments = self.arguments[int(count) :]
                return True
            case "unset":
                for one in words[1:]:
                    self.values.pop(one or "", None)
                return True
            case "export" | "local" | "readonly":
                for one in words[1:]:
                    key, assigned, value = (one or "").partition("=")
                    if assigned or one is None:
                        self.values[key] = None if self._maybe or one is None else value
                return True
        handler = self.commands.get(name or "")
        if handler is None:
            raise NotComputedError(source)
        return handler(Call(words, self._stdin, source, self._out.append, self))

    def _function(self, body: Node, arguments: list[Field], source: str) -> Status:
        if self._depth > _DEEPEST:
            raise NotComputedError(source)
        outer, self.arguments = self.arguments, arguments
        self._depth += 1
        try:
            return self._run(body)
        except _Leave as leave:
            if not leave.function:
                raise
            return leave.status
        finally:
            self.arguments = outer
            self._depth -= 1


def _status(words: list[Field]) -> Status:
    return None if words and words[0] is None else not words or words[0] == "0"
