"""What an image takes over from the one below (image-spec, config.md): how to be, and not what to start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from cog_oci.base_image._unfit import UnfitBaseError
from cog_oci.documents import parse

__all__ = ["Inherited", "inherited"]

_LINUX_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where engines look where an image does not say (moby's default)."""
_NOT_OURS = ("COG_", "PYTHONHOME=", "PYTHONPATH=", "VIRTUAL_ENV=")
"""What would lead our Python to the image's packages, or the server to another model."""


def _none(value: object) -> object:
    return () if value is None else value


def _nothing(value: object) -> object:
    return {} if value is None else value


class _Running(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    env: Annotated[tuple[str, ...], BeforeValidator(_none), Field(alias="Env")] = ()
    user: Annotated[str | None, Field(alias="User")] = None
    ports: Annotated[Mapping[str, Any], BeforeValidator(_nothing), Field(alias="ExposedPorts")] = {}
    volumes: Annotated[Mapping[str, Any], BeforeValidator(_nothing), Field(alias="Volumes")] = {}
    labels: Annotated[Mapping[str, str], BeforeValidator(_nothing), Field(alias="Labels")] = {}
    on_build: Annotated[tuple[str, ...], BeforeValidator(_none), Field(alias="OnBuild")] = ()


class _Config(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    config: Annotated[_Running, BeforeValidator(_nothing)] = _Running()


@dataclass(frozen=True, slots=True)
class Inherited:
    """What is taken over; `path` is where programs are looked for, in that order."""

    env: tuple[str, ...]
    user: str
    ports: tuple[str, ...]
    volumes: tuple[str, ...]
    labels: Mapping[str, str]
    path: tuple[str, ...]


def inherited(config: bytes, name: str) -> Inherited:
    """From an image's configuration. Not what it starts, nor how that is stopped or checked: that is another program.

    Raises UnfitBaseError for an image that wants something run when others are built on it (ONBUILD).
    """
    found = parse(_Config, config, f"the configuration of {name}").config
    if found.on_build:
        raise UnfitBaseError(
            name,
            f"it wants something done to every image on it, and nothing is run here: ONBUILD {found.on_build[0]}",
            hint="use the image that it is built on",
        )
    env = tuple(one for one in found.env if "=" in one and not one.startswith(_NOT_OURS))
    path = next((one.partition("=")[2] for one in reversed(env) if one.startswith("PATH=")), _LINUX_PATH)
    return Inherited(
        env=env,
        user=found.user or "",
        ports=tuple(sorted(found.ports)),
        volumes=tuple(sorted(found.volumes)),
        labels={key: value for key, value in sorted(found.labels.items()) if not key.startswith("run.cog.")},
        path=tuple(folder for folder in path.split(":") if folder.startswith("/")),
    )
