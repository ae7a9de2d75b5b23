"""The document of a model by importing it: what `inspect` and `typing` say of its function, in Cog's words.

It shares no code with the reader of sources; what it knows of annotations is what Python evaluates them to.
"""

from __future__ import annotations

import dataclasses
import inspect
import io
import pathlib
import sys
import types
import typing
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pydantic

from cog_oci.sdk import cog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.schema.models import Model

__all__ = ["introspected"]

SCALARS: dict[Any, dict[str, Any]] = {
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    str: {"type": "string"},
    dict: {"type": "object"},
    typing.Any: {"type": "object"},
}
LIMITS = {"ge": "minimum", "le": "maximum", "min_length": "minLength", "max_length": "maxLength", "regex": "pattern"}


def introspected(model: Model) -> dict[str, Any]:
    """`Input`, `Output` and the components of choices, in their order, and whether the model streams."""
    with _imported(model) as module:
        target = getattr(module, model.reference.partition(":")[2])
        run = target.run if isinstance(target, type) else target
        return _components(run, skip_self=isinstance(target, type))


@contextmanager
def _imported(model: Model) -> Iterator[types.ModuleType]:
    before = {name: sys.modules.get(name) for name in ("cog", "shapes", "run")}
    sys.modules["cog"] = cog
    try:
        module = types.ModuleType("run")
        for file in sorted(model.files, reverse=True):  # shapes.py before run.py
            module = sys.modules[file[:-3]] = types.ModuleType(file[:-3])
            exec(compile(model.files[file], file, "exec", dont_inherit=True), module.__dict__)
        yield module
    finally:
        for name, old in before.items():
            sys.modules.pop(name, None)
            if old is not None:
                sys.modules[name] = old


def _components(run: Callable[..., Any], *, skip_self: bool) -> dict[str, Any]:
    hints = typing.get_type_hints(run, include_extras=True)
    batched = hasattr(run, "__cog_batch__")
    parameters = list(inspect.signature(run).parameters.values())[1 if skip_self else 0 :]
    properties, required, choices = {}, [], {}
    for order, parameter in enumerate(parameters):
        hint = _unbatched(hints[parameter.name]) if batched else hints[parameter.name]
        schema, needed, values = _property(parameter, hint)
        properties[parameter.name] = {**schema, "x-order": order}
        required += [parameter.name] if needed else []
        if values:
            choices[parameter.name] = values
    inputs = {"properties": properties, "title": "Input", "type": "object"}
    if required:
        inputs["required"] = required
    returned = _unbatched(hints["return"]) if batched else hints["return"]
    return {"Input": inputs, "Output": {**_output(returned), "title": "Output"}, **choices}


def _unbatched(hint: Any) -> Any:
    (item,) = typing.get_args(hint)
    return item


def _parts(hint: Any) -> tuple[list[Any], bool]:
    """The members of a union without None, and whether None is one."""
    if typing.get_origin(hint) not in {typing.Union, types.UnionType}:
        return [hint], False
    members = typing.get_args(hint)
    return [each for each in members if each is not type(None)], type(None) in members


def _property(parameter: inspect.Parameter, hint: Any) -> tuple[dict[str, Any], bool, dict[str, Any] | None]:
    """The property, whether it is required, and the component of its choices if it has any."""
    info = parameter.default if isinstance(parameter.default, cog.FieldInfo) else cog.FieldInfo(parameter.default)
    missing = info.default is cog.FieldInfo().default or info.default is inspect.Parameter.empty
    variants, nullable = _parts(hint)
    nullable = nullable or (info.default is None and not missing)
    literal = typing.get_args(variants[0]) if typing.get_origin(variants[0]) is typing.Literal else None
    values = list(literal or info.choices or ())
    component = None
    name = parameter.name
    if values:
        kind = {"type": "string"} if literal else _input(variants[0])
        component = {"title": name, "description": "An enumeration.", "enum": values, **kind}
        schema: dict[str, Any] = {"allOf": [{"$ref": f"#/components/schemas/{name}"}]}
    elif len(variants) > 1:
        each_nullable = {"nullable": True} if _parts(hint)[1] or nullable else {}
        schema = {"title": _title(name), "anyOf": [{**_input(each), **each_nullable} for each in variants]}
    else:
        schema = {"title": _title(name), **_input(variants[0])}
    if nullable:
        schema["nullable"] = True
    for argument, keyword in LIMITS.items():
        if getattr(info, argument) is not None:
            schema[keyword] = getattr(info, argument)
    if info.description is not None:
        schema["description"] = info.description
    if info.deprecated:
        schema["deprecated"] = True
    if not missing:
        schema["default"] = info.default
    return schema, missing and (not nullable or len(variants) > 1), component


def _title(name: str) -> str:
    words = name.split("_")
    return " ".join(word[0].upper() + word[1:] if word else "" for word in words)


def _scalar(hint: Any) -> dict[str, Any] | None:
    if hint in SCALARS:
        return dict(SCALARS[hint])
    if isinstance(hint, type) and issubclass(hint, (pathlib.PurePath, io.IOBase)):
        return {"type": "string", "format": "uri"}
    if hint is cog.Secret:
        return {"type": "string", "format": "password", "writeOnly": True, "x-cog-secret": True}
    return None


def _plain(hint: Any) -> Any:
    """The type inside of `Annotated`; Any if it is opaque."""
    if typing.get_origin(hint) is typing.Annotated:
        return typing.Any if cog.Opaque in hint.__metadata__ else hint.__origin__
    return hint


def _input(hint: Any) -> dict[str, Any]:
    hint = _plain(hint)
    if typing.is_typeddict(hint) or typing.get_origin(hint) is dict:
        return {"type": "object"}
    if hint is list or typing.get_origin(hint) is list:
        return {"type": "array", "items": _input((*typing.get_args(hint), typing.Any)[0])}
    found = _scalar(hint)
    assert found is not None, hint
    return found


def _output(hint: Any) -> dict[str, Any]:
    hint = _plain(hint)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is list or origin is list:
        return {"type": "array", "items": _output((*arguments, typing.Any)[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": _output(arguments[1])}
    if isinstance(origin, type) and origin.__name__.endswith("Iterator"):
        joined = {"x-cog-array-display": "concatenate"} if "Concatenate" in origin.__name__ else {}
        return {"type": "array", "items": _output(arguments[0]), "x-cog-array-type": "iterator", **joined}
    found = _scalar(hint)
    return _record(hint) if found is None else found


def _record(owner: Any) -> dict[str, Any]:
    hints = typing.get_type_hints(owner, include_extras=True)
    properties, required = {}, []
    for name, hint in hints.items():
        needed = _is_needed(owner, name, hint)
        while typing.get_origin(hint) in {typing.Required, typing.NotRequired}:
            (hint,) = typing.get_args(hint)  # noqa: PLW2901 - what is inside
        (inner,), nullable = _parts(hint)
        properties[name] = {**_output(inner), "title": _title(name), **({"nullable": True} if nullable else {})}
        required += [name] if needed and not nullable else []
    return {"type": "object", "properties": properties, **({"required": required} if required else {})}


def _is_needed(owner: Any, name: str, hint: Any) -> bool:
    if typing.is_typeddict(owner):
        said = {typing.Required: True, typing.NotRequired: False}.get(typing.get_origin(hint))
        return owner.__total__ if said is None else said
    if issubclass(owner, pydantic.BaseModel):
        return owner.model_fields[name].is_required()
    (found,) = (each for each in dataclasses.fields(owner) if each.name == name)
    return found.default is dataclasses.MISSING and found.default_factory is dataclasses.MISSING
