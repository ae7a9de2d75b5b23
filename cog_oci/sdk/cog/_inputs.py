"""From the JSON of a request to the arguments of `run()`."""

from __future__ import annotations

import copy
import io
import pathlib
import sys
import types
import typing
from typing import Any, Union

from ._download import is_data_url, is_http_url
from ._functions import MISSING, Parameter, parameters
from ._input import FieldInfo
from ._types import File, Secret, URLFile, URLPath
from .coder import Coder

if typing.TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["InvalidInputError", "Signature"]

_COPIED = (list, dict, set, bytearray)


class InvalidInputError(Exception):
    """The client sent what cannot be used as this input."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(problem)
        self.field = field


class Signature:
    """What `run` takes: its parameters, their types and their defaults; of a `batched` one, for one prediction."""

    def __init__(self, run: Callable[..., Any], *, batched: bool = False) -> None:
        self._name = run.__qualname__
        self._parameters = parameters(run)
        self._types = {p.name: _evaluate(p.annotation, run) for p in self._parameters}
        if batched:
            self._types = {name: _item_of(kind) for name, kind in self._types.items()}
        self.takes_files = any(_is_file(member) for kind in self._types.values() for member in _members(kind))
        """Whether any parameter, or any item of one, is a path or an open file."""

    def arguments(self, values: Any, folder: pathlib.Path) -> dict[str, Any]:
        """The arguments for one call; files are put into `folder`.

        Raises InvalidInputError, DownloadError, and TypeError as Python does for an argument that is missing.
        """
        if not isinstance(values, dict):
            raise InvalidInputError("__root__", "Input must be a JSON object")
        arguments = dict(values)
        missing = []
        for parameter in self._parameters:
            name, annotation = parameter.name, self._types[parameter.name]
            if name in values:
                if annotation is not str and annotation is not bool:  # most are, and need no conversion
                    arguments[name] = _convert(name, values[name], annotation, folder)
                continue
            default = _default(parameter)
            if default is MISSING and _allows_none(annotation):
                default = None
            if default is MISSING:
                missing.append(name)
            else:
                arguments[name] = copy.deepcopy(default) if isinstance(default, _COPIED) else default
        if missing:
            raise TypeError(_missing_text(self._name, missing))
        return arguments


def _default(parameter: Parameter) -> Any:
    return parameter.default.default if isinstance(parameter.default, FieldInfo) else parameter.default


def _missing_text(function: str, names: list[str]) -> str:
    quoted = [f"'{name}'" for name in names]
    text = quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"
    return f"{function}() missing {len(names)} required argument{'s' if len(names) > 1 else ''}: {text}"


def _evaluate(annotation: Any, run: Callable[..., Any]) -> Any:
    """The annotation as a type; one that cannot be evaluated (imported for type checkers only) says nothing."""
    if not isinstance(annotation, str):
        return annotation
    namespace = vars(sys.modules.get(run.__module__, typing))
    try:
        return eval(annotation, dict(namespace))  # noqa: S307 - the model's own source, as typing.get_type_hints does
    except Exception:  # noqa: BLE001 - whatever the model's annotation raises
        return Any


def _members(annotation: Any) -> tuple[Any, ...]:
    """The types that a value may have: of `A | B`, both."""
    while hasattr(annotation, "__metadata__"):  # Annotated[T, …]
        annotation = annotation.__origin__
    if typing.get_origin(annotation) in {Union, types.UnionType}:
        return tuple(member for part in typing.get_args(annotation) for member in _members(part))
    return (annotation,)


def _item_of(annotation: Any) -> Any:
    """The type of a list's items; of any list if it does not say."""
    for member in _members(annotation):
        if typing.get_origin(member) is list and typing.get_args(member):
            return typing.get_args(member)[0]
    return Any


def _is_file(annotation: Any) -> bool:
    if typing.get_origin(annotation) is list:
        return any(_is_file(member) for item in typing.get_args(annotation) for member in _members(item))
    return isinstance(annotation, type) and issubclass(annotation, (pathlib.PurePath, io.IOBase))


def _allows_none(annotation: Any) -> bool:
    return any(member in (None, type(None)) for member in _members(annotation))


def _convert(field: str, value: Any, annotation: Any, folder: pathlib.Path) -> Any:
    if value is None:
        return None
    members = _members(annotation)
    if isinstance(value, list):
        item = next(
            (typing.get_args(m)[0] for m in members if typing.get_origin(m) is list and typing.get_args(m)), Any
        )
        return [_convert(f"{field}/{n}", v, item, folder / str(n)) for n, v in enumerate(value)]
    for member in members:
        if isinstance(member, type):
            if isinstance(value, str):
                if str in members and not (is_data_url(value) or is_http_url(value)):
                    return value
                if issubclass(member, (pathlib.PurePath, io.IOBase, Secret)):
                    return _from_text(field, value, member, folder / field.replace("/", "."))
            elif isinstance(value, dict):
                coder = Coder.lookup(member)
                if coder is not None:
                    return coder.decode(value)
            elif member is float and type(value) is int:
                return value if int in members else float(value)
            elif member is int and type(value) is float and value.is_integer():
                return value if float in members else int(value)
    return value


def _from_text(field: str, value: str, kind: type, folder: pathlib.Path) -> Any:
    """A path, an open file or a secret; what is neither a data nor an http URL must not reach the file system."""
    if issubclass(kind, Secret):
        return kind(value)
    if not (is_data_url(value) or is_http_url(value)):
        raise InvalidInputError(field, f'"{value[:80]}" is not a data:, http:// or https:// URL')
    try:
        if issubclass(kind, pathlib.PurePath):
            return URLPath(value).convert(folder)
        return File.validate(value) if is_data_url(value) else URLFile(value)
    except ValueError as error:
        raise InvalidInputError(field, str(error)) from error
