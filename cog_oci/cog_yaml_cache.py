"""`cache:` as it is written: in a project's cog.yaml, and in the user's own file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, model_validator

from cog_oci.errors import SourceError
from cog_oci.yaml_source import YamlSource

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ProjectCache", "UserFile", "check_repository"]


def check_repository(text: str) -> str:
    """`[http://]host/path`, without a tag; ValueError for anything else."""
    host = r"(?:localhost|\[[0-9a-fA-F:]+\]|[a-zA-Z0-9-]+(?:\.[a-zA-Z0-9-]+)*)(?::\d+)?"
    part = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
    if not re.fullmatch(rf"(?:https?://)?{host}(?:/{part})+", text):
        raise ValueError("must be a repository without a tag, as in registry.example.com/you/cache")
    return text


class _Cache(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    ref: Annotated[str, AfterValidator(check_repository)]
    push: bool = False

    @model_validator(mode="before")
    @classmethod
    def _repository_alone(cls, value: object) -> object:
        return {"ref": value} if isinstance(value, str) else value


class ProjectCache(_Cache):
    """Where layers are kept that the project is made of; whether to trust it is for each user to say."""

    @model_validator(mode="before")
    @classmethod
    def _no_trust(cls, value: object) -> object:
        if isinstance(value, dict) and "trust" in value:
            raise ValueError(
                "trust is not for a project to say: set it in your own configuration, or COG_CACHE_TRUST=1"
            )
        return value


class _UserCache(_Cache):
    trust: bool = False


class UserFile(BaseModel):
    """config.yaml in the user's configuration folder."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    cache: _UserCache | None = None

    @classmethod
    def read(cls, file: Path, data: bytes) -> UserFile:
        """The file that holds these bytes; SourceError holds every problem in it."""
        source = YamlSource(file, data)
        values = source.values(as_typed=frozenset(), refused=frozenset())
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            problems = [
                (tuple(each["loc"]), each["msg"].removeprefix("Value error, "), each["type"] == "extra_forbidden")
                for each in error.errors()
            ]
            raise SourceError(
                [
                    source.problem(
                        path,
                        f"{'.'.join(map(str, path))}: {'unknown key' if unknown else message}",
                        of_key=unknown,
                    )
                    for path, message, unknown in problems
                ]
            ) from None
