"""cog.yaml as values, and the folder that it is in."""

from __future__ import annotations

import hashlib
import os
import re
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cog_oci import shipped
from cog_oci.apt import AptArchive, Archives
from cog_oci.build_steps import SecretMount, Step, python_tools, system_tools
from cog_oci.errors import CogError, RequestError, SourceError
from cog_oci.memory import Question
from cog_oci.oci import canonical_json, sha256

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cog_oci.errors import Problem
    from cog_oci.indexes import Indexes
    from cog_oci.memory import Memory
    from cog_oci.yaml_source import YamlSource

__all__ = ["Build", "Config", "Project"]

_RULES = (
    "config.py",
    "cog_yaml.py",
    "cog_yaml_cache.py",
    "cog_yaml_debian.py",
    "cog_yaml_plain.py",
    "cog_yaml_steps.py",
    "apt.py",
    "build_steps.py",
    "yaml_source.py",
)
"""What decides the values of a file besides its bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """What the image is made of: the part of cog.yaml that the lock depends on.

    `gpu` is whether the model needs one, `cuda` (X.Y or X.Y.Z) and `cudnn` what it needs there, as far as it is said.
    `recommending` are the names of system packages that come with what they recommend. `steps` are the commands of
    `pre_install` and `run`, in that order. `python_version` is empty where a `base_image` decides it. `system_effects`
    says of Debian packages, by name, what is to happen with their scripts.
    """

    python_version: str
    python_requirements: str | None
    python_packages: tuple[str, ...]
    system_packages: tuple[str, ...]
    recommending: tuple[str, ...] = ()
    base_image: str | None = None
    apt: tuple[AptArchive, ...] = ()
    steps: tuple[Step, ...] = ()
    gpu: bool = False
    cuda: str | None = None
    cudnn: str | None = None
    system_effects: Mapping[str, Literal["skip", "run"]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What cog.yaml says, or does not say.

    `reference` is what to serve, as `run.py:Runner`, and `training` what trains it; `concurrency` how many predictions
    run at once; `compression` how layers travel when the command line does not say; `variables` is `environment:` by
    name, values as they are written; `said` is the file without what is said by default, as Cog's label has it;
    `indexes` are addresses of package indexes by name, the preferred one first; `cache` says where layers are kept
    (`ref`, `push`).
    """

    build: Build
    image_name: str | None
    compression: Literal["gzip", "zstd", "none"]
    reference: str | None
    training: str | None
    variables: Mapping[str, str]
    concurrency: int | None
    said: Mapping[str, Any]
    indexes: Mapping[str, str] = field(default_factory=dict)
    cache: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Project:
    """A folder with a cog.yaml: every path in the file is relative to it."""

    folder: Path
    file: Path
    config: Config

    @classmethod
    def find(cls, start: Path, name: str = "cog.yaml", memory: Memory | None = None) -> Project:
        """The nearest file of this name in `start` or above, read and checked; with a memory, once.

        Raises CogError when there is none, SourceError with every mistake in it.
        """
        start = start.absolute()
        for folder in (start, *start.parents):
            if (file := folder / name).is_file():
                return cls(file.parent, file, _read(file, memory))
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
        if self.config.image_name:
            return self.config.image_name
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
            raise SourceError([self._source.problem(("build", "python_requirements"), message)])
        return path

    def indexes(self) -> Indexes:
        """The package indexes that have names: those of cog.yaml, and those of the requirements file."""
        from cog_oci.indexes import Indexes, bare  # noqa: PLC0415 - only what is resolved or fetched needs them
        from cog_oci.requirement_lines import read_requirement_lines  # noqa: PLC0415 - likewise

        file = self.requirements()
        if file is None:
            return Indexes(self.config.indexes)
        said = read_requirement_lines(file)
        direct = {bare(text): text for text in said.addresses}
        return Indexes(
            *(self.config.indexes, said.indexes, direct),
            unread=said.unread,
            default_name=said.default_name,
            trusted=said.options.trusted_hosts,
        )

    def archives(self) -> Archives:
        """Where the Debian archives of others are that cog.yaml names."""
        return Archives({one.name: one.url for one in self.config.build.apt if one.url})

    def steps(self) -> tuple[Step, ...]:
        """The commands that build the image, each with the variables that it sees."""
        variables = tuple(f"{name}={value}" for name, value in self.config.variables.items())
        return tuple(replace(step, variables=variables) for step in self.config.build.steps)

    def problem(self, path: tuple[str | int, ...], message: str) -> Problem:
        """Something wrong with the value of these keys in cog.yaml, with its place."""
        return self._source.problem(path, message)

    @property
    def _source(self) -> YamlSource:
        from cog_oci.yaml_source import YamlSource  # noqa: PLC0415 - only a problem needs its place

        return YamlSource(self.file)

    @contextmanager
    def blaming(
        self, key: Literal["base_image", "python_packages", "python_version", "system_packages"]
    ) -> Iterator[None]:
        """Inside, a RequestError for this value of `build`, or an item of it, becomes a SourceError with its place."""
        try:
            yield
        except RequestError as error:
            value = getattr(self.config.build, key)
            rows = (
                [(("build", key), value)]
                if isinstance(value, str)
                else [(("build", key, number), item) for number, item in enumerate(value)]
            )
            for place, item in rows:
                if error.asked in {item, item.partition("=")[0]}:
                    problem = self._source.problem(place, f"build.{key}: {error}")
                    raise SourceError([problem], hint=error.hint) from error
            raise

    def lock_inputs(self) -> dict[str, str]:
        """Everything here that decides the lock, by the name a message would use: short values, else their hash."""
        build = self.config.build
        inputs = {"build.python_version": build.python_version} if build.python_version else {}
        if build.base_image:
            inputs["build.base_image"] = build.base_image
        for name, values in (("system_packages", build.system_packages), ("python_packages", build.python_packages)):
            if values:
                inputs[f"build.{name}"] = sha256(canonical_json(values))
        inputs |= self.apt_inputs() | self._step_inputs() | self.gpu_inputs()
        if build.system_effects:
            inputs["build.system_effects"] = ", ".join(f"{n}: {how}" for n, how in sorted(build.system_effects.items()))
        if self.config.indexes:
            inputs["indexes"] = ", ".join(self.config.indexes)  # where they are is no input: a mirror serves the same
        if (requirements := self.requirements()) is not None:
            inputs |= _requirement_inputs(requirements, self.folder)
            beside = requirements.with_name("pyproject.toml")
            if requirements.name == "uv.lock" and beside.is_file():  # a uv.lock means nothing without it
                inputs[os.path.relpath(beside, self.folder)] = sha256(beside.read_bytes())
        return inputs

    def gpu_inputs(self) -> dict[str, str]:
        """What decides the CUDA of a lock, as in `lock_inputs`; nothing for a model without a GPU."""
        build = self.config.build
        if not build.gpu:
            return {}
        said = {"build.gpu": "true", "build.cuda": build.cuda, "build.cudnn": build.cudnn}
        inputs = {name: value for name, value in said.items() if value}
        return {**inputs, "the tool's CUDA index": sha256(shipped.cuda_index().read_bytes())}

    def _step_inputs(self) -> dict[str, str]:
        steps = self.steps()
        inputs: dict[str, str] = {}
        for phase in ("pre_install", "run"):
            if rows := [asdict(step) for step in steps if step.phase == phase]:
                inputs[f"build.{phase}"] = sha256(canonical_json(rows))
        if tools := (*system_tools(steps, self.config.build.system_effects), *python_tools(steps)):
            inputs["what build.run calls for"] = ", ".join(tools)
        return inputs

    def apt_inputs(self) -> dict[str, str]:
        """What decides the Debian packages of a lock beside their names, as in `lock_inputs`.

        Raises SourceError for the file of a key that is not there.
        """
        build, inputs = self.config.build, {}
        if build.recommending:
            inputs["build.system_packages with recommends"] = ", ".join(sorted(build.recommending))
        if build.apt:
            inputs["build.apt"] = sha256(canonical_json([one.lock_input() for one in build.apt]))
        for number, one in enumerate(build.apt):
            if one.key_file is None:
                continue
            path = self.folder / one.key_file
            if not path.is_file():
                message = f"build.apt.{number}.key: {one.key_file} does not exist in {self.folder}"
                raise SourceError([self._source.problem(("build", "apt", number, "key"), message)])
            inputs[os.path.relpath(path, self.folder)] = sha256(path.read_bytes())
        return inputs


def _requirement_inputs(requirements: Path, folder: Path) -> dict[str, str]:
    """The requirements file, those that it names with -r and -c, and the packages that it names by path, by their hash.

    A folder of links counts by the names and sizes of what is in it: the lock has the hashes of those that were chosen.
    """
    from cog_oci.requirement_lines import read_requirement_lines  # noqa: PLC0415 - few projects have a requirements file

    said = read_requirement_lines(requirements)
    inputs: dict[str, str] = {os.path.relpath(path, folder): sha256(path.read_bytes()) for path in said.files}
    for path in said.paths:
        if path.is_file():
            with path.open("rb") as file:
                inputs[os.path.relpath(path, folder)] = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    for place in map(Path, said.options.find_links):
        if place.is_dir():
            rows = sorted([one.name, one.stat().st_size] for one in place.iterdir() if one.is_file())
            inputs[os.path.relpath(place, folder)] = sha256(canonical_json(rows))
    return inputs


def _read(file: Path, memory: Memory | None) -> Config:
    """The values of one file; SourceError holds every problem in it."""
    data = file.read_bytes()
    question = Question(data, *(Path(__file__).with_name(rule) for rule in _RULES))
    values = memory.recall(question) if memory is not None else None
    if values is None:
        values = _checked(file, data)
        if memory is not None:
            memory.keep(question, values)
    build = values["build"]
    lists = {name: tuple(build[name]) for name in ("python_packages", "system_packages", "recommending")}
    apt = tuple(AptArchive(**{**one, "components": tuple(one["components"])}) for one in build["apt"])
    steps = tuple(
        Step(**{**one, "secrets": tuple(SecretMount(**secret) for secret in one["secrets"])}) for one in build["steps"]
    )
    return Config(**{**values, "build": Build(**{**build, **lists, "apt": apt, "steps": steps})})


def _checked(file: Path, data: bytes) -> dict[str, Any]:
    """The values of Config, as JSON has them."""
    from cog_oci.cog_yaml_plain import plain_values  # noqa: PLC0415 - what was checked before is not checked again

    return plain_values(file, data) or _checked_by_pydantic(file, data)


def _checked_by_pydantic(file: Path, data: bytes) -> dict[str, Any]:
    """Likewise, of every file; SourceError holds every problem in it."""
    from cog_oci import cog_yaml  # noqa: PLC0415 - as above

    document = cog_yaml.read(file, data)
    packages = document.build.system_packages
    return {
        "build": {
            **document.build.model_dump(exclude={"pre_install", "run", "sdk_version"}),
            "steps": [
                {
                    "phase": phase,
                    "command": one.command,
                    "network": one.network,
                    "secrets": [{"id": mount.id, "target": mount.place} for mount in one.mounts],
                }
                for phase in ("pre_install", "run")
                for one in getattr(document.build, phase)
            ],
            "python_version": document.build.python_wanted,
            "system_packages": [one.text for one in packages],
            "recommending": [one.name for one in packages if one.recommends],
        },
        "image_name": document.image.name,
        "compression": document.image.compression,
        "reference": document.run or document.predict,
        "training": document.train,
        "variables": dict(_variable(text) for text in document.environment),
        "concurrency": document.concurrency.max if document.concurrency else None,
        "indexes": document.indexes,
        "cache": document.cache.model_dump() if document.cache else None,
        "said": document.model_dump(mode="json", exclude_defaults=True),
    }


def _variable(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value
