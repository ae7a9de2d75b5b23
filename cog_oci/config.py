"""cog.yaml: read with the positions of everything, checked whole, every mistake reported with file, line and column."""

from __future__ import annotations

import difflib
import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
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

from cog_oci.errors import CogError, RequestError, SourceError
from cog_oci.oci import canonical_json, sha256
from cog_oci.yaml_source import YamlSource

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pydantic import SerializerFunctionWrapHandler
    from pydantic_core import ErrorDetails

    from cog_oci.errors import Problem

__all__ = ["Build", "Config", "Image", "Project"]

PYTHON_VERSIONS = ("3.11", "3.13")
"""The interpreters that Debian's stable suites bring (design §4)."""

_LATER = frozenset(
    {
        ("build", "run"),
        ("build", "pre_install"),
        ("build", "cuda"),
        ("build", "cudnn"),
        ("build", "sdk_version"),
        ("build", "base_image"),
        ("build", "apt"),
        ("build", "system_effects"),
        ("train",),
        ("weights",),
        ("model",),
    }
)
"""Keys that Cog or the design knows and that this version cannot honour: refused by name, never ignored."""

_AS_TYPED = frozenset({("build", "python_version"), ("build", "cuda"), ("build", "cudnn"), ("build", "sdk_version")})
"""Scalars that YAML would take for numbers: 3.10 is not 3.1."""

_DENIED_VARIABLES = re.compile(
    r"PATH|LD_LIBRARY_PATH|PYTHONPATH|VIRTUAL_ENV|PYTHONUNBUFFERED|LIBRARY_PATH|HF_ENDPOINT|HF_HUB_ENABLE_HF_TRANSFER"
    r"|(R8|REPLICATE|CUDA|NVIDIA|NV|PGET|KUBERNETES|COG_OCI)_.*"
)
"""Cog's list, in Cog's letter case, and the names that this tool keeps for itself."""


def _reference(text: str) -> str:
    if not re.fullmatch(r"[^:]+\.py(:[A-Za-z_]\w*)?", text):
        raise ValueError("must be in the form 'run.py:Runner'")
    return text


def _python_version(text: str) -> str:
    match = re.fullmatch(r"(\d+)\.(\d+)(\.\d+)?", text)
    if not match:
        raise ValueError(f"{text!r} must include major and minor version (e.g., '3.13')")
    if (int(match[1]), int(match[2])) < (3, 10):
        raise ValueError(f"{text} is too old: the minimum supported Python version is 3.10")
    if text not in PYTHON_VERSIONS:
        raise ValueError(f"{text} is not supported yet; use {' or '.join(PYTHON_VERSIONS)}")
    return text


def _package(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9+.-]+(=[A-Za-z0-9.+:~-]+)?", text):
        raise ValueError(f"{text!r} is not the name of a Debian package (name, or name=version)")
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


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Build(_Section):
    """What the image is made of: the part of cog.yaml that the lock depends on."""

    gpu: bool = False
    python_version: Annotated[str, AfterValidator(_python_version)] = "3.13"
    python_requirements: str | None = None
    python_packages: list[str] = []
    system_packages: list[Annotated[str, AfterValidator(_package)]] = []

    @field_validator("gpu")
    @classmethod
    def _no_gpu_yet(cls, value: bool) -> bool:
        if value:
            raise ValueError("CUDA images are not supported yet; leave it out to build for the CPU")
        return value

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
    """cog.yaml as values."""

    build: Build = Build()
    image: Image = Image()
    run: Annotated[str, AfterValidator(_reference)] | None = None
    predict: Annotated[str, AfterValidator(_reference)] | None = None
    environment: list[Annotated[str, AfterValidator(_variable)]] = []
    concurrency: Concurrency | None = None

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

    @model_serializer(mode="wrap")
    def _as_cog_has_it(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """`image` is the name: readers of Cog's label expect it, and how layers travel is no part of what an image is.

        An image is the same image in every compression, so its configuration must not say which it was (design §1.2).
        """
        values: dict[str, Any] = dump(self)
        if values.pop("image", None) and self.image.name is not None:
            values["image"] = self.image.name
        return values

    @property
    def compression(self) -> Literal["gzip", "zstd", "none"]:
        """How the layers travel when the command line does not say."""
        return self.image.compression

    @property
    def variables(self) -> dict[str, str]:
        """`environment:` by name. Values are taken as they are written: nothing in them is unquoted or expanded."""
        return {name: value for name, _, value in (variable.partition("=") for variable in self.environment)}

    @property
    def reference(self) -> str | None:
        """What to serve, as `run.py:Runner`."""
        return self.run or self.predict


@dataclass(frozen=True)
class Project:
    """A folder with a cog.yaml: every path in the file is relative to it."""

    folder: Path
    file: Path
    config: Config

    @classmethod
    def find(cls, start: Path, name: str = "cog.yaml") -> Project:
        """The nearest file of this name in `start` or above, read and checked.

        Raises CogError when there is none, SourceError with every mistake in it.
        """
        start = start.absolute()
        for folder in (start, *start.parents):
            if (file := folder / name).is_file():
                return cls(file.parent, file, read(file))
        raise CogError(
            f"{name} not found in {start} (or in any parent directories)", hint="write one, or name it with --file"
        )

    @property
    def lock_path(self) -> Path:
        """Where the lock is."""
        return self.folder / "cog.lock"

    @property
    def image_name(self) -> str:
        """`image:` of cog.yaml, else Cog's rule: `cog-` and the folder's name, at most 30 characters."""
        if self.config.image.name:
            return self.config.image.name
        name = re.sub(r"[^a-z0-9]+", "-", self.folder.name.lower()).strip("-")
        return f"cog-{name or 'model'}"[:30].rstrip("-")

    def requirements(self) -> Path | None:
        """The requirements file, or a SourceError that points at the line which names it."""
        named = self.config.build.python_requirements
        if named is None:
            return None
        path = self.folder / named
        if not path.is_file():
            message = f"build.python_requirements: {named} does not exist in {self.folder}"
            raise SourceError([YamlSource(self.file).problem(("build", "python_requirements"), message)])
        return path

    @contextmanager
    def blaming(self, key: Literal["python_packages", "system_packages"]) -> Iterator[None]:
        """Inside, a RequestError for an item of this list of `build` becomes a SourceError that points at the item."""
        try:
            yield
        except RequestError as error:
            for number, item in enumerate(getattr(self.config.build, key)):
                if error.asked in {item, item.partition("=")[0]}:
                    problem = YamlSource(self.file).problem(("build", key, number), f"build.{key}: {error}")
                    raise SourceError([problem], hint=error.hint) from error
            raise

    def lock_inputs(self) -> dict[str, str]:
        """Everything here that decides the lock, by the name a message would use: short values, else their hash."""
        build = self.config.build
        inputs = {"build.python_version": build.python_version}
        for name, values in (("system_packages", build.system_packages), ("python_packages", build.python_packages)):
            if values:
                inputs[f"build.{name}"] = sha256(canonical_json(values))
        if (requirements := self.requirements()) is not None:
            for path in _included(requirements):
                inputs[os.path.relpath(path, self.folder)] = sha256(path.read_bytes())
        return inputs


def _included(requirements: Path, seen: frozenset[Path] = frozenset()) -> list[Path]:
    """The requirements file and those that it names with -r and -c, each once, in the order of reading."""
    found = [requirements]
    for line in requirements.read_text(encoding="utf-8", errors="replace").splitlines():
        if match := re.match(r"\s*(?:-r|-c|--requirement|--constraint)[\s=]+(\S+)", line):
            inner = (requirements.parent / match[1]).resolve()
            if inner.is_file() and inner not in seen and inner != requirements.resolve():
                found += _included(inner, seen | {requirements.resolve()})
    return list(dict.fromkeys(found))


def read(file: Path) -> Config:
    """Parse and check one file; SourceError holds every problem in it."""
    source = YamlSource(file)
    values = source.values(as_typed=_AS_TYPED, refused=_LATER)
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise SourceError([_problem(source, detail) for detail in error.errors()]) from None


def _problem(source: YamlSource, detail: ErrorDetails) -> Problem:
    path = tuple(detail["loc"])
    name = ".".join(str(part) for part in path)
    message = detail["msg"].removeprefix("Value error, ")
    unknown = detail["type"] == "extra_forbidden"
    if unknown:
        sections: dict[str | int, type[BaseModel]] = {"build": Build, "image": Image, "concurrency": Concurrency}
        known = (sections.get(path[0], Config) if len(path) > 1 else Config).model_fields
        message = f"unknown key{_suggestion(str(path[-1]), known)}"
    elif detail["type"].endswith("_type"):
        message = f"{message.removeprefix('Input ')}, not {detail['input']!r}"
    return source.problem(path, f"{name}: {message}" if name else message, of_key=unknown)


def _suggestion(name: str, known: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f", did you mean {near[0]}?" if near else f"; the known keys are {', '.join(known)}"
