"""A signature as the OpenAPI document that Cog's clients read: its shape, its key order and its titles are Cog's."""

from __future__ import annotations

import json
import operator
import re
from typing import TYPE_CHECKING, Any

from cog_oci.errors import SourceError
from cog_oci.schema._fixed import PATHS, SCHEMAS
from cog_oci.schema._types import (
    Dictionary,
    Iterated,
    Listed,
    Model,
    Nothing,
    OpaqueType,
    Primitive,
    Type,
    Union,
)

if TYPE_CHECKING:
    from cog_oci.schema._signature import Parameter, Signature

__all__ = ["document", "to_bytes"]

_PRIMITIVES: dict[str, dict[str, Any]] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "Path": {"type": "string", "format": "uri"},
    "File": {"type": "string", "format": "uri"},
    "Secret": {"type": "string", "format": "password", "writeOnly": True, "x-cog-secret": True},
}
_KEYS = {
    "description": "description",
    "ge": "minimum",
    "le": "maximum",
    "min_length": "minLength",
    "max_length": "maxLength",
    "regex": "pattern",
    "accept": "x-cog-accept",
}
_PYTHON: dict[str, type | tuple[type, ...]] = {
    "str": str,
    "int": int,
    "float": (int, float),
    "bool": bool,
    "Path": str,
    "File": str,
    "Secret": str,
}


class InterfaceError(ValueError):
    """A type or a default that the HTTP interface has no form for; the message completes `parameter 'x': …`."""


class Ordered(dict[str, Any]):
    """An object whose keys keep the order they were put in; all others are written sorted."""


def document(signature: Signature, version: str) -> dict[str, Any]:
    """The whole document. Raises SourceError with everything in the signature that HTTP has no form for."""
    schemas = Ordered()
    properties = Ordered()
    required = []
    enumerations = Ordered()
    problems = []
    for order, parameter in enumerate(signature.parameters):
        try:
            field, needed = _property(parameter, enumerations)
        except InterfaceError as error:
            problems.append(parameter.place.problem(f"parameter '{parameter.name}': {error}"))
            continue
        properties[parameter.name] = {**field, "x-order": order}
        if needed:
            required.append(parameter.name)
    try:
        output = _output(signature.output)
    except InterfaceError as error:
        problems.append(signature.output_place.problem(f"the output: {error}"))
    if problems:
        raise SourceError(problems)
    schemas["Input"] = {"properties": properties, "title": "Input", "type": "object"}
    if required:
        schemas["Input"]["required"] = required
    schemas["Output"] = {**output, "title": "Output"}
    schemas.update(enumerations)
    schemas.update(SCHEMAS)
    paths = Ordered(PATHS)
    if signature.streaming:
        post = {**PATHS["/predictions"]["post"], "x-cog-streaming": True}
        paths["/predictions"] = {"post": post}
    return {
        "components": {"schemas": schemas},
        "info": {"title": "Cog", "version": version},
        "openapi": "3.0.2",
        "paths": paths,
    }


def to_bytes(document: dict[str, Any]) -> bytes:
    """Compact JSON in Cog's key order: equal documents are equal bytes."""
    return json.dumps(_sorted(document), separators=(",", ":"), ensure_ascii=False).encode()


def _sorted(value: Any) -> Any:
    if isinstance(value, Ordered):
        return {key: _sorted(inner) for key, inner in value.items()}
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(inner) for inner in value] if isinstance(value, list | tuple) else value


def _property(parameter: Parameter, enumerations: Ordered) -> tuple[dict[str, Any], bool]:
    members = parameter.type.members if isinstance(parameter.type, Union) else (parameter.type,)
    nullable = any(isinstance(member, Nothing) for member in members)
    kinds = tuple(member for member in members if not isinstance(member, Nothing))
    options = dict(parameter.options)
    choices = options.pop("choices", None)
    if choices is not None and not isinstance(choices, list | tuple):
        raise InterfaceError(f"choices must be a list, not {choices!r}")
    field: dict[str, Any]
    if choices:
        field = _choices(parameter.name, kinds, list(choices), enumerations)
    else:
        field = {**_kinds(kinds, nullable=nullable), "title": _title(parameter.name)}
    if nullable:
        field["nullable"] = True
    for name, key in _KEYS.items():
        if options.get(name) is not None:
            field[key] = _plain(options[name])
    if options.get("deprecated") is True:
        field["deprecated"] = True
    has_default = "default" in options and (options["default"] is not None or nullable)
    if has_default:
        _check_default(options["default"], kinds, choices, options)
        field["default"] = _plain(options["default"])
    return field, not has_default and not (nullable and len(kinds) == 1)


def _choices(name: str, kinds: tuple[Type, ...], choices: list[Any], enumerations: Ordered) -> dict[str, Any]:
    kind = kinds[0].item if isinstance(kinds[0], Listed) else kinds[0]
    if len(kinds) != 1 or not isinstance(kind, Primitive):
        raise InterfaceError("choices need one of str, int, float and bool as the type")
    for choice in choices:
        if not _fits(choice, kind):
            raise InterfaceError(f"the choice {choice!r} is not of type {kind.name}")
    component = name if name not in {"Input", "Output", *SCHEMAS} else f"{name}Choices"
    enumerations[component] = {
        "description": "An enumeration.",
        "enum": _plain(choices),
        "title": component,
        "type": _PRIMITIVES[kind.name]["type"],
    }
    reference = {"allOf": [{"$ref": f"#/components/schemas/{component}"}]}
    if isinstance(kinds[0], Listed):
        # Each element is one of the choices; Cog's generator makes the whole list one of them.
        return {"type": "array", "items": reference, "title": _title(name)}
    return reference


def _kinds(kinds: tuple[Type, ...], *, nullable: bool) -> dict[str, Any]:
    if len(kinds) == 1:
        return _input(kinds[0])
    variants = []
    for kind in kinds:
        if isinstance(kind, Primitive) and kind.name in {"Path", "File", "Secret"}:
            raise InterfaceError(f"{kind.name} is not supported in a union, use one type")
        variants.append({**_input(kind), "nullable": True} if nullable else _input(kind))
    return {"anyOf": variants}


def _input(kind: Type) -> dict[str, Any]:
    match kind:
        case Primitive(name=name):
            return dict(_PRIMITIVES[name])
        case OpaqueType() | Dictionary():
            return {"type": "object"}
        case Model(is_dict=True):
            return {"type": "object"}
        case Listed(item=Primitive() | OpaqueType() | Dictionary() | Model() as item):
            return {"type": "array", "items": _input(item)}
        case Listed():
            raise InterfaceError(
                "a list of lists, unions or optional items is not supported, use a list of one plain type"
            )
        case Model(name=name):
            raise InterfaceError(f"{name} is a BaseModel, which is for outputs; use a TypedDict")
        case Iterated():
            raise InterfaceError("an iterator can't be an input, use a list")
        case _:
            raise InterfaceError("None alone can't be an input")


def _output(kind: Type) -> dict[str, Any]:
    match kind:
        case Primitive(name=name):
            return dict(_PRIMITIVES[name])
        case OpaqueType():
            return {"type": "object"}
        case Dictionary(value=value):
            return {"type": "object", "additionalProperties": _output(value)}
        case Listed(item=item):
            return {"type": "array", "items": _output(item)}
        case Iterated(item=item, concatenate=concatenate):
            found = {"type": "array", "items": _output(item), "x-cog-array-type": "iterator"}
            return {**found, "x-cog-array-display": "concatenate"} if concatenate else found
        case Model(fields=None):
            return {"type": "object"}
        case Model(fields=tuple(fields)):
            return _model(fields)
        case _:
            raise InterfaceError(
                "Optional, a union or None is not allowed inside of an output, except as a field's type"
            )


def _model(fields: tuple[Any, ...]) -> dict[str, Any]:
    properties = Ordered()
    required = []
    for field in fields:
        members = field.type.members if isinstance(field.type, Union) else (field.type,)
        kinds = [member for member in members if not isinstance(member, Nothing)]
        if len(kinds) != 1:
            raise InterfaceError(f"field '{field.name}' must be of one type, or Optional of one")
        found = {**_output(kinds[0]), "title": _title(field.name)}
        if len(members) > 1:
            found["nullable"] = True
        elif field.required:
            required.append(field.name)
        properties[field.name] = found
    result: dict[str, Any] = {"type": "object", "properties": properties}
    return {**result, "required": required} if required else result


def _title(name: str) -> str:
    return " ".join(part[:1].upper() + part[1:] for part in name.split("_"))


def _check_default(value: Any, kinds: tuple[Type, ...], choices: Any, options: dict[str, Any]) -> None:
    if value is None:
        return
    if not any(_fits(value, kind) for kind in kinds):
        raise InterfaceError(f"the default {value!r} is not of the parameter's type")
    if choices and not all(one in choices for one in (value if isinstance(value, list | tuple) else [value])):
        raise InterfaceError(f"the default {value!r} is not one of the choices")
    if isinstance(value, int | float):
        for name, beyond in (("ge", operator.lt), ("le", operator.gt)):
            if options.get(name) is not None and beyond(value, options[name]):
                raise InterfaceError(f"the default {value!r} is outside of its limit {name}={options[name]!r}")
    if isinstance(value, str):
        _check_text(value, options)


def _check_text(value: str, options: dict[str, Any]) -> None:
    if options.get("min_length") is not None and len(value) < options["min_length"]:
        raise InterfaceError(f"the default {value!r} is shorter than min_length={options['min_length']}")
    if options.get("max_length") is not None and len(value) > options["max_length"]:
        raise InterfaceError(f"the default {value!r} is longer than max_length={options['max_length']}")
    if options.get("regex") is not None:
        try:
            matches = re.search(options["regex"], value)
        except re.error as error:
            raise InterfaceError(f"the regex {options['regex']!r} is not one: {error}") from None
        if not matches:
            raise InterfaceError(f"the default {value!r} does not match regex={options['regex']!r}")


def _fits(value: Any, kind: Type) -> bool:
    match kind:
        case Primitive(name=name):
            right = isinstance(value, _PYTHON[name])
            return right and (name == "bool" or not isinstance(value, bool))
        case Listed(item=item):
            return isinstance(value, list | tuple) and all(_fits(one, item) for one in value)
        case _:
            return isinstance(value, dict | list)


def _plain(value: Any) -> Any:
    """As JSON has it: a whole float is a whole number, a tuple a list."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1 << 53:
        return int(value)
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    return value
