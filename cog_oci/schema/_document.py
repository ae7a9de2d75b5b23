"""Signature → OpenAPI 3.0 document, as clients of Cog know it: the fixed skeleton, and the model's types in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cog_oci.schema._json import Ordered
from cog_oci.schema._types import (
    Kind,
    ListOf,
    Literal,
    MapOf,
    Nullable,
    Record,
    Scalar,
    Stream,
    Type,
    UnionOf,
)

if TYPE_CHECKING:
    from cog_oci.schema._inputs import Input
    from cog_oci.schema._signature import Signature

__all__ = ["openapi"]

Json = dict[str, Any]

SCALARS: dict[Kind, Json] = {
    Kind.BOOLEAN: {"type": "boolean"},
    Kind.INTEGER: {"type": "integer"},
    Kind.NUMBER: {"type": "number"},
    Kind.STRING: {"type": "string"},
    Kind.URI: {"type": "string", "format": "uri"},
    Kind.SECRET: {"type": "string", "format": "password", "writeOnly": True, "x-cog-secret": True},
    Kind.OBJECT: {"type": "object"},
    Kind.ANY: {"type": "object"},
}

STATUSES = ["starting", "processing", "succeeded", "canceled", "failed"]


def openapi(run: Signature, train: Signature | None, version: str) -> Json:
    """The document; `version` is the tool's. With a training function everything is sorted, as Cog's is then."""
    components = _Components("", run)
    document: Json = {
        "openapi": "3.0.2",
        "info": {"title": "Cog", "version": version},
        "paths": _paths("prediction", "Prediction", streaming=run.streaming),
        "components": {"schemas": components.schemas},
    }
    if train is None:
        return document
    training = _Components("Training", train, taken=components.schemas)
    paths = _paths("training", "Training", streaming=train.streaming)
    document["paths"] = {**paths, **document["paths"]}
    document["components"] = {"schemas": {**training.schemas, **components.schemas}}
    return {key: _plain(each) for key, each in document.items()}


class _Components:
    """`components.schemas` of one function in Cog's order: Input, Output, one for each input with choices, the rest."""

    def __init__(self, prefix: str, signature: Signature, taken: Json | None = None) -> None:
        self._prefix = prefix
        noun = prefix or "Prediction"
        fixed = _fixed(prefix, noun)
        self._taken = {**fixed, f"{prefix}Input": None, f"{prefix}Output": None, **(taken or {})}
        self._choices: Json = {}
        properties = Ordered({each.name: self._property(each, order) for order, each in enumerate(signature.inputs)})
        required = [each.name for each in signature.inputs if _is_required(each)]
        inputs: Json = {"properties": properties, "title": f"{prefix}Input", "type": "object"}
        if required:
            inputs["required"] = required
        output = {**_schema(signature.output), "title": "Output"}
        self.schemas = Ordered({f"{prefix}Input": inputs, f"{prefix}Output": output, **self._choices, **fixed})

    def _property(self, each: Input, order: int) -> Json:
        nullable = isinstance(each.type, Nullable)
        inner = each.type.inner if isinstance(each.type, Nullable) else each.type
        schema: Json = {"x-order": order, **each.constraints}
        if each.choices and not isinstance(inner, ListOf):
            schema["allOf"] = [self._reference(each, inner)]
        elif each.choices and isinstance(inner, ListOf):
            schema |= {"type": "array", "items": self._reference(each, inner.item), "title": _title(each.name)}
        else:
            schema |= {**_schema(each.type), "title": _title(each.name)}
        if nullable:
            schema["nullable"] = True
        if each.default is not None:
            schema["default"] = each.default.value
        if each.description is not None:
            schema["description"] = each.description
        if each.deprecated:
            schema["deprecated"] = True
        if each.accept is not None:
            schema["x-cog-accept"] = each.accept
        return schema

    def _reference(self, each: Input, item: Type) -> Json:
        """The component with the input's choices, named like the input unless another has that name already."""
        kind = item.kind if isinstance(item, Scalar | Literal) else Kind.ANY
        name = each.name
        while name in self._taken:
            name += "_choices"
        self._taken[name] = None
        enum = list(each.choices)
        self._choices[name] = {"title": name, "description": "An enumeration.", "enum": enum, **SCALARS[kind]}
        return {"$ref": f"#/components/schemas/{name}"}


def _is_required(each: Input) -> bool:
    """A union that allows None is required all the same, unless it has a default: Cog's clients know it so."""
    if each.default is not None:
        return False
    return not isinstance(each.type, Nullable) or isinstance(each.type.inner, UnionOf)


def _title(name: str) -> str:
    return " ".join(part[:1].upper() + part[1:] for part in name.split("_"))


def _schema(kind: Type) -> Json:
    match kind:
        case Scalar(kind=scalar) | Literal(kind=scalar):
            return dict(SCALARS[scalar])
        case ListOf(item=item):
            return {"type": "array", "items": _schema(item)}
        case MapOf(value=value):
            return {"type": "object", "additionalProperties": _schema(value)}
        case Nullable(inner=UnionOf(variants=variants)):
            return {"anyOf": [{**_schema(each), "nullable": True} for each in variants], "nullable": True}
        case Nullable(inner=inner):
            return {**_schema(inner), "nullable": True}
        case UnionOf(variants=variants):
            return {"anyOf": [_schema(each) for each in variants]}
        case Stream(item=item, concatenate=concatenate):
            shown = {"x-cog-array-display": "concatenate"} if concatenate else {}
            return {"type": "array", "items": _schema(item), "x-cog-array-type": "iterator", **shown}
        case Record(fields=fields):
            properties = Ordered({each.name: {**_schema(each.type), "title": _title(each.name)} for each in fields})
            required = [each.name for each in fields if each.required]
            return {"type": "object", "properties": properties, **({"required": required} if required else {})}


def _string(title: str, **more: str) -> Json:
    return {"title": title, "type": "string", **more}


def _fixed(prefix: str, noun: str) -> Json:
    """The components that are the same for every model."""
    place = "#/components/schemas/"
    request = {"id": _string("Id"), "input": {"$ref": f"{place}{prefix}Input"}}
    response = {
        **request,
        "completed_at": _string("Completed At", format="date-time"),
        "created_at": _string("Created At", format="date-time"),
        "error": _string("Error"),
        "logs": _string("Logs"),
        "metrics": {"title": "Metrics", "type": "object"},
        "output": {"$ref": f"{place}{prefix}Output"},
        "started_at": _string("Started At", format="date-time"),
        "status": _string("Status"),
        "version": _string("Version"),
    }
    locations = {"anyOf": [{"type": "string"}, {"type": "integer"}]}
    return {
        f"{noun}Request": {"properties": request, "title": f"{noun}Request", "type": "object"},
        f"{noun}Response": {"properties": response, "title": f"{noun}Response", "type": "object"},
        "Status": _string("Status", description="An enumeration.") | {"enum": STATUSES},
        "HTTPValidationError": {
            "properties": {
                "detail": {"items": {"$ref": f"{place}ValidationError"}, "title": "Detail", "type": "array"}
            },
            "title": "HTTPValidationError",
            "type": "object",
        },
        "ValidationError": {
            "properties": {
                "loc": {"items": locations, "title": "Location", "type": "array"},
                "msg": _string("Message"),
                "type": _string("Error Type"),
            },
            "required": ["loc", "msg", "type"],
            "title": "ValidationError",
            "type": "object",
        },
    }


def _paths(noun: str, title: str, *, streaming: bool) -> Json:
    """The operations; `noun` is prediction or training."""
    verb = {"prediction": "predict", "training": "train"}[noun]
    post: Json = {
        "description": f"Run a single {noun} on the model",
        "operationId": f"{verb}_{noun}s_post",
        "requestBody": {"content": _content({"$ref": f"#/components/schemas/{title}Request"})},
        "responses": _responses({"$ref": f"#/components/schemas/{title}Response"}, validated=True),
        "summary": verb.capitalize(),
    }
    if streaming:
        post["x-cog-streaming"] = True
    identifier = {"title": f"{title} Id", "type": "string"}
    cancel = {
        "operationId": f"cancel_{noun}s__{noun}_id__cancel_post",
        "parameters": [{"in": "path", "name": f"{noun}_id", "required": True, "schema": identifier}],
        "responses": _responses({}, validated=True),
        "summary": "Cancel",
    }
    root = {"operationId": "root__get", "responses": _responses({}), "summary": "Root"}
    health = {"operationId": "healthcheck_health_check_get", "responses": _responses({}), "summary": "Healthcheck"}
    return Ordered(
        {
            "/": {"get": root},
            "/health-check": {"get": health},
            f"/{noun}s": {"post": post},
            f"/{noun}s/{{{noun}_id}}/cancel": {"post": cancel},
        }
    )


def _content(schema: Json) -> Json:
    return {"application/json": {"schema": schema}}


def _responses(schema: Json, *, validated: bool = False) -> Json:
    responses: Json = {"200": {"content": _content(schema), "description": "Successful Response"}}
    if validated:
        error = {"$ref": "#/components/schemas/HTTPValidationError"}
        responses["422"] = {"content": _content(error), "description": "Validation Error"}
    return responses


def _plain(value: Any) -> Any:
    """The value with no order of keys to keep."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value
