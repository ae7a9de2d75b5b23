"""Which registry is the build cache: what the environment says, else the user's own file, else cog.yaml."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cog_oci.errors import CogError
from cog_oci.memory import Question

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cog_oci.memory import Memory

__all__ = ["CacheSettings", "cache_settings", "user_file"]

_RULES = ("cache_settings.py", "cog_yaml_cache.py", "yaml_source.py")
"""What decides the values of the file besides its bytes."""
_YES = frozenset({"1", "true", "yes", "on"})
_NO = frozenset({"", "0", "false", "no", "off"})


@dataclass(frozen=True, slots=True)
class CacheSettings:
    """`repository` is `[http://]host/path`.

    With `push`, whoever pushes an image leaves its layers there; with `trust`, what it says of layers that the lock
    does not know is taken.
    """

    repository: str
    push: bool = False
    trust: bool = False


def user_file() -> Path:
    """Where the user's own configuration is, if there is one. RuntimeError for a user without a home folder."""
    import platformdirs  # noqa: PLC0415 - only a build looks for it

    return Path(platformdirs.user_config_dir("cog-oci", appauthor=False)) / "config.yaml"


def cache_settings(
    project: Mapping[str, Any] | None, environment: Mapping[str, str] = os.environ, memory: Memory | None = None
) -> CacheSettings | None:
    """The cache, or None for none; `project` is what cog.yaml says of it (`ref`, `push`).

    COG_CACHE is the repository, or empty or `none` for no cache; COG_CACHE_PUSH and COG_CACHE_TRUST come before what
    files say of either. Raises SourceError for a mistake in the user's file, CogError for one in a variable.
    """
    said = environment.get("COG_CACHE")
    if said is not None:
        found = None if said in {"", "none"} else CacheSettings(_repository(said))
    else:
        values = _of_user(memory) or project
        found = CacheSettings(values["ref"], values["push"], values.get("trust", False)) if values else None
    if found is None:
        return None
    return replace(
        found,
        push=_flag(environment, "COG_CACHE_PUSH", otherwise=found.push),
        trust=_flag(environment, "COG_CACHE_TRUST", otherwise=found.trust),
    )


def _repository(text: str) -> str:
    from cog_oci.cog_yaml_cache import check_repository  # noqa: PLC0415 - few builds say so

    try:
        return check_repository(text)
    except ValueError as error:
        raise CogError(f"COG_CACHE={text!r} {error}") from None


def _flag(environment: Mapping[str, str], name: str, *, otherwise: bool) -> bool:
    said = environment.get(name)
    if said is None:
        return otherwise
    if said.lower() not in _YES | _NO:
        raise CogError(f"{name}={said!r} is neither yes nor no", hint="use 1 or 0")
    return said.lower() in _YES


def _of_user(memory: Memory | None) -> Mapping[str, Any] | None:
    """What the user's file says of a cache."""
    try:
        file = user_file()
        data = file.read_bytes()
    except (FileNotFoundError, NotADirectoryError, RuntimeError):  # RuntimeError: of a user without a home
        return None
    question = Question(data, *(Path(__file__).with_name(rule) for rule in _RULES))
    values: dict[str, Any] | None = memory.recall(question) if memory is not None else None
    if values is None:
        values = _checked(file, data)
        if memory is not None:
            memory.keep(question, values)
    of_cache: Mapping[str, Any] | None = values["cache"]
    return of_cache


def _checked(file: Path, data: bytes) -> dict[str, Any]:
    from cog_oci.cog_yaml_cache import UserFile  # noqa: PLC0415 - what was checked before is not checked again

    return UserFile.read(file, data).model_dump()
