"""The value of an expression that means the same each time it is evaluated: literals, names of constants, arithmetic.

Nothing of the model is executed. Operators and a few pure methods of str, list and dict are applied to values built
here; a budget bounds the work and the size, so that `"x" * 10**9` costs an error and not the machine's memory.
"""

from __future__ import annotations

import ast
import inspect
import operator
import textwrap
from typing import TYPE_CHECKING, Any

from cog_oci.schema._names import Expression, Function, Names, Symbol
from cog_oci.schema._source import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable

    from cog_oci.schema._scope import Scope

__all__ = ["Constants"]

MAX_DEPTH = 50
MAX_SIZE = 100_000
"""Elements of a container, characters of a string."""
MAX_BITS = 10_000
"""Of a whole number: some 3,000 digits, which Python still prints (CVE-2020-10735)."""
BUDGET = 400_000
"""Steps for all expressions of one reading: some tenths of a second."""

BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.BitOr: operator.or_,
    ast.BitAnd: operator.and_,
    ast.BitXor: operator.xor,
}
UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
    ast.Invert: operator.invert,
    ast.Not: operator.not_,
}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "builtins.abs": abs,
    "builtins.bool": bool,
    "builtins.dict": dict,
    "builtins.float": float,
    "builtins.int": int,
    "builtins.len": len,
    "builtins.list": list,
    "builtins.max": max,
    "builtins.min": min,
    "builtins.range": range,
    "builtins.round": round,
    "builtins.set": set,
    "builtins.sorted": sorted,
    "builtins.str": str,
    "builtins.sum": sum,
    "builtins.tuple": tuple,
    "inspect.cleandoc": inspect.cleandoc,
    "textwrap.dedent": textwrap.dedent,
}
METHODS: dict[type, frozenset[str]] = {
    str: frozenset({"capitalize", "join", "lower", "lstrip", "removeprefix", "removesuffix", "replace", "rstrip"})
    | {"split", "splitlines", "strip", "title", "upper"},
    dict: frozenset({"copy", "get", "items", "keys", "values"}),
    list: frozenset({"copy", "count", "index"}),
    tuple: frozenset({"count", "index"}),
}


class Constants:
    """Evaluates expressions of the source; all that it refuses is Unreadable at the part that it refuses."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._budget = BUDGET
        self._depth = 0

    def value(self, node: ast.expr, scope: Scope) -> object:
        """The value: None, bool, int, float, str, bytes, `...`, or a list, tuple, set or dict of them."""
        self._depth += 1
        try:
            if self._depth > MAX_DEPTH:
                raise Unreadable(scope.module, node, "the expression is nested too deeply, assign parts of it to names")
            return self._spend(self._evaluate(node, scope), node, scope)
        finally:
            self._depth -= 1

    def _evaluate(self, node: ast.expr, scope: Scope) -> object:
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Name() | ast.Attribute():
                return self._name(node, scope)
            case ast.UnaryOp(op=op, operand=operand):
                return self._apply(UNARY[type(op)], [self.value(operand, scope)], node, scope)
            case ast.BinOp():
                return self._arithmetic(node, scope)
            case ast.JoinedStr(values=parts):
                return "".join(self._format(part, scope) for part in parts)
            case ast.Call():
                return self._call(node, scope)
            case ast.Subscript(value=container, slice=key) if not isinstance(key, ast.Slice):
                return self._apply(
                    operator.getitem, [self.value(container, scope), self.value(key, scope)], node, scope
                )
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return self.value(body if self.value(test, scope) else orelse, scope)
            case ast.Dict() | ast.List() | ast.Tuple() | ast.Set():
                return self._container(node, scope)
            case _:
                raise _unreadable(node, scope)

    def _container(self, node: ast.Dict | ast.List | ast.Tuple | ast.Set, scope: Scope) -> object:
        if not isinstance(node, ast.Dict):
            elements = self._elements(node.elts, scope)
            kind = {ast.List: list, ast.Tuple: tuple, ast.Set: set}[type(node)]
            return self._apply(kind, [elements], node, scope)
        result: dict[object, object] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            inner = self.value(value, scope)
            if key is None:  # `**inner`
                self._apply(result.update, [inner], node, scope)
            else:
                self._apply(result.__setitem__, [self.value(key, scope), inner], node, scope)
        return result

    def _elements(self, nodes: list[ast.expr], scope: Scope) -> list[object]:
        elements: list[object] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                inner = self.value(node.value, scope)
                if isinstance(inner, set):
                    raise Unreadable(scope.module, node, "a set has no order, use a list")
                self._apply(elements.extend, [inner], node, scope)
            else:
                elements.append(self.value(node, scope))
        return elements

    def _arithmetic(self, node: ast.BinOp, scope: Scope) -> object:
        """A chain `a + b + c` is one loop: long texts are written so, and the tree of one is as deep as it is long."""
        chain = [node]
        while isinstance(chain[-1].left, ast.BinOp):
            chain.append(chain[-1].left)
        result = self.value(chain[-1].left, scope)
        for each in reversed(chain):
            right = self.value(each.right, scope)
            function = BINARY.get(type(each.op))
            if function is None:
                raise _unreadable(each, scope)
            _check_size(each, result, right, scope)
            result = self._spend(self._apply(function, [result, right], each, scope), each, scope)
        return result

    def _name(self, node: ast.Name | ast.Attribute, scope: Scope) -> object:
        if isinstance(node, ast.Attribute) and node.attr == "value":
            member = self._names.resolve(node.value, scope)
            if isinstance(member, Expression) and member.owner and self._names.inherits(member.owner, "enum"):
                return self.value(member.node, member.scope)
        match self._names.resolve(node, scope):
            case Expression(node=found, scope=inner, owner=owner) if found is not node:
                if owner is not None and self._names.inherits(owner, "enum"):
                    raise Unreadable(scope.module, node, f"{ast.unparse(node)} is an Enum's member, use its .value")
                return self.value(found, inner)
            case _:
                raise _unreadable(node, scope)

    def _call(self, node: ast.Call, scope: Scope) -> object:
        arguments = self._elements(node.args, scope) if not node.keywords else None
        if isinstance(node.func, ast.Attribute) and not _is_dotted(node.func):
            return self._method(node, self.value(node.func.value, scope), arguments, scope)
        target = self._names.resolve(node.func, scope)
        if isinstance(target, Function) and arguments == []:
            returned = self.returned(target)
            if returned is not None:
                return self.value(returned, target.scope)
        if isinstance(target, Symbol) and target.name in FUNCTIONS and arguments is not None:
            return self._pure(target.name, arguments, node, scope)
        if isinstance(target, Expression) and isinstance(node.func, ast.Attribute):  # a method of a named value
            return self._method(node, self.value(node.func.value, scope), arguments, scope)
        raise _unreadable(node, scope)

    @staticmethod
    def returned(function: Function) -> ast.expr | None:
        """The expression that a function without parameters returns, if that is all it does."""
        body = function.node.body
        if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):  # its docstring
            body = body[1:]
        match body:
            case [ast.Return(value=ast.expr() as value)] if isinstance(function.node, ast.FunctionDef):
                return value
            case _:
                return None

    def _method(self, node: ast.Call, value: object, arguments: list[object] | None, scope: Scope) -> object:
        assert isinstance(node.func, ast.Attribute), "a method is called on something"
        name = node.func.attr
        if arguments is None or name not in METHODS.get(type(value), ()):
            raise _unreadable(node, scope)
        if name in {"join", "replace"}:
            self._check_product(value, arguments, node, scope)
        result = self._apply(getattr(value, name), arguments, node, scope)
        return list(result) if name in {"items", "keys", "values"} else result  # type: ignore[call-overload]  # views

    def _check_product(self, value: object, arguments: list[object], node: ast.AST, scope: Scope) -> None:
        """`str.join` and `str.replace` may make what is as long as the product of the lengths of all they get."""
        length = max(_size(value), 1)
        for argument in arguments:
            length *= max(_size(argument), 1)
        if length > MAX_SIZE * 100:
            raise Unreadable(scope.module, node, f"the value is larger than {MAX_SIZE:,} elements")

    def _pure(self, name: str, arguments: list[object], node: ast.Call, scope: Scope) -> object:
        if name in {"builtins.list", "builtins.tuple"} and any(isinstance(each, set) for each in arguments):
            raise Unreadable(scope.module, node, "a set has no order, use a list or sorted()")
        result = self._apply(FUNCTIONS[name], arguments, node, scope)
        if isinstance(result, range):
            if len(result) > MAX_SIZE:
                raise Unreadable(scope.module, node, f"the value is larger than {MAX_SIZE:,} elements")
            return list(result)
        return result

    def _format(self, node: ast.expr, scope: Scope) -> str:
        if not isinstance(node, ast.FormattedValue):
            return str(self.value(node, scope))
        value = self.value(node.value, scope)
        converters: dict[int, Callable[[object], str]] = {ord("s"): str, ord("r"): repr, ord("a"): ascii}
        convert = converters.get(node.conversion)
        value = convert(value) if convert else value
        spec = "" if node.format_spec is None else str(self.value(node.format_spec, scope))
        if len(spec) > 5:  # a width of a billion is written in ten characters
            raise Unreadable(scope.module, node, f"the format {spec!r} is not one for a short text")
        return str(self._apply(format, [value, spec], node, scope))

    def _apply(self, function: Callable[..., Any], arguments: list[object], node: ast.AST, scope: Scope) -> object:
        try:
            return function(*arguments)
        except Exception as error:  # whatever Python would say, the user is told
            raise Unreadable(scope.module, node, f"would raise {type(error).__name__}: {error}") from error

    def _spend(self, value: object, node: ast.AST, scope: Scope) -> object:
        size = _size(value)
        self._budget -= 1 + size // 10
        if isinstance(value, int) and value.bit_length() > MAX_BITS:
            raise Unreadable(scope.module, node, f"the number has more than {MAX_BITS:,} bits")
        if size > MAX_SIZE:
            raise Unreadable(scope.module, node, f"the value is larger than {MAX_SIZE:,} elements")
        if self._budget < 0:
            raise Unreadable(scope.module, node, "the constants of the model are too large to be read")
        return value


def _size(value: object) -> int:
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, list | tuple | set | dict):
        inner = [*value, *value.values()] if isinstance(value, dict) else value
        return len(value) + sum(_size(each) for each in inner if not isinstance(each, int | float))
    return 0


def _check_size(node: ast.BinOp, left: object, right: object, scope: Scope) -> None:
    """Refuses an operation whose result would be huge before it is made."""
    size = 0
    if isinstance(node.op, ast.Mult):
        size = max((_size(a) * b for a, b in ((left, right), (right, left)) if isinstance(b, int)), default=0)
        size += sum(each.bit_length() for each in (left, right) if isinstance(each, int))
    elif isinstance(node.op, ast.Pow) and isinstance(left, int) and isinstance(right, int):
        size = left.bit_length() * abs(right)
    elif isinstance(node.op, ast.LShift) and isinstance(left, int) and isinstance(right, int):
        size = left.bit_length() + right
    elif isinstance(node.op, ast.Mod) and isinstance(left, str | bytes):
        raise Unreadable(scope.module, node, "%-formatting is not read, write an f-string")
    if size > MAX_SIZE:
        raise Unreadable(scope.module, node, f"the value is larger than {MAX_SIZE:,} elements")


def _is_dotted(node: ast.expr) -> bool:
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)


def _unreadable(node: ast.expr, scope: Scope) -> Unreadable:
    text = ast.unparse(node)
    shown = text if len(text) <= 60 else text[:57] + "..."
    return Unreadable(scope.module, node, f"`{shown}` can't be read without running it, use a literal or a constant")
