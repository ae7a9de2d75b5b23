"""cog.yaml as it is written: every key that there is, every rule about it, every mistake with file, line and column.

What the rest of the program works with is `config.Config`: the same, as plain values.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)

from cog_oci.cog_yaml_cache import ProjectCache
from cog_oci.cog_yaml_debian import AptArchive, SystemPackage, check_archives
from cog_oci.cog_yaml_plain import AS_TYPED, DEFAULT_PYTHON, PYTHON_VERSIONS, REFERENCE
from cog_oci.cog_yaml_steps import MOST_COMMANDS, Command, Mount
from cog_oci.errors import SourceError
from cog_oci.yaml_source import YamlSource

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pydantic import SerializerFunctionWrapHandler
    from pydantic_core import ErrorDetails

    from cog_oci.errors import Problem

__all__ = ["PYTHON_VERSIONS", "Config", "read"]

_LATER = frozenset(
    {
        ("weights",),
        ("model",),
    }
)
"""Keys that Cog or the design knows and that this version cannot honour: refused by name, never ignored."""

_DENIED_VARIABLES = re.compile(
    r"PATH|LD_LIBRARY_PATH|PYTHONPATH|VIRTUAL_ENV|PYTHONUNBUFFERED|LIBRARY_PATH|HF_ENDPOINT|HF_HUB_ENABLE_HF_TRANSFER"
    r"|(R8|REPLICATE|CUDA|NVIDIA|NV|PGET|KUBERNETES|COG_OCI)_.*"
)
"""Cog's list, in Cog's letter case, and the names that this tool keeps for itself."""


def _reference(text: str) -> str:
    if not re.fullmatch(REFERENCE, text):
        raise ValueError("must be in the form 'run.py:Runner'")
    return text


def _python_version(text: str) -> str:
    match = re.fullmatch(r"(\d+)\.(\d+)(\.\d+)?", text)
    if not match:
        raise ValueError(f"{text!r} must include major and minor version (e.g., '3.13')")
    if (int(match[1]), int(match[2])) < (3, 10):
        raise ValueError(f"{text} is too old: the minimum supported Python version is 3.10")
    if f"{match[1]}.{match[2]}" not in PYTHON_VERSIONS:
        raise ValueError(f"{text} is not supported yet; use {', '.join(PYTHON_VERSIONS[:-1])} or {PYTHON_VERSIONS[-1]}")
    return text


def _image(text: str) -> str:
    if not re.fullmatch(r"(https?://)?(?!.*://)[\w.:/\[\]-]*\w(@sha256:[0-9a-f]{64})?", text):
        raise ValueError(f"{text!r} is not the name of an image: use host/name:tag or host/name@sha256:…")
    return text


def _cuda(text: str) -> str:
    if not re.fullmatch(r"\d+\.\d+(\.\d+)?", text):
        raise ValueError(f"{text!r} must include major and minor version (e.g., '12.4')")
    return text


def _cudnn(text: str) -> str:
    if not re.fullmatch(r"\d+(\.\d+){0,2}", text):
        raise ValueError(f"{text!r} is no version of cuDNN (e.g., '9')")
    return text


def _sdk_version(text: str) -> str:
    if text == "prerelease":
        return text
    from packaging.version import InvalidVersion, Version  # noqa: PLC0415 - few files say it

    try:
        release = Version(text).release
    except InvalidVersion:
        raise ValueError(f"{text!r} is neither a version (e.g., '0.18.0') nor 'prerelease'") from None
    if release < (0, 16):
        raise ValueError(f"{text} is too old: the minimum SDK version is 0.16.0")
    return text


def _variable(text: str) -> str:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise ValueError(f"{text!r} must be in the form NAME=VALUE")
    if not re.fullmatch(r"[^\s\x00-\x1f\x7f]+", name):
        raise ValueError(f"{name!r} cannot be the name of a variable: it has a blank or a control character in it")
    if "\0" in value:
        raise ValueError(f"the value of {name} has a NUL in it, which no environment can hold")
    if _DENIED_VARIABLES.fullmatch(name):
        raise ValueError(f"{name} belongs to the image and cannot be set here")
    return text


def _address(text: str) -> str:
    match = re.fullmatch(r"https?://(?P<login>[^/@]*@)?[^/\s@]+(/\S*)?", text)
    if not match:
        raise ValueError("must be an address such as https://packages.example.com/simple")
    if match["login"]:
        raise ValueError(
            "a login does not belong here; use netrc, or UV_INDEX_NAME_USERNAME and UV_INDEX_NAME_PASSWORD"
        )
    return text


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Build(_Section):
    """What the image is made of: the part of cog.yaml that the lock depends on."""

    gpu: bool = False
    cuda: Annotated[str, AfterValidator(_cuda)] | None = None
    cudnn: Annotated[str, AfterValidator(_cudnn)] | None = None
    python_version: Annotated[str, AfterValidator(_python_version)] = DEFAULT_PYTHON
    sdk_version: Annotated[str, AfterValidator(_sdk_version)] | None = None
    base_image: Annotated[str, AfterValidator(_image)] | None = None
    python_requirements: str | None = None
    python_packages: list[str] = []
    system_packages: list[SystemPackage] = []
    apt: Annotated[list[AptArchive], AfterValidator(check_archives)] = []
    system_effects: dict[str, Literal["skip", "run"]] = {}
    pre_install: list[Command] = []
    run: list[Command] = []

    @property
    def python_wanted(self) -> str:
        """The version that is asked for; empty where a base image decides it."""
        return "" if self.base_image and "python_version" not in self.model_fields_set else self.python_version

    @model_validator(mode="after")
    def _few_steps(self) -> Build:
        if len(self.pre_install) + len(self.run) > MOST_COMMANDS:
            raise ValueError(
                f"there are more than {MOST_COMMANDS} commands, and each is a layer, of which an image has 127 at most;"
                " join some with &&"
            )
        return self

    @model_validator(mode="after")
    def _one_list(self) -> Build:
        if self.python_packages and self.python_requirements:
            raise ValueError("only one of python_packages or python_requirements can be set, not both")
        return self


class Image(_Section):
    """What the image is called, and how its layers travel; in Cog's form `image:` is the name alone."""

    name: str | None = None
    compression: Literal["gzip", "zstd", "none"] = "gzip"

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, value: object) -> object:
        if isinstance(value, str):
            return {"name": value}
        if not isinstance(value, dict | Image):
            raise ValueError("must be a name, or a mapping of name and compression")  # noqa: TRY004 - pydantic's way
        return value


class Concurrency(_Section):
    """How many predictions run at once; more than one needs an async model."""

    max: Annotated[int, Field(ge=1)]


class Config(_Section):
    """The whole file."""

    build: Build = Build()
    image: Image = Image()
    run: Annotated[str, AfterValidator(_reference)] | None = None
    predict: Annotated[str, AfterValidator(_reference)] | None = None
    train: Annotated[str, AfterValidator(_reference)] | None = None
    environment: list[Annotated[str, AfterValidator(_variable)]] = []
    concurrency: Concurrency | None = None
    indexes: dict[str, Annotated[str, AfterValidator(_address)]] = {}
    cache: ProjectCache | None = None

    @model_validator(mode="after")
    def _one_model(self) -> Config:
        if self.run and self.predict:
            raise ValueError("only one of run or predict can be set")
        return self

    @field_validator("environment")
    @classmethod
    def _each_once(cls, environment: list[str]) -> list[str]:
        names = [variable.partition("=")[0] for variable in environment]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"{twice[0]} is set twice")
        return environment

    @field_validator("indexes")
    @classmethod
    def _names(cls, indexes: dict[str, str]) -> dict[str, str]:
        for name in indexes:
            if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) or name == "default":
                raise ValueError(f"{name!r} cannot be the name of an index: use small letters, digits and hyphens")
        return indexes

    @model_serializer(mode="wrap")
    def _as_cog_has_it(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """`image` is the name: readers of Cog's label expect it, and how layers travel is no part of what an image is.

        An image is the same image in every compression, so its configuration must not say which it was (design §1.2).
        Nor where package indexes and archives are: that is where it was made.
        """
        values: dict[str, Any] = dump(self)
        values.pop("indexes", None)
        values.pop("cache", None)
        if (build := values.get("build", {})).pop("apt", None) and not build:
            del values["build"]
        if values.pop("image", None) and self.image.name is not None:
            values["image"] = self.image.name
        return values


_SECTIONS: Mapping[tuple[str, ...], type[BaseModel]] = {
    ("build",): Build,
    ("build", "apt"): AptArchive,
    ("build", "system_packages"): SystemPackage,
    ("build", "pre_install"): Command,
    ("build", "pre_install", "mounts"): Mount,
    ("build", "run"): Command,
    ("build", "run", "mounts"): Mount,
    ("image",): Image,
    ("concurrency",): Concurrency,
    ("cache",): ProjectCache,
}
"""What may stand below each key that has keys of its own."""


def read(file: Path, data: bytes) -> Config:
    """Parse and check one file that holds these bytes; SourceError holds every problem in it."""
    source = YamlSource(file, data)
    values = source.values(as_typed=AS_TYPED, refused=_LATER)
    found = [*source.refused, *(_unknown(source, path) for path in source.empty if not _is_known(path))]
    try:
        config = Config.model_validate(values)
    except ValidationError as error:
        raise SourceError([*found, *(_problem(source, detail) for detail in error.errors())]) from None
    if found:
        raise SourceError(found)
    return config


def _problem(source: YamlSource, detail: ErrorDetails) -> Problem:
    path = tuple(detail["loc"])
    if detail["type"] == "extra_forbidden":
        return _unknown(source, path)
    name = ".".join(str(part) for part in path)
    message = detail["msg"].removeprefix("Value error, ")
    if detail["type"] in {"dict_type", "model_type"}:
        message = f"should be a mapping of keys to values, not {detail['input']!r}"
    elif detail["type"].endswith("_type"):
        message = f"{message.removeprefix('Input ')}, not {detail['input']!r}"
    return source.problem(path, f"{name}: {message}" if name else message)


def _unknown(source: YamlSource, path: tuple[str | int, ...]) -> Problem:
    name = ".".join(str(part) for part in path if part != "*")
    message = f"{name}: unknown key{_suggestion(str(path[-1]), _fields_beside(path))}"
    return source.problem(path, message, of_key=True)


def _is_known(path: tuple[str, ...]) -> bool:
    """Whether there is such a key; keys of what is no section are names of the user's."""
    above = tuple(part for part in path[:-1] if part != "*")
    return path[-1] in _fields_beside(path) if not above or above in _SECTIONS else True


def _fields_beside(path: tuple[str | int, ...]) -> Mapping[str, object]:
    """The keys that there are where this one is; of items of a list, those of each."""
    above = tuple(part for part in path[:-1] if isinstance(part, str) and part != "*")
    return _SECTIONS.get(above, Config).model_fields


def _suggestion(name: str, known: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f", did you mean {near[0]}?" if near else f"; the known keys are {', '.join(known)}"
