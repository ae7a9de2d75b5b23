"""A model's interface: the parameters of `run`, what it returns, and how it wants to be called."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cog_oci.errors import Problem, SourceError
from cog_oci.schema._names import Class, Expression, Function, Names, Symbol
from cog_oci.schema._source import Module, Project, Unreadable
from cog_oci.schema._types import Iterated, Nothing, Type, Types, Union
from cog_oci.schema._values import evaluate

if TYPE_CHECKING:
    from pathlib import Path

    from cog_oci.schema._scope import Scope

__all__ = ["Parameter", "Signature", "read_signature"]

_INPUT = ("default", "description", "ge", "le", "min_length", "max_length", "regex", "choices", "deprecated", "accept")


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in the source, for a problem that is found later."""

    module: Module
    node: ast.AST

    def problem(self, message: str) -> Problem:
        """The problem, there."""
        return self.module.problem(self.node, message)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One input. `options` are the arguments of Input that were given, as Python values; a default is among them."""

    name: str
    type: Type
    options: dict[str, Any]
    place: Place


@dataclass(frozen=True, slots=True)
class Signature:
    """Everything that a caller of the model can know."""

    parameters: tuple[Parameter, ...]
    output: Type
    output_place: Place
    is_async: bool
    streaming: bool
    concurrency: int | None


def read_signature(project: Path, reference: str) -> Signature:
    """The interface of `run.py:Runner`, `run.py:function` or `run.py`; SourceError with everything that is wrong."""
    file, _, name = reference.partition(":")
    source = Project(project)
    module = source.by_file(file)
    names = Names(source)
    reader = _Reader(names, names.module_scope(module), module)
    try:
        return reader.signature(*reader.callable(name))
    except Unreadable as error:
        raise SourceError([error.problem()]) from None
    except RecursionError:
        raise SourceError([Problem(file, 1, 1, "is nested too deeply to be read")]) from None


class _Reader:
    def __init__(self, names: Names, scope: Scope, module: Module) -> None:
        self._names = names
        self._scope = scope
        self._module = module
        self._types = Types(names)
        self._problems: list[Problem] = []

    def callable(self, name: str) -> tuple[Function, bool]:
        """The function to call and whether its first parameter is `self`."""
        top = self._module.tree
        if not name:
            name = next((known for known in ("Runner", "Predictor") if known in self._scope.bindings), "")
            if not name:
                raise Unreadable(
                    self._module, top, "defines neither Runner nor Predictor, name the one to use in cog.yaml"
                )
        if name not in self._scope.bindings and not self._scope.stars:
            from difflib import get_close_matches  # noqa: PLC0415 - only when something is wrong

            near = get_close_matches(name, list(self._scope.bindings), n=1)
            suggestion = f", did you mean '{near[0]}'?" if near else ""
            raise Unreadable(self._module, top, f"defines no '{name}'{suggestion}")
        target = self._names.find(name, self._scope, top)
        if isinstance(target, Function):
            return target, False
        if isinstance(target, Class):
            return self._method(target)
        raise Unreadable(self._module, top, f"'{name}' is neither a class nor a function of the project")

    def _method(self, owner: Class) -> tuple[Function, bool]:
        found = {
            name: method
            for name in ("run", "predict")
            if isinstance(method := self._names.member(owner, name), Function)
        }
        if not found:
            raise Unreadable(owner.body.module, owner.node, f"{owner.node.name} must define run() or predict()")
        if len(found) == 2 and all(method.node in owner.node.body for method in found.values()):
            reason = f"{owner.node.name} defines both run() and predict(), keep one"
            raise Unreadable(owner.body.module, found["predict"].node, reason)
        method = found.get("run") or found["predict"]
        static = any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in method.node.decorator_list)
        return method, not static

    def signature(self, function: Function, bound: bool) -> Signature:
        node, scope = function.node, function.scope
        arguments = node.args
        for extra in (arguments.vararg, arguments.kwarg):
            if extra is not None:
                reason = f"parameter '{extra.arg}': any number of arguments can't be an interface, name each one"
                self._problems.append(scope.module.problem(extra, reason))
        positional = [*arguments.posonlyargs, *arguments.args]
        defaults: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults)) + list(
            arguments.defaults
        )
        pairs = list(zip(positional, defaults, strict=True))[1 if bound else 0 :]
        pairs += list(zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True))
        parameters = [found for arg, default in pairs if (found := self._parameter(arg, default, scope)) is not None]
        output = self._output(node, scope)
        streaming, concurrency = self._decorators(function, output)
        if self._problems:
            raise SourceError(self._problems)
        assert output is not None
        place = Place(scope.module, node.returns or node)
        is_async = isinstance(node, ast.AsyncFunctionDef)
        return Signature(tuple(parameters), output, place, is_async, streaming, concurrency)

    def _parameter(self, argument: ast.arg, default: ast.expr | None, scope: Scope) -> Parameter | None:
        subject = f"parameter '{argument.arg}'"
        if argument.annotation is None:
            reason = f"{subject}: has no annotation, add its type, as in `{argument.arg}: str`"
            self._problems.append(scope.module.problem(argument, reason))
            return None
        try:
            found = self._types.read(argument.annotation, scope)
            options = {} if default is None else self._default(default, scope)
        except Unreadable as error:
            self._problems.append(error.problem(subject))
            return None
        return Parameter(argument.arg, found, options, Place(scope.module, argument))

    def _default(self, node: ast.expr, scope: Scope) -> dict[str, Any]:
        call, where = self._input_call(node, scope)
        if call is None:
            return {"default": evaluate(node, scope, self._names)}
        options: dict[str, Any] = {}
        if len(call.args) > 1:
            raise Unreadable(where.module, call, "Input takes one positional argument, the default; name the others")
        for value in call.args:
            options["default"] = evaluate(value, where, self._names)
        for keyword in call.keywords:
            if keyword.arg == "default_factory":
                raise Unreadable(where.module, keyword.value, "default_factory can't be in a schema, use default")
            if keyword.arg not in _INPUT:
                shown = keyword.arg or "**"
                raise Unreadable(
                    where.module, keyword.value, f"Input has no argument '{shown}', only {', '.join(_INPUT)}"
                )
            options[keyword.arg] = evaluate(keyword.value, where, self._names)
        if options.get("default", 0) is ...:
            del options["default"]
        return options

    def _input_call(self, node: ast.expr, scope: Scope, hops: int = 0) -> tuple[ast.Call | None, Scope]:
        """The call of `Input` behind a default: itself, a name for it, or a function that returns one."""
        if isinstance(node, ast.Call) and hops < 8:
            target = self._names.resolve(node.func, scope)
            if isinstance(target, Symbol):
                return (node, scope) if target.name == "cog.Input" else (None, scope)
            if isinstance(target, Function) and not node.args and not node.keywords:
                body = [each for each in target.node.body if not isinstance(each, ast.Expr)]
                if len(body) == 1 and isinstance(body[0], ast.Return) and body[0].value is not None:
                    return self._input_call(body[0].value, target.scope, hops + 1)
        elif isinstance(node, ast.Name | ast.Attribute) and hops < 8:
            target = self._names.resolve(node, scope)
            if isinstance(target, Expression) and target.node is not node:
                return self._input_call(target.node, target.scope, hops + 1)
        return None, scope

    def _output(self, node: ast.FunctionDef | ast.AsyncFunctionDef, scope: Scope) -> Type | None:
        if node.returns is None:
            reason = f"{node.name}() has no return annotation, add the type of its output, as in `-> str`"
            self._problems.append(scope.module.problem(node, reason))
            return None
        try:
            found = self._types.read(node.returns, scope)
        except Unreadable as error:
            self._problems.append(error.problem(f"the output of {node.name}()"))
            return None
        if isinstance(found, Nothing | Union):
            reason = f"the output of {node.name}() must be one type; a union, Optional or None is not supported"
            self._problems.append(scope.module.problem(node.returns, reason))
        return found

    def _decorators(self, function: Function, output: Type | None) -> tuple[bool, int | None]:
        node, scope = function.node, function.scope
        streaming, concurrency = False, None
        for decorator in node.decorator_list:
            call = decorator if isinstance(decorator, ast.Call) else None
            target = self._names.resolve(call.func if call else decorator, scope)
            name = target.name if isinstance(target, Symbol) else ""
            if name == "cog.streaming":
                streaming = True
                if output is not None and not isinstance(output, Iterated):
                    reason = "@streaming requires Iterator[...], AsyncIterator[...], ConcatenateIterator[...] or "
                    reason += "AsyncConcatenateIterator[...] return type"
                    self._problems.append(scope.module.problem(decorator, reason))
            elif name == "cog.concurrent":
                concurrency = self._concurrency(call, decorator, function)
        return streaming, concurrency

    def _concurrency(self, call: ast.Call | None, decorator: ast.expr, function: Function) -> int | None:
        given = (
            next((k.value for k in call.keywords if k.arg == "max"), call.args[0] if call.args else None)
            if call
            else None
        )
        if given is None:
            return None
        module = function.scope.module
        value = evaluate(given, function.scope, self._names)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            self._problems.append(module.problem(given, "@concurrent max must be a whole number of at least 1"))
            return None
        if value > 1 and not isinstance(function.node, ast.AsyncFunctionDef):
            reason = "@concurrent max greater than 1 requires an async function"
            self._problems.append(module.problem(decorator, reason))
        return value
