"""A model's function as its clients see it: what it takes, what it returns, and how it may be called."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cog_oci.errors import Problem, SourceError
from cog_oci.schema._annotations import Annotations
from cog_oci.schema._constants import Constants
from cog_oci.schema._imports import failing_imports
from cog_oci.schema._inputs import Input, InputReader
from cog_oci.schema._marks import read_marks
from cog_oci.schema._names import Class, Function, Names
from cog_oci.schema._reference import Mode, callable_of, split_reference
from cog_oci.schema._source import Project, Unreadable
from cog_oci.schema._types import Stream, Type

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Signature", "read_signature"]


@dataclass(frozen=True, slots=True)
class Signature:
    """One function of the model. `concurrency`: the `max` of `@cog.concurrent`, None if it doesn't say."""

    inputs: tuple[Input, ...]
    output: Type
    is_async: bool
    streaming: bool
    concurrency: int | None
    batching: bool


def read_signature(project: Path, reference: str, mode: Mode) -> Signature:
    """The signature of the function that a reference of cog.yaml names; SourceError with everything wrong in it."""
    file, _ = split_reference(reference)
    modules = Project(project, file)
    names = Names(modules)
    try:
        function, owner = callable_of(reference, mode, names, modules)
        return _Reader(names, function, owner, failing_imports(modules.by_file(file))).signature()
    except Unreadable as error:
        raise SourceError([error.problem()]) from error
    except RecursionError as error:  # the limits of each reader are below it; this is for what none of them counts
        raise SourceError([Problem(file, 1, 1, "the source is nested too deeply to be read")]) from error


class _Reader:
    """Reads one function, adding to the problems rather than stopping at the first."""

    def __init__(self, names: Names, function: Function, owner: Class | None, problems: list[Problem]) -> None:
        self._names = names
        self._function = function
        self._node = function.node
        self._scope = function.scope
        self._owner = owner
        self._constants = Constants(names)
        self._problems = problems
        self._hint: str | None = None
        self._marks = read_marks(function, names, self._constants, self._problems)

    def signature(self) -> Signature:
        inputs = self._inputs()
        output = self._output()
        self._check_marks(output)
        if self._problems or output is None:
            raise SourceError(list(dict.fromkeys(self._problems)), hint=self._hint)
        is_async = isinstance(self._node, ast.AsyncFunctionDef)
        marks = self._marks
        return Signature(
            inputs, output, is_async, marks.streaming is not None, marks.concurrency, marks.batch is not None
        )

    def _report(self, node: ast.AST, reason: str, subject: str = "") -> None:
        self._problems.append(Unreadable(self._scope.module, node, reason).problem(subject))

    def _take(self, error: SourceError) -> None:
        """The problems of another file, met on the way."""
        self._problems += error.problems
        self._hint = self._hint or error.hint

    def _inputs(self) -> tuple[Input, ...]:
        annotations = Annotations(self._names, self._constants, "input")
        batched = self._marks.batch is not None
        reader = InputReader(self._names, self._constants, annotations, self._problems, batched=batched)
        inputs = []
        for parameter, default in self._parameters():
            try:
                each = reader.read(parameter, default, self._scope)
            except SourceError as error:
                self._take(error)
            else:
                inputs += [each] if each is not None else []
        return tuple(inputs)

    def _parameters(self) -> Iterator[tuple[ast.arg, ast.expr | None]]:
        """The parameters that a request fills, with their defaults, in the order of the source."""
        arguments = self._node.args
        positional = [*arguments.posonlyargs, *arguments.args]
        missing: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
        pairs = list(zip(positional, [*missing, *arguments.defaults], strict=True))
        if self._owner is not None and not self._marks.is_static:
            if not pairs:
                self._report(self._node, f"{self._node.name}() is a method and has no parameter 'self'")
            pairs = pairs[1:]
        for parameter, _ in pairs:
            if parameter in arguments.posonlyargs:
                reason = "is positional-only and a request passes inputs by name, remove the '/'"
                self._report(parameter, reason, f"parameter '{parameter.arg}'")
        for star, catch_all in (("*", arguments.vararg), ("**", arguments.kwarg)):
            if catch_all is not None:
                reason = "takes what has no name in the schema, write the parameters out"
                self._report(catch_all, reason, f"parameter '{star}{catch_all.arg}'")
        yield from pairs
        yield from zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)

    def _output(self) -> Type | None:
        if self._node.returns is None:
            self._report(self._node, f"{self._node.name}() has no return type, annotate it: `-> str`")
            return None
        annotations = Annotations(self._names, self._constants, "output")
        try:
            if self._marks.batch is None:
                return annotations.read(self._node.returns, self._scope)
            item = annotations.read_item(self._node.returns, self._scope)
        except Unreadable as error:
            self._problems.append(error.problem("return type"))
        except SourceError as error:
            self._take(error)
        else:
            if item is None:
                self._report(
                    self._node.returns, "@batch needs a list as return type, with one output for each prediction"
                )
            return item
        return None

    def _check_marks(self, output: Type | None) -> None:
        """What a decorator asks of the signature."""
        streaming, batch = self._marks.streaming, self._marks.batch
        if streaming is not None and batch is None and output is not None and not isinstance(output, Stream):
            self._report(streaming, f"@streaming needs an iterator as return type, not {output}")
        if batch is not None and not any(True for _ in self._parameters()):
            self._report(batch, "@batch needs an input, whose list says how many predictions there are")
