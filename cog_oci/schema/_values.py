"""The value of an expression that any reader could work out: literals, names of them, and arithmetic on them."""

from __future__ import annotations

import ast
import operator
from typing import TYPE_CHECKING, Any

from cog_oci.schema._names import Expression, Symbol
from cog_oci.schema._source import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable

    from cog_oci.schema._names import Names
    from cog_oci.schema._scope import Scope

__all__ = ["evaluate"]

_LARGEST = 1 << 16
"""Digits, characters or elements of a result: what is larger is no default, description or choice."""
_MOST_NESTED = 100

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.BitOr: operator.or_,
}
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Not: operator.not_,
    ast.Invert: operator.invert,
}
_FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "builtins.list": list,
    "builtins.tuple": tuple,
    "builtins.sorted": sorted,
    "builtins.len": len,
    "builtins.str": str,
    "builtins.int": int,
    "builtins.float": float,
}
_METHODS = frozenset({"keys", "values", "strip", "lower", "upper"})


def evaluate(node: ast.expr, scope: Scope, names: Names, depth: int = 0) -> Any:
    """The Python value; Unreadable when only running the program could tell."""
    if depth > _MOST_NESTED:
        raise Unreadable(scope.module, node, "the expression is nested too deeply to be read")

    def inner(part: ast.expr) -> Any:
        return evaluate(part, scope, names, depth + 1)

    try:
        value = _compute(node, scope, names, inner, depth)
    except (TypeError, ValueError, ArithmeticError, KeyError, IndexError, AttributeError) as error:
        raise Unreadable(scope.module, node, f"the expression has no value: {error}") from None
    if isinstance(value, str | list | tuple | dict) and len(value) > _LARGEST:
        raise Unreadable(scope.module, node, "the value is too large to be part of an interface")
    return value


def _compute(node: ast.expr, scope: Scope, names: Names, inner: Callable[[ast.expr], Any], depth: int) -> Any:  # noqa: PLR0911 - a case a form of expression
    match node:
        case ast.Constant(value=value) if value is not ...:
            return value
        case ast.Name() | ast.Attribute():
            target = names.resolve(node, scope)
            if isinstance(target, Expression) and target.node is not node:
                return evaluate(target.node, target.scope, names, depth + 1)
        case ast.List(elts=elements):
            return [inner(element) for element in elements]
        case ast.Tuple(elts=elements):
            return tuple(inner(element) for element in elements)
        case ast.Dict(keys=keys, values=values) if all(key is not None for key in keys):
            return {inner(key): inner(value) for key, value in zip(keys, values, strict=True) if key is not None}
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _UNARY:
            return _UNARY[type(op)](inner(operand))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return _binary(op, inner(left), inner(right))
        case ast.JoinedStr(values=parts):
            return "".join(_formatted(part, inner) for part in parts)
        case ast.Subscript(value=container, slice=index):
            return inner(container)[inner(index)]
        case ast.Call(func=func, args=arguments, keywords=[]):
            return _call(func, arguments, scope, names, inner)
        case _:
            pass
    raise Unreadable(scope.module, node, f"`{_shown(node)}` can't be worked out without running it, use a literal")


def _binary(op: ast.operator, left: Any, right: Any) -> Any:
    grows = isinstance(op, ast.Pow) and isinstance(right, int) and abs(right) > 64
    repeats = isinstance(op, ast.Mult) and any(
        isinstance(one, str | list | tuple) and isinstance(other, int) and len(one) * other > _LARGEST
        for one, other in ((left, right), (right, left))
    )
    if grows or repeats:
        raise ValueError("it is too large")
    return _BINARY[type(op)](left, right)


def _formatted(part: ast.expr, inner: Callable[[ast.expr], Any]) -> str:
    match part:
        case ast.FormattedValue(value=value, conversion=-1, format_spec=None):
            return f"{inner(value)}"
        case _:
            return str(inner(part))


def _call(
    func: ast.expr, arguments: list[ast.expr], scope: Scope, names: Names, inner: Callable[[ast.expr], Any]
) -> Any:
    match func:
        case ast.Name():
            target = names.resolve(func, scope)
            if isinstance(target, Symbol) and target.name in _FUNCTIONS and len(arguments) == 1:
                return _FUNCTIONS[target.name](inner(arguments[0]))
            if isinstance(target, Symbol) and target.name == "builtins.range":
                return list(range(*[min(inner(argument), _LARGEST) for argument in arguments]))
        case ast.Attribute(value=owner, attr=method) if method in _METHODS and not arguments:
            result = getattr(inner(owner), method)()
            return result if isinstance(result, str) else list(result)
        case _:
            pass
    raise Unreadable(scope.module, func, f"`{_shown(func)}()` can't be called without running it, use a literal")


def _shown(node: ast.expr) -> str:
    text = ast.unparse(node)
    return text if len(text) <= 60 else text[:57] + "…"
