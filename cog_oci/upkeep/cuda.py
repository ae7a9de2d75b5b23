"""The CUDA of one platform: where torch comes from, which packages are added, and what the host must bring."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from cog_oci.errors import Problem, SourceError
from cog_oci.fetch import Fetcher, FetchError
from cog_oci.lock import Requires
from cog_oci.requirement_lines import read_requirement_lines
from cog_oci.resolver.cuda import CudaAsked, CudaError, choose, pins, torch_index, torch_without_gpu
from cog_oci.resolver.on_image import OnImage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from threading import Event

    from cog_oci.config import Project
    from cog_oci.cuda_index import CudaIndex
    from cog_oci.indexes import Indexes
    from cog_oci.lock import Wheel
    from cog_oci.oci import Platform
    from cog_oci.progress import Progress
    from cog_oci.requirement_lines import Line
    from cog_oci.resolver.base import Base
    from cog_oci.resolver.cuda import Cuda, Pin
    from cog_oci.resolver.cuda_debs import CudaDebs
    from cog_oci.store import Store

__all__ = ["CudaNeeds", "PlatformCuda"]

_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
_PAGE_LIMIT = 64 << 20
_UNSAID = (
    "neither the wheels nor the base image say which CUDA this is, so that the image does not say which driver it "
    "needs; build.cuda says it"
)
_MANYLINUX = re.compile(r"manylinux_(\d+)_(\d+)_")


@dataclass(frozen=True, slots=True)
class CudaNeeds:
    """What follows from the wheels of an image: `debs` to be added, None for none, and what the lock says of it."""

    requires: Requires | None = None
    debs: CudaDebs | None = None


@dataclass(frozen=True)
class PlatformCuda:
    """The CUDA of a project's image for one platform."""

    project: Project
    platform: Platform
    base: Base | OnImage
    store: Store
    progress: Progress

    def indexes(self) -> Indexes:
        """The project's package indexes, with PyTorch's own where torch has to come from there.

        Not where the project names indexes itself: then it knows better. Nothing is asked for yet: see `reachable`.
        Raises SourceError.
        """
        if self._asked.gpu:
            with self.blaming():  # what cannot be is better known before the wheels are
                choose(self._asked, self._wanted, (), self._default, self._index)
        indexes = self.project.indexes()
        if indexes.configured or indexes.written:
            return indexes
        variant, architecture = None, self.platform.architecture
        if self._asked.gpu:
            with self.blaming():
                variant, warnings = torch_index(self._asked, self._wanted, architecture, self._index)
            self._warn(warnings)
        elif (torch := self._wanted.get("torch")) is not None:
            variant = torch_without_gpu(torch, architecture)
        return indexes if variant is None else indexes.with_pytorch(variant)

    def reachable(self, indexes: Indexes, given_up: Event | None = None) -> Indexes:
        """These, or the project's alone where PyTorch's would only spare the image a CUDA and cannot be had.

        `given_up` is as Fetcher has it.
        """
        if "pytorch-cpu" not in indexes.configured or "pytorch-cpu" in self.project.indexes().configured:
            return indexes
        if self._wanted["torch"].local or (reason := self._unreachable(indexes, given_up)) is None:
            return indexes
        self._warn([f"{reason}: torch comes from the default index, with CUDA in it although this image needs none"])
        return self.project.indexes()

    def needs(self, wheels: Sequence[Wheel]) -> CudaNeeds:
        """What an image with these wheels needs; nothing for one without a GPU. Raises SourceError, CudaError."""
        if not self._asked.gpu:
            return CudaNeeds()
        with self.blaming():
            cuda, warnings = choose(self._asked, self._wanted, wheels, self._default, self._index)
            if cuda is None:
                self._warn([_UNSAID])
                return CudaNeeds()
            self._warn(warnings)
            if isinstance(self.base, OnImage) and not cuda.carried:
                cuda, warnings = _in_image(cuda, self._asked, self.base.image.env, self._default)
                self._warn(warnings)
            requires = _requires(cuda, wheels, self._index)
            if cuda.carried or isinstance(self.base, OnImage):  # nothing is added to a base image
                return CudaNeeds(requires)
            from cog_oci.resolver.cuda_debs import cuda_debs  # noqa: PLC0415 - few images add a CUDA

            given = self.project.config.build.apt
            suite, architecture = self.base.suite, self.platform.architecture
            return CudaNeeds(requires, cuda_debs(cuda, suite, architecture, given, self._index))

    @contextmanager
    def blaming(self) -> Iterator[None]:
        """Inside, a CudaError becomes a SourceError, as far as there is a line to point at."""
        try:
            yield
        except CudaError as error:
            key = error.key if self.project.config.said.get("build", {}).get(error.key) else ""
            if key:
                problem = self.project.problem(("build", key), f"build.{key}: {error}")
            elif line := next((line for line in self._lines if line.name and line.name in str(error)), None):
                problem = Problem(line.file.name, line.number, 1, str(error))
            else:
                problem = self.project.problem(("build", "gpu"), f"build.gpu: {error}")
            raise SourceError([problem], hint=error.hint) from error

    @property
    def _default(self) -> str:
        """The CUDA (X.Y) that the base has or can have without further ado; empty where it does not say."""
        if not isinstance(self.base, OnImage):
            suite = self.base.suite
            return next((row.cuda for row in self._index.debian if row.suite == suite), "")
        return _said("CUDA_VERSION", self.base.image.env, r"\d+\.\d+")

    @property
    def _index(self) -> CudaIndex:
        from cog_oci.cuda_index import cuda_index  # noqa: PLC0415 - an image without a GPU needs nothing of it

        return cuda_index()

    @property
    def _asked(self) -> CudaAsked:
        build = self.project.config.build
        return CudaAsked(gpu=build.gpu, cuda=build.cuda, cudnn=build.cudnn)

    @cached_property
    def _lines(self) -> tuple[Line, ...]:
        file = self.project.requirements()
        return () if file is None else read_requirement_lines(file).lines

    @property
    def _wanted(self) -> Mapping[str, Pin]:
        texts = [*self.project.config.build.python_packages, *(line.text for line in self._lines)]
        machine = _MACHINES.get(self.platform.architecture, "")
        version = self.base.python_version
        return pins(
            texts, {"platform_machine": machine, "python_version": version, "python_full_version": f"{version}.0"}
        )

    def _unreachable(self, indexes: Indexes, given_up: Event | None) -> str | None:
        name = next(name for name in indexes.configured if name.startswith("pytorch-"))
        fetcher = Fetcher(self.store, self.progress, given_up=given_up)
        try:
            fetcher.get(f"{indexes.with_login(name)}/torch/", limit=_PAGE_LIMIT, name="PyTorch's index for CPUs")
        except FetchError as error:
            return str(error)
        return None

    def _warn(self, warnings: Sequence[str]) -> None:
        for warning in warnings:
            self.progress.say(f"warning: {warning}")


def _in_image(cuda: Cuda, asked: CudaAsked, env: Sequence[str], there: str) -> tuple[Cuda, list[str]]:
    """The CUDA of a base image, with these variables, where wheels need `cuda`; and warnings.

    NVIDIA's images, and most that are built on them, say what is `there` (X.Y) and which cuDNN; of others nothing is
    known. Raises CudaError for an image that has another than cog.yaml asks for.
    """
    warnings = []
    if asked.cuda and there and cuda.release != there:
        hint = f"leave build.cuda out, or name a base image with CUDA {asked.cuda}"
        raise CudaError(f"the base image has CUDA {there}, not {asked.cuda}", key="cuda", hint=hint)
    if not there:
        warnings.append(f"nothing is added to a base image, and this one does not say that it has CUDA {cuda.version}")
    elif cuda.release.split(".")[0] != there.partition(".")[0]:
        warnings.append(f"{cuda.asked_by} is made for CUDA {cuda.version}, and the base image has {there}")
    has = _said("NV_CUDNN_VERSION", env, r"\d+(?:\.\d+)*")
    if cuda.cudnn and not has:
        warnings.append(f"nothing is added to a base image, and this one does not say that it has cuDNN {cuda.cudnn}")
    elif asked.cudnn and not f"{has}.".startswith(f"{asked.cudnn}."):
        hint = f"leave build.cudnn out, or name a base image with cuDNN {asked.cudnn}"
        raise CudaError(f"the base image has cuDNN {has}, not {asked.cudnn}", key="cudnn", hint=hint)
    return replace(cuda, version=there or cuda.version, asked_by="the base image" if there else cuda.asked_by), warnings


def _said(name: str, env: Sequence[str], version: str) -> str:
    """What the variable of an image begins with; empty for an image without it."""
    values = (text.partition("=")[2] for text in env if text.startswith(f"{name}="))
    found = next((re.match(version, value) for value in values), None)
    return found[0] if found else ""


def _requires(cuda: Cuda, wheels: Sequence[Wheel], index: CudaIndex) -> Requires:
    row = index.release(cuda.version)
    if row is None:
        raise CudaError(
            f"{cuda.asked_by} has CUDA {cuda.version}, and which driver that needs is not known",
            hint=f"take one of {index.cuda[0].version} to {index.cuda[-1].version}; a newer cog-oci may know others",
        )
    torch = next((wheel.version.partition("+")[0] for wheel in wheels if wheel.name == "torch"), "")
    built = next((one for one in index.torch_architectures if (one.version, one.cuda) == (torch, cuda.release)), None)
    return Requires(
        cuda=cuda.release,
        driver=row.floor,
        driver_for_ptx=row.driver,
        cudnn=cuda.cudnn,
        capabilities=built.capabilities if built else (),
        ptx=built.ptx if built else "",
        glibc=_glibc(wheels),
    )


def _glibc(wheels: Sequence[Wheel]) -> str:
    """The newest glibc that a wheel asks for, by the oldest that each of them is content with (PEP 600)."""
    from packaging.utils import parse_wheel_filename  # noqa: PLC0415 - see cuda_index

    needed = []
    for wheel in wheels:
        *_, tags = parse_wheel_filename(wheel.file)
        found = [(int(m[1]), int(m[2])) for tag in tags if (m := _MANYLINUX.match(_modern(tag.platform)))]
        needed += [min(found)] if found else []
    return ".".join(map(str, max(needed))) if needed else ""


def _modern(platform: str) -> str:
    """The name that PEP 600 gives to a tag from before it."""
    for old, new in (("manylinux1_", "2_5_"), ("manylinux2010_", "2_12_"), ("manylinux2014_", "2_17_")):
        if platform.startswith(old):
            return f"manylinux_{new}{platform.removeprefix(old)}"
    return platform
