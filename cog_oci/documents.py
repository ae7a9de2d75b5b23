"""OCI's documents as they come from outside: what of them is used, checked.

Sections are those of opencontainers/image-spec v1.1. What a document holds besides is left alone: whoever passes an
image on passes its bytes on. Go writes an empty list as null, and so do the documents of many images.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError

from cog_oci.errors import CogError

__all__ = ["Blob", "Config", "Index", "Manifest", "OnPlatform", "parse"]

Sha256 = Annotated[str, StringConstraints(pattern="^sha256:[0-9a-f]{64}$")]


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


def _empty(value: object) -> object:
    return () if value is None else value


def _nothing(value: object) -> object:
    return {} if value is None else value


class OnPlatform(_Document):
    """§image-index.md, `platform`."""

    os: str
    architecture: str
    variant: str = ""


class Blob(_Document):
    """§descriptor.md, and what an index adds to it. `size` is in bytes, as stored."""

    media_type: Annotated[str, Field(alias="mediaType")]
    digest: Sha256
    size: Annotated[int, Field(ge=0)]
    annotations: Annotated[Mapping[str, str], BeforeValidator(_nothing)] = {}
    platform: OnPlatform | None = None
    artifact_type: Annotated[str | None, Field(alias="artifactType")] = None


class Manifest(_Document):
    """§manifest.md, and Docker's image manifest version 2, schema 2."""

    schema_version: Annotated[Literal[2], Field(alias="schemaVersion")]
    config: Blob
    layers: Annotated[tuple[Blob, ...], BeforeValidator(_empty)] = ()
    artifact_type: Annotated[str | None, Field(alias="artifactType")] = None
    subject: Blob | None = None
    annotations: Annotated[Mapping[str, str], BeforeValidator(_nothing)] = {}


class Index(_Document):
    """§image-index.md, and Docker's manifest list."""

    schema_version: Annotated[Literal[2], Field(alias="schemaVersion")]
    manifests: Annotated[tuple[Blob, ...], BeforeValidator(_empty)] = ()


class _History(_Document):
    created_by: str = ""
    empty_layer: bool = False


class _Rootfs(_Document):
    diff_ids: Annotated[tuple[Sha256, ...], BeforeValidator(_empty)] = ()


class _Running(_Document):
    labels: Annotated[Mapping[str, str], BeforeValidator(_nothing), Field(alias="Labels")] = {}


class Config(OnPlatform):
    """§config.md: the platform, the layers and the labels."""

    rootfs: _Rootfs
    history: Annotated[tuple[_History, ...], BeforeValidator(_empty)] = ()
    config: Annotated[_Running, BeforeValidator(_nothing)] = _Running()


_D = TypeVar("_D", bound=BaseModel)


def parse(kind: type[_D], data: bytes, name: str) -> _D:
    """The document, or a CogError that says what `name` is and which field of it is wrong."""
    try:
        return kind.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise CogError(f"{name} is not one that can be read: {where + ': ' if where else ''}{first['msg']}") from None
