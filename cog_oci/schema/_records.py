"""The members of a class that stands for a JSON object: a model class (cog's or pydantic's) or a TypedDict."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Literal, Protocol

from cog_oci.errors import Problem, SourceError
from cog_oci.schema._names import Class, Names, Symbol
from cog_oci.schema._source import Unreadable
from cog_oci.schema._types import Field, Nullable, Type

if TYPE_CHECKING:
    from cog_oci.schema._scope import Scope

__all__ = ["RecordKind", "fields_of", "fields_of_call", "kind_of"]

RecordKind = Literal["model", "typeddict"]

ROOTS: dict[str, RecordKind] = {
    "cog.BaseModel": "model",
    "pydantic.BaseModel": "model",
    "typing.TypedDict": "typeddict",
}
FIELD_FACTORIES = {"dataclasses.field", "pydantic.Field"}


class Reader(Protocol):
    """Who reads the annotations of the members."""

    names: Names

    def read(self, node: ast.expr, scope: Scope) -> Type:
        """The type that an annotation means."""
        ...

    def unquoted(self, node: ast.expr, scope: Scope) -> ast.expr:
        """The annotation, without the quotes if it is in quotes."""
        ...


def kind_of(owner: Class, names: Names) -> RecordKind | None:
    """Which kind of record a class is by what it inherits from, directly or not; None if it isn't one."""
    for each in names.lineage(owner):
        for base in each.node.bases:
            target = names.base(each, base)
            if isinstance(target, Symbol) and target.name in ROOTS:
                return ROOTS[target.name]
    return None


def fields_of(owner: Class, kind: RecordKind, reader: Reader) -> tuple[Field, ...]:
    """The members in the order of definition, inherited ones first; a member defined again keeps its place.

    SourceError with all that is wrong with any of them.
    """
    fields: dict[str, Field] = {}
    problems: list[Problem] = []
    hint = None
    for each in reversed(list(reader.names.lineage(owner))):
        if kind_of(each, reader.names) is None:
            continue  # a mixin: its annotations are no members
        _check_bases(each, reader.names)
        for statement in each.node.body:
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                name = statement.target.id
                try:
                    field = _field(statement, name, each, kind, reader)
                except Unreadable as error:
                    problems.append(error.problem(f"member '{name}' of class '{each.node.name}'"))
                except SourceError as error:
                    problems += error.problems
                    hint = hint or error.hint
                else:
                    if field is not None:
                        fields[name] = field
    if problems:
        raise SourceError(list(dict.fromkeys(problems)), hint=hint)
    return tuple(fields.values())


def fields_of_call(node: ast.Call, scope: Scope, reader: Reader) -> tuple[Field, ...]:
    """The members of `TypedDict("Item", {"name": str})` (PEP 589, alternative syntax)."""
    members = node.args[1] if len(node.args) > 1 else None
    if not isinstance(members, ast.Dict):
        raise Unreadable(scope.module, node, "write the members of the TypedDict as a dict, or as a class")
    total = _total(node.keywords)
    fields = []
    for key, annotation in zip(members.keys, members.values, strict=True):
        if not isinstance(key, ast.Constant) or not isinstance(key.value, str):
            raise Unreadable(scope.module, key or annotation, "the name of a member must be a str")
        fields.append(_typed(key.value, annotation, scope, reader, total=total))
    return tuple(fields)


def _check_bases(owner: Class, names: Names) -> None:
    """Members that come from a class outside of the project can't be known."""
    for base in owner.node.bases:
        target = names.base(owner, base)
        if (
            isinstance(target, Symbol)
            and target.name not in ROOTS
            and target.module not in {"abc", "typing", "builtins"}
        ):
            message = f"class '{owner.node.name}' inherits from '{target}', whose members can't be read statically"
            raise Unreadable(owner.body.module, base, f"{message}; annotate with Opaque")


def _field(node: ast.AnnAssign, name: str, owner: Class, kind: RecordKind, reader: Reader) -> Field | None:
    scope = owner.body
    annotation = reader.unquoted(node.annotation, scope)
    generic = annotation.value if isinstance(annotation, ast.Subscript) else annotation
    wrapper = _symbol(generic, scope, reader)
    if kind == "typeddict":
        return _typed(name, node.annotation, scope, reader, total=_total(owner.node.keywords))
    if wrapper == "typing.ClassVar" or name == "model_config":
        return None
    inner = reader.read(node.annotation, scope)
    required = not isinstance(inner, Nullable) and not _has_default(node.value, scope, reader)
    return Field(name, inner, required)


def _typed(name: str, annotation: ast.expr, scope: Scope, reader: Reader, *, total: bool) -> Field:
    """A member of a TypedDict: `Required[]` and `NotRequired[]` override what the class says (PEP 655)."""
    required = total
    generic = reader.unquoted(annotation, scope)
    while isinstance(generic, ast.Subscript):
        match _symbol(generic.value, scope, reader):
            case "typing.Required":
                required = True
            case "typing.NotRequired":
                required = False
            case _:
                break
        generic = generic.slice
    inner = reader.read(annotation, scope)
    return Field(name, inner, required and not isinstance(inner, Nullable))


def _symbol(node: ast.expr, scope: Scope, reader: Reader) -> str | None:
    try:
        target = reader.names.resolve(node, scope)
    except Unreadable:
        return None
    return target.name if isinstance(target, Symbol) else None


def _total(keywords: list[ast.keyword]) -> bool:
    return not any(
        each.arg == "total" and isinstance(each.value, ast.Constant) and each.value.value is False for each in keywords
    )


def _has_default(value: ast.expr | None, scope: Scope, reader: Reader) -> bool:
    """Whether a member may be left out when the object is made; `Field(...)` and `field()` may say either."""
    if value is None:
        return False
    if isinstance(value, ast.Call) and _symbol(value.func, scope, reader) in FIELD_FACTORIES:
        given = [
            *value.args[:1],
            *(each.value for each in value.keywords if each.arg in {"default", "default_factory"}),
        ]
        return any(not _is_ellipsis(each) for each in given)
    return not _is_ellipsis(value)


def _is_ellipsis(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is ...
