"""What a value may be, as a prediction's JSON sees it: the types that annotations come down to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

__all__ = ["Field", "Kind", "ListOf", "Literal", "MapOf", "Nullable", "Record", "Scalar", "Stream", "Type", "UnionOf"]


class Kind(Enum):
    """A type without parts, with the words that errors call it by."""

    BOOLEAN = "bool"
    INTEGER = "int"
    NUMBER = "float"
    STRING = "str"
    URI = "Path"
    SECRET = "Secret"  # noqa: S105 -- the name of a type
    OBJECT = "dict"
    ANY = "Any"


@dataclass(frozen=True, slots=True)
class Scalar:
    """A value without parts, or whose parts are not described."""

    kind: Kind

    def __str__(self) -> str:
        return self.kind.value


@dataclass(frozen=True, slots=True)
class Literal:
    """One of the values, all of which are of the kind."""

    kind: Kind
    values: tuple[object, ...]

    def __str__(self) -> str:
        return f"Literal[{', '.join(map(repr, self.values))}]"


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list whose elements are all of one type."""

    item: Type

    def __str__(self) -> str:
        return f"list[{self.item}]"


@dataclass(frozen=True, slots=True)
class MapOf:
    """A dict from str to one type."""

    value: Type

    def __str__(self) -> str:
        return f"dict[str, {self.value}]"


@dataclass(frozen=True, slots=True)
class Nullable:
    """The type or None."""

    inner: Type

    def __str__(self) -> str:
        return f"{self.inner} | None"


@dataclass(frozen=True, slots=True)
class UnionOf:
    """One of at least two types."""

    variants: tuple[Type, ...]

    def __str__(self) -> str:
        return " | ".join(map(str, self.variants))


@dataclass(frozen=True, slots=True)
class Field:
    """A member of a record. `required`: always there."""

    name: str
    type: Type
    required: bool


@dataclass(frozen=True, slots=True)
class Record:
    """An object with known members, in the order of their definition."""

    name: str
    fields: tuple[Field, ...]

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Stream:
    """What an iterator yields, one after the other; `concatenate`: to be shown as one text."""

    item: Type
    concatenate: bool

    def __str__(self) -> str:
        return f"{'Concatenate' if self.concatenate else ''}Iterator[{self.item}]"


Type = Scalar | Literal | ListOf | MapOf | Nullable | UnionOf | Record | Stream
