"""A model's inputs: each parameter of its function with its type, its default and what `Input(...)` says about it."""

from __future__ import annotations

import ast
import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cog_oci.schema import _values
from cog_oci.schema._names import Expression, Function, Names, Symbol
from cog_oci.schema._patterns import matches
from cog_oci.schema._source import Unreadable
from cog_oci.schema._types import Kind, ListOf, Literal, Nullable, Scalar, Type, UnionOf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cog_oci.errors import Problem
    from cog_oci.schema._annotations import Annotations
    from cog_oci.schema._constants import Constants
    from cog_oci.schema._scope import Scope

__all__ = ["Default", "Input", "InputReader"]


@dataclass(frozen=True, slots=True)
class Default:
    """The value of a parameter that a request leaves out; None is a value like others."""

    value: object


@dataclass(frozen=True, slots=True)
class Input:
    """One input. `constraints` are keywords of JSON Schema (`minimum`, `pattern`, …) in no particular order."""

    name: str
    type: Type
    default: Default | None = None
    description: str | None = None
    constraints: dict[str, object] = field(default_factory=dict)
    choices: tuple[object, ...] = ()
    deprecated: bool = False
    accept: object = None


NUMERIC = frozenset({Kind.INTEGER, Kind.NUMBER})
TEXT = frozenset({Kind.STRING, Kind.URI, Kind.SECRET})

CONSTRAINTS: dict[str, tuple[str, frozenset[Kind]]] = {
    "ge": ("minimum", NUMERIC),
    "le": ("maximum", NUMERIC),
    "min_length": ("minLength", TEXT),
    "max_length": ("maxLength", TEXT),
    "regex": ("pattern", TEXT),
}
"""Argument of Input → keyword of JSON Schema, and the kinds of values that it says something about."""

ARGUMENTS = {"default", "description", *CONSTRAINTS, "choices", "deprecated", "accept"}


class InputReader:
    """Reads parameters; what is wrong with one is appended to `problems`, and the others are read all the same."""

    def __init__(
        self,
        names: Names,
        constants: Constants,
        annotations: Annotations,
        problems: list[Problem],
        *,
        batched: bool = False,
    ) -> None:
        self._batched = batched
        self._names = names
        self._constants = constants
        self._annotations = annotations
        self._problems = problems

    def read(self, parameter: ast.arg, default: ast.expr | None, scope: Scope) -> Input | None:
        """The input that a parameter stands for; None if there is a problem with it."""
        subject = f"parameter '{parameter.arg}'"
        before = len(self._problems)
        kind = self._type(parameter, scope, subject)
        call, call_scope = None, scope
        try:
            if default is not None:
                call, call_scope = self._input_call(default, scope)
        except Unreadable as error:
            self._problems.append(error.problem(subject))
            return None
        if call is not None:
            arguments = self._arguments(call, call_scope, subject)
        else:
            arguments = {"default": default} if default is not None else {}
        values = self._values(arguments, call_scope, subject)
        if kind is None or len(self._problems) > before:
            return None
        at = call or default or parameter
        read = _Checks(parameter.arg, kind, values, arguments, at, call_scope, self._problems).input()
        return None if len(self._problems) > before else read

    def _type(self, parameter: ast.arg, scope: Scope, subject: str) -> Type | None:
        if parameter.annotation is None:
            self._report(parameter, scope, subject, f"has no type, annotate it: `{parameter.arg}: str`")
            return None
        try:
            if not self._batched:
                return self._annotations.read(parameter.annotation, scope)
            item = self._annotations.read_item(parameter.annotation, scope)
        except Unreadable as error:
            self._problems.append(error.problem(subject))
            return None
        if item is None:
            way = f"list[{ast.unparse(self._annotations.unquoted(parameter.annotation, scope))}]"
            self._report(parameter.annotation, scope, subject, f"@batch gives a list, one for each prediction: `{way}`")
        return item

    def _input_call(self, node: ast.expr, scope: Scope) -> tuple[ast.Call | None, Scope]:
        """The `Input(...)` that a default comes to, through names and functions that only return one."""
        for _ in range(16):
            called = node.func if isinstance(node, ast.Call) else node
            if not isinstance(called, ast.Name | ast.Attribute):
                break
            target = self._names.resolve(called, scope)
            if isinstance(node, ast.Call):
                if target == Symbol("cog.Input"):
                    return node, scope
                returned = self._constants.returned(target) if isinstance(target, Function) else None
                if not isinstance(target, Function) or returned is None or node.args or node.keywords:
                    break
                node, scope = returned, target.scope
            elif isinstance(target, Expression) and target.node is not node:
                node, scope = target.node, target.scope
            else:
                break
        return None, scope

    def _arguments(self, call: ast.Call, scope: Scope, subject: str) -> dict[str, ast.expr]:
        """What a call of Input is given, by name."""
        found: dict[str, ast.expr] = {}
        for index, argument in enumerate(call.args):
            if index or isinstance(argument, ast.Starred):
                self._report(argument, scope, subject, "Input() takes arguments by name, as in description=...")
            else:
                found["default"] = argument
        for keyword in call.keywords:
            name = keyword.arg
            if name is None:
                self._report(
                    keyword, scope, subject, "`**` in Input() can't be read statically, write the arguments out"
                )
            elif name == "default_factory":
                self._report(keyword, scope, subject, "Input() takes no default_factory, write the default itself")
            elif name not in ARGUMENTS:
                self._report(keyword, scope, subject, f"Input() has no argument '{name}'{_near(name)}")
            else:
                found[name] = keyword.value
        return found

    def _values(self, arguments: dict[str, ast.expr], scope: Scope, subject: str) -> dict[str, object]:
        values: dict[str, object] = {}
        for name, node in arguments.items():
            try:
                value = self._constants.value(node, scope)
                if name == "default" and value is ...:
                    continue
                values[name] = _values.json_value(value, node, scope)
            except Unreadable as error:
                self._problems.append(error.problem(f"{subject}: {name}"))
        return values

    def _report(self, node: ast.AST, scope: Scope, subject: str, reason: str) -> None:
        self._problems.append(Unreadable(scope.module, node, reason).problem(subject))


@dataclass(frozen=True, slots=True)
class _Checks:
    """The values given for one input, checked against its type and each other."""

    name: str
    type: Type
    values: dict[str, object]
    nodes: dict[str, ast.expr]
    at: ast.AST
    scope: Scope
    problems: list[Problem]

    def input(self) -> Input:
        """The input; it means something only if nothing has been appended to `problems`."""
        constraints: dict[str, object] = {}
        for name, (keyword, _) in CONSTRAINTS.items():
            if self._given(name):
                with self._noting():
                    constraints[keyword] = self._constraint(name)
        with self._noting():
            self._check_range(constraints, "minimum", "maximum", "le")
            self._check_range(constraints, "minLength", "maxLength", "max_length")
        choices: tuple[object, ...] = ()
        with self._noting():
            choices = self._choices()
        kind, default = self.type, None
        with self._noting():
            default = self._default(constraints, choices)
        description, deprecated, accept = None, False, None
        with self._noting():
            description = self._text("description")
        with self._noting():
            deprecated = self._deprecated()
        with self._noting():
            accept = self._accept()
        if default is not None and default.value is None and not isinstance(kind, Nullable):
            kind = Nullable(kind)  # `seed: int = None` means int or None, as it did before PEP 484 was amended
        return Input(
            self.name,
            kind,
            default,
            description,
            constraints,
            choices,
            deprecated=deprecated,
            accept=accept,
        )

    @contextmanager
    def _noting(self) -> Iterator[None]:
        """What is wrong is noted, and does not keep anyone from looking at the rest."""
        try:
            yield
        except Unreadable as error:
            self.problems.append(error.problem(f"parameter '{self.name}'"))

    def _given(self, name: str) -> bool:
        return self.values.get(name) is not None

    def _fail(self, name: str, reason: str) -> Unreadable:
        return Unreadable(self.scope.module, self.nodes.get(name, self.at), reason)

    def _text(self, name: str) -> str | None:
        value = self.values.get(name)
        if value is not None and not isinstance(value, str):
            raise self._fail(name, f"{name} must be a str, not {_values.shown(value)}")
        return value

    def _deprecated(self) -> bool:
        value = self.values.get("deprecated", False)
        if not isinstance(value, bool) and value is not None:
            raise self._fail("deprecated", f"deprecated must be True or False, not {_values.shown(value)}")
        return value is True

    def _accept(self) -> object:
        value = self.values.get("accept")
        texts = value if isinstance(value, list) else [] if value is None else [value]
        if not all(isinstance(each, str) for each in texts):
            raise self._fail("accept", f"accept must be a str or a list of str, not {_values.shown(value)}")
        return value

    def _constraint(self, name: str) -> object:
        value = self.values[name]
        kinds = CONSTRAINTS[name][1]
        if not any(kind in kinds for kind in _values.kinds_of(self.type)):
            wanted = "int and float" if kinds is NUMERIC else "str"
            raise self._fail(name, f"{name} is for {wanted}, the input is {self.type}")
        if name == "regex":
            pattern = self._text(name) or ""
            try:
                re.compile(pattern)
            except (re.error, OverflowError, RecursionError) as error:
                raise self._fail(
                    name, f"regex {_values.shown(pattern)} is not a regular expression: {error}"
                ) from error
        elif isinstance(value, bool) or not isinstance(value, int if name.endswith("length") else int | float):
            raise self._fail(name, f"{name} must be a number, not {_values.shown(value)}")
        elif name.endswith("length") and int(value) < 0:
            raise self._fail(name, f"{name} must not be negative")
        return value

    def _check_range(self, constraints: dict[str, object], low: str, high: str, name: str) -> None:
        lower, upper = constraints.get(low), constraints.get(high)
        if isinstance(lower, int | float) and isinstance(upper, int | float) and lower > upper:
            raise self._fail(name, f"no value fits: the least is {lower}, the greatest {upper}")

    def _choices(self) -> tuple[object, ...]:
        inner = self.type.inner if isinstance(self.type, Nullable) else self.type
        if isinstance(inner, Literal):
            if self._given("choices"):
                raise self._fail("choices", "choices and Literal both list the values, keep one")
            return inner.values
        if not self._given("choices"):
            return ()
        values = self.values["choices"]
        if not isinstance(values, list):
            raise self._fail("choices", f"choices must be a list, not {_values.shown(values)}")
        item = inner.item if isinstance(inner, ListOf) else inner
        allowed = {Kind.STRING, Kind.INTEGER, Kind.NUMBER, Kind.BOOLEAN}
        if isinstance(item, UnionOf) or not isinstance(item, Scalar) or item.kind not in allowed:
            raise self._fail("choices", f"choices are for str, int, float and bool, the input is {self.type}")
        for value in values:
            if not _values.fits(value, item):
                raise self._fail("choices", f"choice {_values.shown(value)} is not of type {item}")
        return tuple(values)

    def _default(self, constraints: dict[str, object], choices: tuple[object, ...]) -> Default | None:
        if "default" not in self.values:
            return None
        value = self.values["default"]
        if value is None:
            return Default(None)
        inner = self.type.inner if isinstance(self.type, Nullable) else self.type
        if inner == Scalar(Kind.SECRET):
            raise self._fail("default", "a default would put the secret into the image, leave it out or use None")
        if not _values.fits(value, inner):
            raise self._fail("default", f"default {_values.shown(value)} is not of type {self.type}")
        for each in value if isinstance(value, list) and isinstance(inner, ListOf) else [value]:
            if choices and each not in choices:
                raise self._fail(
                    "default", f"default {_values.shown(each)} is not one of the choices {_values.shown(list(choices))}"
                )
        self._check_default(value, constraints)
        return Default(value)

    def _check_default(self, value: object, constraints: dict[str, Any]) -> None:
        checks: dict[str, Callable[[Any], bool]] = {}
        if isinstance(value, str):
            checks = {
                "minLength": lambda least: len(value) >= least,
                "maxLength": lambda most: len(value) <= most,
            }
        elif isinstance(value, int | float) and not isinstance(value, bool):
            checks = {"minimum": lambda least: value >= least, "maximum": lambda most: value <= most}
        if isinstance(value, str) and "pattern" in constraints:
            found = matches(constraints["pattern"], value)
            if found is None:
                way = "it would keep clients waiting, write one that repeats nothing that is repeated already"
                raise self._fail("regex", f"regex takes longer than half a second to match the default; {way}")
            checks["pattern"] = lambda _: found
        for keyword, holds in checks.items():
            if keyword in constraints and not holds(constraints[keyword]):
                raise self._fail(
                    "default",
                    f"default {_values.shown(value)} doesn't fit {keyword} {_values.shown(constraints[keyword])}",
                )


def _near(name: str) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 -- only when something is wrong

    near = get_close_matches(name, sorted(ARGUMENTS), n=1)
    return f", did you mean '{near[0]}'?" if near else f"; it has {', '.join(sorted(ARGUMENTS))}"
