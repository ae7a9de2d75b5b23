"""Annotations as types: what a person means by `list[Path] | None`, as values that a document is made from."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cog_oci.schema._names import Class, Expression, Function, Names, Package, Symbol
from cog_oci.schema._source import Unreadable

if TYPE_CHECKING:
    from cog_oci.schema._scope import Scope

__all__ = [
    "Dictionary",
    "Field",
    "Iterated",
    "Listed",
    "Model",
    "Nothing",
    "OpaqueType",
    "Primitive",
    "Type",
    "Types",
    "Union",
]


@dataclass(frozen=True, slots=True)
class Primitive:
    """`str`, `int`, `float`, `bool`, `Path`, `File`, `Secret`."""

    name: str


@dataclass(frozen=True, slots=True)
class OpaqueType:
    """Any JSON object: `Any`, `dict` without arguments, `Annotated[X, Opaque]`."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """`None`."""


@dataclass(frozen=True, slots=True)
class Listed:
    """`list[T]`."""

    item: Type


@dataclass(frozen=True, slots=True)
class Dictionary:
    """`dict[K, V]`."""

    value: Type


@dataclass(frozen=True, slots=True)
class Iterated:
    """`Iterator[T]` and its kin; `concatenate` when the pieces make one text."""

    item: Type
    concatenate: bool
    is_async: bool


@dataclass(frozen=True, slots=True)
class Union:
    """`A | B`; with Nothing among the members it may be null."""

    members: tuple[Type, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a model, and whether it must be there."""

    name: str
    type: Type
    required: bool


@dataclass(frozen=True, slots=True)
class Model:
    """A BaseModel or TypedDict with its fields, inherited ones first; None where it contains itself."""

    name: str
    fields: tuple[Field, ...] | None
    is_dict: bool


Type = Primitive | OpaqueType | Nothing | Listed | Dictionary | Iterated | Union | Model

_PRIMITIVES = {
    **{f"builtins.{name}": name for name in ("str", "int", "float", "bool")},
    **{f"cog.{name}": name for name in ("Path", "File", "Secret")},
    "pathlib.Path": "Path",
}
_OPAQUE = frozenset({"typing.Any", "builtins.dict", "typing.Dict", "cog.Opaque"})
_ITERATORS = {
    "typing.Iterator": (False, False),
    "typing.Iterable": (False, False),
    "typing.Generator": (False, False),
    "typing.AsyncIterator": (False, True),
    "typing.AsyncIterable": (False, True),
    "typing.AsyncGenerator": (False, True),
    "cog.ConcatenateIterator": (True, False),
    "cog.AsyncConcatenateIterator": (True, True),
}
_MODELS = frozenset({"cog.BaseModel", "pydantic.BaseModel", "typing.TypedDict"})
_MOST_NESTED = 50
_USABLE = "use str, int, float, bool, cog.Path, cog.File, cog.Secret, list, dict, a cog.BaseModel or a TypedDict"


class Types:
    """Reads annotations in the scopes they stand in."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._open: list[ast.ClassDef] = []
        self._depth = 0

    def read(self, node: ast.expr, scope: Scope) -> Type:
        """The type that an annotation means; Unreadable, at the part of it that has no meaning here."""
        self._depth += 1
        try:
            if self._depth > _MOST_NESTED:
                raise Unreadable(scope.module, node, "the annotation is nested too deeply, or refers to itself")
            return self._read(node, scope)
        finally:
            self._depth -= 1

    def _read(self, node: ast.expr, scope: Scope) -> Type:
        match node:
            case ast.Constant(value=None):
                return Nothing()
            case ast.Constant(value=str(text)):
                return self.read(_forward(text, node, scope), scope)
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                return _union([self.read(left, scope), self.read(right, scope)])
            case ast.Subscript(value=generic, slice=arguments):
                parts = arguments.elts if isinstance(arguments, ast.Tuple) else [arguments]
                return self._generic(node, generic, parts, scope)
            case ast.Name() | ast.Attribute():
                return self._named(node, scope)
            case _:
                raise Unreadable(scope.module, node, f"`{ast.unparse(node)}` is not a type, {_USABLE}")

    def _named(self, node: ast.expr, scope: Scope) -> Type:
        target = self._names.resolve(node, scope)
        match target:
            case Symbol(name=name):
                return self._symbol(name, node, scope)
            case Class():
                return self._class(target, node, scope)
            case Expression() if target.node is not node:
                return self.read(target.node, target.scope)
            case Expression() | Function() | Package():
                raise Unreadable(scope.module, node, f"'{ast.unparse(node)}' is not a type, {_USABLE}")

    def _symbol(self, name: str, node: ast.expr, scope: Scope) -> Type:
        if name in _PRIMITIVES:
            return Primitive(_PRIMITIVES[name])
        if name in _OPAQUE:
            return OpaqueType()
        if name in {"builtins.list", "typing.List"}:
            return Listed(OpaqueType())
        if name in _ITERATORS:
            raise Unreadable(
                scope.module, node, f"'{ast.unparse(node)}' needs the type of its items, as in Iterator[str]"
            )
        module, _, last = name.rpartition(".")
        if module in {"builtins", "typing", "cog", "pathlib"}:
            raise Unreadable(scope.module, node, f"type '{last}' is not supported, {_USABLE}")
        reason = f"type '{last}' comes from {module} and can't be read statically; {_USABLE}, or annotate it with"
        raise Unreadable(scope.module, node, f"{reason} Annotated[{last}, cog.Opaque]")

    def _generic(self, node: ast.Subscript, generic: ast.expr, parts: list[ast.expr], scope: Scope) -> Type:
        target = self._names.resolve(generic, scope)
        name = target.name if isinstance(target, Symbol) else ""
        if name == "typing.Optional" and len(parts) == 1:
            return _union([self.read(parts[0], scope), Nothing()])
        if name == "typing.Union":
            return _union([self.read(part, scope) for part in parts])
        if name in {"builtins.list", "typing.List"} and len(parts) == 1:
            return Listed(self.read(parts[0], scope))
        if name in {"builtins.dict", "typing.Dict"} and len(parts) == 2:
            return Dictionary(self.read(parts[1], scope))
        if name == "typing.Annotated" and len(parts) > 1:
            return self._annotated(parts, scope)
        if name in {"typing.Required", "typing.NotRequired"} and len(parts) == 1:
            return self.read(parts[0], scope)
        if name in _ITERATORS:
            concatenate, is_async = _ITERATORS[name]
            item = self.read(parts[0], scope)
            if concatenate and item != Primitive("str"):
                raise Unreadable(scope.module, node, f"{ast.unparse(generic)} concatenates text, its items must be str")
            return Iterated(item, concatenate, is_async)
        raise Unreadable(scope.module, node, f"type '{ast.unparse(node)}' is not supported, {_USABLE}")

    def _annotated(self, parts: list[ast.expr], scope: Scope) -> Type:
        """`Annotated[X, Opaque]` is opaque whatever X is; Optional around it stays."""
        if not any(self._is_opaque(part, scope) for part in parts[1:]):
            return self.read(parts[0], scope)
        optional = isinstance(parts[0], ast.BinOp) and any(
            isinstance(side, ast.Constant) and side.value is None for side in (parts[0].left, parts[0].right)
        )
        return Union((OpaqueType(), Nothing())) if optional else OpaqueType()

    def _is_opaque(self, node: ast.expr, scope: Scope) -> bool:
        if not isinstance(node, ast.Name | ast.Attribute):
            return False
        target = self._names.resolve(node, scope)
        return isinstance(target, Symbol) and target.name == "cog.Opaque"

    def _class(self, target: Class, node: ast.expr, scope: Scope) -> Type:
        lineage = list(self._names.lineage(target))
        roots = {
            base.name
            for each in lineage
            for expression in each.node.bases
            if isinstance(base := self._names.base(each, expression), Symbol)
        }
        if not roots & _MODELS:
            reason = f"class '{target.node.name}' is neither a cog.BaseModel nor a TypedDict; derive it from one"
            raise Unreadable(scope.module, node, reason)
        is_dict = "typing.TypedDict" in roots
        if target.node in self._open:
            return Model(target.node.name, None, is_dict)
        self._open.append(target.node)
        try:
            fields: dict[str, Field] = {}
            for each in reversed(lineage):
                for field in self._fields(each, is_dict=is_dict):
                    fields[field.name] = field
            return Model(target.node.name, tuple(fields.values()), is_dict)
        finally:
            self._open.pop()

    def _fields(self, owner: Class, *, is_dict: bool) -> list[Field]:
        total = not any(
            keyword.arg == "total" and isinstance(keyword.value, ast.Constant) and keyword.value.value is False
            for keyword in owner.node.keywords
        )
        fields = []
        for statement in owner.node.body:
            match statement:
                case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=value) if name[:1] != "_":
                    if self._is_class_variable(annotation, owner):
                        continue
                    found = self.read(annotation, owner.body)
                    marked = self._marked(annotation, owner)
                    required = (
                        (marked if marked is not None else total) if is_dict else not self._has_default(value, owner)
                    )
                    fields.append(Field(name, found, required))
                case _:
                    pass
        return fields

    def _marked(self, annotation: ast.expr, owner: Class) -> bool | None:
        if isinstance(annotation, ast.Subscript):
            target = self._names.resolve(annotation.value, owner.body)
            if isinstance(target, Symbol) and target.name in {"typing.Required", "typing.NotRequired"}:
                return target.name == "typing.Required"
        return None

    def _is_class_variable(self, annotation: ast.expr, owner: Class) -> bool:
        node = annotation.value if isinstance(annotation, ast.Subscript) else annotation
        if not isinstance(node, ast.Name | ast.Attribute):
            return False
        target = self._names.resolve(node, owner.body)
        return isinstance(target, Symbol) and target.name == "typing.ClassVar"

    def _has_default(self, value: ast.expr | None, owner: Class) -> bool:
        """`x: int = 1` has one; `= Field(...)` and `= Field(description="x")` have none, as in pydantic."""
        if not isinstance(value, ast.Call):
            return value is not None
        target = self._names.resolve(value.func, owner.body)
        if not isinstance(target, Symbol) or target.name.rpartition(".")[2] not in {"Field", "field"}:
            return True
        if value.args:
            return not (isinstance(value.args[0], ast.Constant) and value.args[0].value is ...)
        return any(keyword.arg in {"default", "default_factory"} for keyword in value.keywords)


def _forward(text: str, node: ast.Constant, scope: Scope) -> ast.expr:
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise Unreadable(scope.module, node, f"the annotation {text!r} is not an expression") from None
    for inner in ast.walk(tree):
        ast.copy_location(inner, node)
    return tree


def _union(members: list[Type]) -> Type:
    """Flat, each member once, in the order of writing."""
    flat: list[Type] = []
    for member in members:
        flat += member.members if isinstance(member, Union) else [member]
    unique = tuple(dict.fromkeys(flat))
    return unique[0] if len(unique) == 1 else Union(unique)
