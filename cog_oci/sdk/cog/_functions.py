"""What Python knows of a function: its parameters, and whether it is asynchronous.

As `inspect` says it, which is asked wherever a function is no plain one: to import that takes as long as the rest of
the worker, and models that are small have no other need of it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MISSING", "Parameter", "is_asynchronous", "parameters"]

_VAR_POSITIONAL, _ASYNCHRONOUS = 0x04, 0x80 | 0x200  # CO_VARARGS, CO_COROUTINE, CO_ASYNC_GENERATOR of `inspect`
_ODD = frozenset({"__wrapped__", "__signature__", "_is_coroutine_marker", "_is_coroutine_mark"})
"""Attributes by which a function says that it is another one than it seems."""


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"


MISSING = _Missing()
"""The default of a parameter that has none; None is a default like any other."""


class Parameter(NamedTuple):
    """One that has a name: `*args` and `**kwargs` are none. Without an annotation, that is `Any`."""

    name: str
    annotation: Any
    default: Any


def parameters(function: Callable[..., Any]) -> list[Parameter]:
    """Those that a caller gives, in their order: without `self` of a method.

    Raises TypeError or ValueError for what has no signature.
    """
    plain = _plain(function)
    if plain is None:
        return _inspected(function)
    code = plain.__code__
    try:
        annotations = plain.__annotations__
    except Exception:  # noqa: BLE001 - PEP 649: evaluated now, where what only type checkers know may be missing
        return _inspected(function)
    positional = code.co_varnames[: code.co_argcount]
    keywords = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    given = plain.__defaults__ or ()
    defaults = dict(zip(positional[len(positional) - len(given) :], given, strict=True)) | (plain.__kwdefaults__ or {})
    if plain is not function:  # bound: its first is given, which may be one of `*args`
        if not positional and not code.co_flags & _VAR_POSITIONAL:
            return _inspected(function)  # which says what is wrong
        positional = positional[1:]
    return [
        Parameter(name, annotations.get(name, Any), defaults.get(name, MISSING)) for name in (*positional, *keywords)
    ]


def is_asynchronous(function: Callable[..., Any]) -> bool:
    """Whether it is a coroutine function or an asynchronous generator."""
    plain = _plain(function)
    if plain is not None:
        return bool(plain.__code__.co_flags & _ASYNCHRONOUS)
    import inspect  # noqa: PLC0415 - see above

    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def _plain(function: Any) -> Any:
    """The function itself, of a method the one that is bound; None where `inspect` has to look closer."""
    found = getattr(function, "__func__", function)
    if type(found) is not type(_plain) or not _ODD.isdisjoint(vars(found)):
        return None
    return found


def _inspected(function: Callable[..., Any]) -> list[Parameter]:
    import inspect  # noqa: PLC0415 - see above

    options: dict[str, Any] = {}
    if sys.version_info >= (3, 14):
        from annotationlib import Format  # noqa: PLC0415 - new in 3.14

        # A name that only type checkers know is no error where annotations are evaluated late.
        options["annotation_format"] = Format.FORWARDREF
    empty = inspect.Parameter.empty
    return [
        Parameter(
            each.name,
            Any if each.annotation is empty else each.annotation,
            MISSING if each.default is empty else each.default,
        )
        for each in inspect.signature(function, **options).parameters.values()
        if each.kind not in {each.VAR_KEYWORD, each.VAR_POSITIONAL}
    ]
