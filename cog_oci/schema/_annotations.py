"""Annotation → type: what an annotation in the source means for a model's input or output.

The types are those that Cog's documents know; an annotation that means something else in Python is refused with what to
write instead, so that the document never promises what the model doesn't take.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING
from typing import Literal as OneOf

from cog_oci.schema import _records
from cog_oci.schema._known_types import DICTS, INSTEAD, LISTS, NATIVE, SCALARS, STREAMS, WRAPPERS
from cog_oci.schema._names import Class, Expression, Function, Names, Symbol, Target
from cog_oci.schema._source import Unreadable
from cog_oci.schema._types import Kind, ListOf, Literal, MapOf, Nullable, Record, Scalar, Stream, Type, UnionOf

if TYPE_CHECKING:
    from cog_oci.schema._constants import Constants
    from cog_oci.schema._scope import Scope

__all__ = ["Annotations"]

Role = OneOf["input", "output"]

MAX_DEPTH = 32
MAX_PARTS = 10_000
"""Types in the types of one signature: classes that hold others twice, and these others, double with every level."""
NESTED_STREAM = "an iterator can't be inside of another type; use list"


class Annotations:
    """Reads annotations in one role: as the type of an input, or of an output."""

    def __init__(self, names: Names, constants: Constants, role: Role) -> None:
        self.role = role
        self.names = names
        self._constants = constants
        self._depth = 0
        self._parts = 0
        self._reading: list[ast.ClassDef] = []

    def read(self, node: ast.expr, scope: Scope) -> Type:
        """The type that an annotation means; Unreadable at the part that means none."""
        self._depth += 1
        self._parts += 1
        try:
            if self._parts > MAX_PARTS:
                raise Unreadable(scope.module, node, "the type has too many parts, annotate some with Opaque")
            if self._depth > MAX_DEPTH:
                raise Unreadable(scope.module, node, "the type is nested too deeply, annotate a part with Opaque")
            return self._read(node, scope)
        finally:
            self._depth -= 1

    def read_item(self, node: ast.expr, scope: Scope) -> Type | None:
        """The type of the elements of what an annotation says is a list; None if it says something else.

        An element may be whatever an input or output may be, so also a list, or None for an input.
        """
        for _ in range(MAX_DEPTH):
            node = self.unquoted(node, scope)
            target = self.names.resolve(node.value if isinstance(node, ast.Subscript) else node, scope)
            if isinstance(target, Expression) and target.node is not node:  # an alias
                node, scope = target.node, target.scope
                continue
            arguments = _arguments(node.slice) if isinstance(node, ast.Subscript) else []
            match target, arguments:
                case Symbol(name="typing.Annotated"), [node, *_]:
                    continue
                case Symbol(name=name), [item] if name in LISTS:
                    return self._inner(self.read(item, scope), item, scope)
                case Symbol(name=name), [] if name in LISTS:
                    return Scalar(Kind.ANY)
                case _:
                    return None
        return None

    def is_optional(self, node: ast.expr, scope: Scope) -> bool:
        """Whether an annotation allows None, without looking at what else it allows."""
        match node:
            case ast.Constant(value=None):
                return True
            case ast.Constant(value=str()):
                return self.is_optional(self.unquoted(node, scope), scope)
            case ast.BinOp(op=ast.BitOr()):
                return any(self.is_optional(each, scope) for each in _alternatives(node))
            case ast.Subscript(value=generic, slice=argument):
                try:
                    target = self.names.resolve(generic, scope)
                except Unreadable:
                    return False
                return target == Symbol("typing.Optional") or (
                    target == Symbol("typing.Union")
                    and any(self.is_optional(each, scope) for each in _arguments(argument))
                )
            case _:
                return False

    def _read(self, node: ast.expr, scope: Scope) -> Type:
        match node:
            case ast.Constant(value=str()):
                return self.read(self.unquoted(node, scope), scope)
            case ast.Constant(value=None):
                what = "a model returns something" if self.role == "output" else "an input has a type"
                raise Unreadable(scope.module, node, f"None alone is no type here: {what}, annotate which")
            case ast.BinOp(op=ast.BitOr()):
                return self._union(node, _alternatives(node), scope)
            case ast.Subscript():
                return self._generic(node, scope)
            case ast.Name() | ast.Attribute():
                return self._named(self.names.resolve(node, scope), node, scope)
            case ast.Call():
                return self._made(node, scope)
            case _:
                raise Unreadable(scope.module, node, f"`{_short(node)}` is not a type")

    def unquoted(self, node: ast.expr, scope: Scope) -> ast.expr:
        """The annotation inside a string (PEP 484, forward references), as if it stood in the string's place."""
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            return node
        try:
            inner = ast.parse(node.value.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise Unreadable(scope.module, node, f"'{node.value[:60]}' is not a type") from None
        for each in ast.walk(inner):
            ast.copy_location(each, node)
        return inner

    def _named(self, target: Target, node: ast.expr, scope: Scope) -> Type:
        match target:
            case Symbol(name=name) if name in SCALARS:
                return Scalar(SCALARS[name])
            case Symbol(name=name) if name in LISTS:
                return ListOf(Scalar(Kind.ANY))
            case Symbol(name=name) if name in STREAMS:
                raise Unreadable(
                    scope.module, node, f"{target} doesn't say of what, write {_short(node)}[str] or another type"
                )
            case Symbol():
                raise self._foreign(target, node, scope)
            case Class():
                return self._class(target, node, scope)
            case Function(node=function):
                raise Unreadable(scope.module, node, f"'{function.name}' is a function, not a type")
            case Expression(node=value, scope=inner) if value is not node:  # an alias: `Prompt = str | None`
                return self.read(value, inner)
            case _:
                raise Unreadable(scope.module, node, f"`{_short(node)}` is not a type")

    def _foreign(self, symbol: Symbol, node: ast.expr, scope: Scope) -> Unreadable:
        known = symbol.module in {"builtins", "typing", "cog"} or symbol.name in INSTEAD
        if known:
            way = INSTEAD.get(symbol.name, "use one of the types that a model takes")
            return Unreadable(scope.module, node, f"type '{symbol}' is not supported for an {self.role}; {way}")
        where, _, last = symbol.name.rpartition(".")
        if not where:
            return Unreadable(scope.module, node, f"'{last}' is a module, not a type")
        return Unreadable(
            scope.module,
            node,
            f"type '{last}' comes from {where.partition('.')[0]} and can't be read statically; "
            f"use cog.Path or annotate with Opaque: Annotated[{_short(node)}, Opaque]",
        )

    def _class(self, target: Class, node: ast.expr, scope: Scope) -> Type:
        name = target.node.name
        kind = _records.kind_of(target, self.names)
        if kind is None:
            reason = f"class '{name}' is not a cog.BaseModel, make it one or annotate with Opaque"
            if self.names.inherits(target, "enum"):
                reason = f"class '{name}' is an Enum; use str with Input(choices=[...]), or Literal"
            raise Unreadable(scope.module, node, reason)
        if self.role == "input":
            if kind == "model":
                raise Unreadable(scope.module, node, f"class '{name}' can't be an input; use dict or a TypedDict")
            return Scalar(Kind.OBJECT)
        if target.node in self._reading:
            return Scalar(Kind.OBJECT)  # recursive: how deep it goes is not known
        self._reading.append(target.node)
        try:
            return Record(name, _records.fields_of(target, kind, self))
        finally:
            self._reading.pop()

    def _made(self, node: ast.Call, scope: Scope) -> Type:
        """A type that a call makes: `NewType("Id", int)`, `TypedDict("Item", {...})`."""
        target = self.names.resolve(node.func, scope)
        if target == Symbol("typing.NewType") and len(node.args) == 2:
            return self.read(node.args[1], scope)
        if target == Symbol("typing.TypedDict") and node.args:
            if self.role == "input":
                return Scalar(Kind.OBJECT)
            return Record("TypedDict", _records.fields_of_call(node, scope, self))
        raise Unreadable(scope.module, node, f"`{_short(node)}` is not a type that can be read without running it")

    def _generic(self, node: ast.Subscript, scope: Scope) -> Type:
        target = self.names.resolve(node.value, scope)
        arguments = _arguments(node.slice)
        name = target.name if isinstance(target, Symbol) else ""
        match name:
            case "typing.Optional" | "typing.Union":
                none = [ast.copy_location(ast.Constant(None), node)] if name == "typing.Optional" else []
                return self._union(node, [*arguments, *none], scope)
            case "typing.Annotated":
                return self._annotated(arguments, scope)
            case "typing.Literal":
                return self._literal(node, arguments, scope)
            case _ if name in WRAPPERS:
                return self.read(arguments[0], scope)
            case _ if name in LISTS:
                return self._list(node, arguments, scope)
            case _ if name in DICTS:
                return self._dict(node, arguments, scope)
            case _ if name in STREAMS:
                return self._stream(node, name, arguments, scope)
        if isinstance(target, Symbol):
            raise self._foreign(target, node.value, scope)
        raise Unreadable(
            scope.module, node, f"`{_short(node)}` is generic, write the class out or annotate with Opaque"
        )

    def _annotated(self, arguments: list[ast.expr], scope: Scope) -> Type:
        """`Annotated[T, …]` is T (PEP 593), unless the metadata holds Opaque: then T is not looked at."""
        for metadata in arguments[1:]:
            called = isinstance(metadata, ast.Call)
            try:
                target = self.names.resolve(metadata.func if isinstance(metadata, ast.Call) else metadata, scope)
            except Unreadable:
                continue
            if target == Symbol("cog.Opaque"):
                opaque = Scalar(Kind.ANY)
                if not self.is_optional(arguments[0], scope):
                    return opaque
                self._refuse_none(arguments[0], scope)
                return Nullable(opaque)
            if target == Symbol("cog.Input") and called:
                raise Unreadable(scope.module, metadata, "Input() in Annotated has no effect, write it as the default")
        return self.read(arguments[0], scope)

    def _literal(self, node: ast.Subscript, arguments: list[ast.expr], scope: Scope) -> Type:
        if self.role == "output":
            raise Unreadable(scope.module, node, "Literal is not supported for an output; use the type of its values")
        values = tuple(self._constants.value(each, scope) for each in arguments)
        kinds = {str: Kind.STRING, int: Kind.INTEGER}
        found = {kinds.get(type(each)) for each in values if each is not None}
        kind = found.pop() if len(found) == 1 else None
        if kind is None:
            raise Unreadable(scope.module, node, "the values of a Literal must be all str or all int")
        literal = Literal(kind, tuple(each for each in values if each is not None))
        return Nullable(literal) if None in values else literal

    def _list(self, node: ast.Subscript, arguments: list[ast.expr], scope: Scope) -> Type:
        if len(arguments) != 1:
            raise Unreadable(scope.module, node, "a list has one type of elements")
        item = self.read(arguments[0], scope)
        if self.role == "input" and not isinstance(item, Scalar):
            way = "use a list of str, int, float, bool, Path or dict"
            raise Unreadable(scope.module, arguments[0], f"list[{item}] is not supported for an input; {way}")
        return ListOf(self._inner(item, arguments[0], scope))

    def _dict(self, node: ast.Subscript, arguments: list[ast.expr], scope: Scope) -> Type:
        if len(arguments) != 2:
            raise Unreadable(scope.module, node, "a dict has a type of keys and one of values")
        if self.role == "input":
            return Scalar(Kind.OBJECT)  # what is inside is not checked
        return MapOf(self._inner(self.read(arguments[1], scope), arguments[1], scope))

    def _stream(self, node: ast.Subscript, name: str, arguments: list[ast.expr], scope: Scope) -> Type:
        if self.role == "input":
            raise Unreadable(scope.module, node, "an iterator can't be an input; use list")
        if self._reading:
            raise Unreadable(scope.module, node, NESTED_STREAM)
        item = self._inner(self.read(arguments[0], scope), arguments[0], scope)
        if STREAMS[name] and item != Scalar(Kind.STRING):
            raise Unreadable(scope.module, arguments[0], f"what is concatenated is str, not {item}; use Iterator")
        return Stream(item, concatenate=STREAMS[name])

    def _inner(self, item: Type, node: ast.expr, scope: Scope) -> Type:
        if isinstance(item, Nullable):
            self._refuse_none(node, scope)
        if isinstance(item, Stream):
            raise Unreadable(scope.module, node, NESTED_STREAM)
        return item

    def _refuse_none(self, node: ast.expr, scope: Scope) -> None:
        """Outputs may be None only as members of an object."""
        if self.role == "output" and not self._reading:
            way = "return a cog.BaseModel with an optional member"
            raise Unreadable(scope.module, node, f"Optional is not supported for an output; {way}")

    def _union(self, node: ast.expr, alternatives: list[ast.expr], scope: Scope) -> Type:
        nullable = False
        variants: list[Type] = []
        for alternative in alternatives:
            if isinstance(alternative, ast.Constant) and alternative.value is None:
                nullable = True
                continue
            each = self.read(alternative, scope)
            if isinstance(each, Nullable):
                nullable, each = True, each.inner
            variants += [
                new for new in (each.variants if isinstance(each, UnionOf) else (each,)) if new not in variants
            ]
        if not variants:
            raise Unreadable(scope.module, node, "None alone is not a type")
        if nullable:
            self._refuse_none(node, scope)
        if len(variants) > 1:
            self._check_union(variants, node, scope)
        union = UnionOf(tuple(variants)) if len(variants) > 1 else variants[0]
        return Nullable(union) if nullable else union

    def _check_union(self, variants: list[Type], node: ast.expr, scope: Scope) -> None:
        if self.role == "output":
            raise Unreadable(scope.module, node, "a union is not supported for an output; use typing.Any")
        for each in variants:
            part = each.item if isinstance(each, ListOf) else each
            if not isinstance(part, Scalar) or part.kind not in NATIVE:
                way = "use str, int, float, bool, list and dict"
                raise Unreadable(scope.module, node, f"{each} is not supported in a union; {way}")


def _alternatives(node: ast.expr) -> list[ast.expr]:
    """`a | b | c` as a list, from the left; a loop, because the tree is as deep as the union is long."""
    reversed_parts: list[ast.expr] = []
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        reversed_parts.append(node.right)
        node = node.left
    return [node, *reversed(reversed_parts)]


def _arguments(node: ast.expr) -> list[ast.expr]:
    return list(node.elts) if isinstance(node, ast.Tuple) else [node]


def _short(node: ast.expr) -> str:
    text = ast.unparse(node)
    return text if len(text) <= 60 else text[:57] + "..."
