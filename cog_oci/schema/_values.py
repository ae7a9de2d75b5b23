"""Values of the source as values of JSON, and whether one is of a type."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cog_oci.schema._source import Unreadable
from cog_oci.schema._types import Kind, ListOf, Literal, Nullable, Scalar, Type, UnionOf

if TYPE_CHECKING:
    import ast

    from cog_oci.schema._scope import Scope

__all__ = ["fits", "json_value", "kinds_of", "shown"]

PYTHON: dict[Kind, type | tuple[type, ...]] = {
    Kind.BOOLEAN: bool,
    Kind.INTEGER: int,
    Kind.NUMBER: (int, float),
    Kind.STRING: str,
    Kind.URI: str,
    Kind.SECRET: str,
    Kind.OBJECT: dict,
    Kind.ANY: object,
}


def json_value(value: object, node: ast.AST, scope: Scope) -> object:
    """The value with tuples as lists; Unreadable for what JSON (RFC 8259) can't say: sets, bytes, NaN."""
    match value:
        case None | bool() | int():
            return value
        case float():
            if math.isfinite(value):
                return value
            reason = f"{value} is not a number in JSON"
        case str():
            if not any("\ud800" <= character <= "\udfff" for character in value):
                return value
            reason = "the text holds half of a surrogate pair, write the character itself"
        case list() | tuple():
            return [json_value(each, node, scope) for each in value]
        case dict() if all(isinstance(key, str) for key in value):
            return {str(json_value(key, node, scope)): json_value(each, node, scope) for key, each in value.items()}
        case dict():
            reason = "the keys of an object in JSON are str"
        case set():
            reason = "a set has no order, use a list"
        case _:
            reason = f"{type(value).__name__} can't be said in JSON"
    raise Unreadable(scope.module, node, reason)


def shown(value: object) -> str:
    """The value as a message shows it: written as in the source, and not all of it if that is long."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def fits(value: object, kind: Type) -> bool:
    """Whether a JSON value is one of the type; an int is a float (PEP 484, the numeric tower), a bool is no int."""
    match kind:
        case Scalar(kind=scalar):
            wrong_bool = isinstance(value, bool) and scalar in {Kind.INTEGER, Kind.NUMBER}
            return isinstance(value, PYTHON[scalar]) and not wrong_bool
        case Literal(values=values):
            return any(value == each and type(value) is type(each) for each in values)
        case ListOf(item=item):
            return isinstance(value, list) and all(fits(each, item) for each in value)
        case Nullable(inner=inner):
            return value is None or fits(value, inner)
        case UnionOf(variants=variants):
            return any(fits(value, each) for each in variants)
        case _:
            return isinstance(value, dict)


def kinds_of(kind: Type) -> set[Kind]:
    """The kinds of scalars that a value of the type may be, itself or as one variant."""
    match kind:
        case Scalar(kind=scalar) | Literal(kind=scalar):
            return {scalar}
        case Nullable(inner=inner):
            return kinds_of(inner)
        case UnionOf(variants=variants):
            return {scalar for each in variants for scalar in kinds_of(each)}
        case _:
            return set()
