"""JSON from outside as dataclasses, checked by pydantic, which is imported for the check and not for the values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

if TYPE_CHECKING:
    from pydantic import ConfigDict, TypeAdapter

__all__ = ["AtLeast", "Matching", "Strict", "UnfitError", "check"]

_T = TypeVar("_T")
_ADAPTERS: dict[type[Any], TypeAdapter[Any]] = {}
"""What checks each kind, once it was asked for: to make it takes longer than to read a lock with it."""


class Strict:
    """A base: a document has no field besides those of the dataclass, and each value is of the type that it says."""

    __slots__ = ()
    __pydantic_config__: ClassVar[ConfigDict] = {"extra": "forbid", "strict": True}


class UnfitError(ValueError):
    """What does not fit, and `where`: names and numbers with dots between, empty for the whole."""

    def __init__(self, where: str, message: str) -> None:
        self.where = where
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Matching:
    """Text of this form: `Annotated[str, Matching(...)]`."""

    pattern: str

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """Pydantic's way to ask an annotation what it means."""
        return {**handler(source), "pattern": self.pattern}


@dataclass(frozen=True, slots=True)
class AtLeast:
    """A number that is no less: `Annotated[int, AtLeast(0)]`."""

    least: int

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """Pydantic's way to ask an annotation what it means."""
        return {**handler(source), "ge": self.least}


def check(kind: type[_T], data: bytes) -> _T:
    """The JSON document as one of `kind`, a dataclass; UnfitError for the first thing in it that does not fit."""
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415 - what was checked before is not checked again

    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    try:
        checked: _T = _ADAPTERS[kind].validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        unknown = first["type"] == "unexpected_keyword_argument"  # pydantic's words for a field of a call
        raise UnfitError(where, "there is no such field" if unknown else first["msg"]) from None
    return checked
