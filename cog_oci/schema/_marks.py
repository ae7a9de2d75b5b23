"""What the decorators of a model's function say: `@cog.streaming`, `@cog.concurrent`, `@cog.batch`, `@staticmethod`."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cog_oci.errors import SourceError
from cog_oci.schema._names import Symbol
from cog_oci.schema._source import Unreadable
from cog_oci.schema._values import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cog_oci.errors import Problem
    from cog_oci.schema._constants import Constants
    from cog_oci.schema._names import Function, Names

__all__ = ["Marks", "read_marks"]

ARGUMENTS = {
    "cog.streaming": frozenset[str](),
    "cog.concurrent": frozenset({"max"}),
    "cog.batch": frozenset({"max_size", "max_wait"}),
}
"""What each decorator takes, by name only."""


@dataclass(frozen=True, slots=True)
class Marks:
    """What the decorators of one function say; those that are not known change nothing that a schema says."""

    is_static: bool
    streaming: ast.expr | None
    """The decorator `@streaming`."""
    batch: ast.expr | None
    """The decorator `@batch`: each input is a list of those of several predictions, and so is the output."""
    concurrency: int | None
    """The `max` of `@concurrent`, None if it doesn't say."""


def read_marks(function: Function, names: Names, constants: Constants, problems: list[Problem]) -> Marks:
    """Reads the decorators; what is wrong with them is appended to `problems`."""
    return _Reader(function, names, constants, problems).marks()


class _Reader:
    def __init__(self, function: Function, names: Names, constants: Constants, problems: list[Problem]) -> None:
        self._function = function
        self._names = names
        self._constants = constants
        self._problems = problems

    def marks(self) -> Marks:
        found: dict[str, ast.expr] = {}
        for decorator, name in self._named():
            found.setdefault(name, decorator)
            self._check_arguments(decorator, name)
        batch, streaming, concurrent = (found.get(f"cog.{name}") for name in ("batch", "streaming", "concurrent"))
        if batch is not None:
            self._check_batch(batch)
        if batch is not None and streaming is not None:
            self._report(streaming, "@streaming and @batch exclude each other: a batch has one answer, at its end")
        if batch is not None and concurrent is not None:
            self._report(concurrent, "@batch takes several predictions at a time already, remove @concurrent")
        concurrency = None if concurrent is None else self._concurrency(concurrent)
        return Marks("builtins.staticmethod" in found, streaming, batch, concurrency)

    def _named(self) -> Iterator[tuple[ast.expr, str]]:
        """The decorators that have a name from outside of the project."""
        for decorator in self._function.node.decorator_list:
            called = decorator.func if isinstance(decorator, ast.Call) else decorator
            try:
                target = self._names.resolve(called, self._function.scope)
            except (Unreadable, SourceError):
                continue
            if isinstance(target, Symbol):
                yield decorator, target.name

    def _report(self, node: ast.AST, reason: str) -> None:
        self._problems.append(Unreadable(self._function.scope.module, node, reason).problem())

    def _check_arguments(self, decorator: ast.expr, name: str) -> None:
        taken = ARGUMENTS.get(name)
        if taken is None or not isinstance(decorator, ast.Call):
            return
        mark = name.replace("cog.", "@")
        has = f"it has {' and '.join(sorted(taken))}" if taken else "it has none"
        for keyword in decorator.keywords:
            if keyword.arg not in taken:
                self._report(keyword, f"{mark} has no argument '{keyword.arg or '**'}', {has}")
        for argument in decorator.args:
            self._report(argument, f"{mark} takes no argument without a name, {has}")

    def _number(self, decorator: ast.expr, argument: str, mark: str) -> tuple[ast.expr, object] | None:
        """The argument of a decorator and its value; None if it isn't given or can't be read."""
        keywords = decorator.keywords if isinstance(decorator, ast.Call) else []
        node = next((keyword.value for keyword in keywords if keyword.arg == argument), None)
        if node is None:
            return None
        try:
            return node, self._constants.value(node, self._function.scope)
        except Unreadable as error:
            self._problems.append(error.problem(mark))
            return None

    def _concurrency(self, decorator: ast.expr) -> int | None:
        given = self._number(decorator, "max", "@concurrent")
        if given is None:
            return None
        node, value = given
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            self._report(node, f"@concurrent max must be a whole number of at least 1, not {shown(value)}")
            return None
        if value > 1 and not isinstance(self._function.node, ast.AsyncFunctionDef):
            self._report(node, "@concurrent max greater than 1 needs an async function, write `async def`")
        return value

    def _check_batch(self, decorator: ast.expr) -> None:
        size = self._number(decorator, "max_size", "@batch")
        if size is not None and (not isinstance(size[1], int) or isinstance(size[1], bool) or size[1] < 1):
            self._report(size[0], f"@batch max_size must be a whole number of at least 1, not {shown(size[1])}")
        wait = self._number(decorator, "max_wait", "@batch")
        if wait is not None and not _is_duration(wait[1]):
            self._report(wait[0], f"@batch max_wait must be a number of seconds from 0 up, not {shown(wait[1])}")


def _is_duration(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf")
