"""Commands of `build.run` and `build.pre_install`, as they are written."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, model_serializer, model_validator

__all__ = ["MOST_COMMANDS", "Command", "Mount"]

MOST_COMMANDS = 60
"""Of an image, together: all that is not made by commands takes up to as many layers."""

_PIPE_OR_SPACE = re.compile(r"[\s\x00-\x1f,]")


def _command(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    if "\0" in text:
        raise ValueError("has a NUL in it, which no command can hold")
    return text


def _id(text: str) -> str:
    if not text or _PIPE_OR_SPACE.search(text) or "=" in text or "/" in text:
        raise ValueError(f"{text!r} cannot be the id of a secret: it has a blank, a comma, a slash or an equals sign")
    return text


def _target(text: str) -> str:
    parts = text.split("/")
    if not text.startswith("/") or text.endswith("/") or {"", ".", ".."} & set(parts[1:]) or re.search(r"[\0\n]", text):
        raise ValueError(f"{text!r} must be the whole path of a file, such as /etc/pip.conf")
    if parts[1] in {"proc", "sys", "dev"}:
        raise ValueError(f"{text!r}: nothing can be mounted below /{parts[1]}")
    return text


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Mount(_Section):
    """A secret that is a file while the command runs; without a target, /run/secrets/ID."""

    type: Literal["secret"]
    id: Annotated[str, AfterValidator(_id)]
    target: Annotated[str, AfterValidator(_target)] | None = None

    @property
    def place(self) -> str:
        """Where the file is."""
        return self.target or f"/run/secrets/{self.id}"


class Command(_Section):
    """A command: as text, it has neither secrets nor the network."""

    command: Annotated[str, AfterValidator(_command)]
    mounts: list[Mount] = []
    network: bool = False

    @model_validator(mode="before")
    @classmethod
    def _as_text(cls, value: object) -> object:
        if isinstance(value, str):
            return {"command": value}
        if not isinstance(value, dict | Command):
            raise ValueError("must be a command, or a mapping of command, mounts and network")  # noqa: TRY004 - theirs
        return value

    @model_validator(mode="after")
    def _places(self) -> Command:
        places = [mount.place for mount in self.mounts]
        if twice := sorted({place for place in places if places.count(place) > 1}):
            raise ValueError(f"two secrets have the target {twice[0]}")
        return self

    @model_serializer
    def _as_written(self) -> str | dict[str, Any]:
        """As Cog has it where that says everything."""
        mounts = {"mounts": [mount.model_dump(exclude_none=True) for mount in self.mounts]} if self.mounts else {}
        network = {"network": True} if self.network else {}
        return {"command": self.command, **mounts, **network} if mounts or network else self.command
