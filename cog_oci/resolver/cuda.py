"""Which CUDA a GPU image needs, and whether its wheels bring it: Cog's rules over cuda-index.json.

Wheels of today carry CUDA with them, in wheels of NVIDIA's or in themselves. What they carry is not added a second time
as Debian packages; only what is made for a CUDA of the system gets one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from cog_oci.errors import CogError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cog_oci.cuda_index import CudaIndex, WheelRow
    from cog_oci.lock import Wheel

__all__ = ["Cuda", "CudaAsked", "CudaError", "Pin", "check", "choose", "pins", "torch_index", "torch_without_gpu"]

_OLDEST = 11  # major release that can be asked for; torch from before it brings its own
_TENSORFLOW = ("tensorflow", "tensorflow-gpu")
_RUNTIME = re.compile(r"nvidia-cuda-runtime(-cu\d+)?|cuda-toolkit")
_CUDNN = re.compile(r"nvidia-cudnn-cu\d+")
_LINUX = MappingProxyType({"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"})
_LOCAL = re.compile(r"cu(\d\d)(\d)(?!\d)")  # cu126, cu118torch2.0; what is made for cu12 brings none


class CudaError(CogError):
    """What is asked of CUDA cannot be had, or does not fit together: `key` is that of `build` to blame, or empty."""

    def __init__(self, message: str, *, key: str = "", hint: str | None = None) -> None:
        self.key = key
        super().__init__(message, hint=hint)


@dataclass(frozen=True, slots=True)
class CudaAsked:
    """What cog.yaml says: `gpu`, `cuda` (X.Y or X.Y.Z) and `cudnn` (X, X.Y or X.Y.Z) of `build`."""

    gpu: bool
    cuda: str | None = None
    cudnn: str | None = None


@dataclass(frozen=True, slots=True)
class Pin:
    """The exact version that a requirement names, without its local part, and that; empty where it names none."""

    version: str
    local: str = ""


@dataclass(frozen=True, slots=True)
class Cuda:
    """The CUDA of an image, as X.Y, or X.Y.Z where cog.yaml says so: in its wheels (`carried`), or to be added to it.

    `cudnn` is the release of cuDNN, as far as it matters, empty for none; `asked_by` the package that needs it.
    """

    version: str
    cudnn: str = ""
    carried: bool = False
    asked_by: str = ""

    @property
    def release(self) -> str:
        """X.Y."""
        return ".".join(self.version.split(".")[:2])


def pins(requirements: Iterable[str], environment: Mapping[str, str] = _LINUX) -> dict[str, Pin]:
    """The packages that requirements (PEP 508) ask for where markers have these values, by name."""
    found: dict[str, Pin] = {}
    for text in requirements:
        try:
            requirement = Requirement(re.sub(r"\s+--hash[=\s]\S+", "", text))
        except InvalidRequirement:
            continue
        if requirement.marker is not None and not requirement.marker.evaluate({**_LINUX, **environment, "extra": ""}):
            continue
        exact = [
            one.version for one in requirement.specifier if one.operator in {"==", "==="} and "*" not in one.version
        ]
        version, _, local = (exact[0] if exact else "").partition("+")
        found[canonicalize_name(requirement.name)] = Pin(version, local)
    return found


def check(asked: CudaAsked, index: CudaIndex) -> None:
    """Raise CudaError for a CUDA or cuDNN that there is not, or that do not go together."""
    supported = [row.version for row in index.cuda if int(row.version.split(".")[0]) >= _OLDEST]
    if asked.cuda is not None and ".".join(asked.cuda.split(".")[:2]) not in supported:
        known = ", ".join(supported)
        raise CudaError(f"CUDA {asked.cuda} is not supported", key="cuda", hint=f"there are {known}")
    if asked.cudnn is None:
        return
    major = asked.cudnn.split(".")[0]
    known_majors = [row.version for row in index.cudnn]
    if asked.cuda is None and major in known_majors:
        return
    fitting = [row.version for row in index.cudnn if asked.cuda is None or asked.cuda.split(".")[0] in row.cuda]
    if major not in fitting:
        where = f" for CUDA {asked.cuda}" if asked.cuda else ""
        message = f"cuDNN {asked.cudnn} is not available{where}; compatible CuDNN versions are: {', '.join(fitting)}"
        raise CudaError(message, key="cudnn")


def torch_index(
    asked: CudaAsked, wanted: Mapping[str, Pin], architecture: str, index: CudaIndex
) -> tuple[str | None, list[str]]:
    """Which of PyTorch's own indexes torch comes from (`cu126`, `cpu`), None for the default one; and warnings.

    The wheel of the default index is made for one CUDA; another that cog.yaml names, and none at all, are elsewhere.
    Raises CudaError for a GPU image whose torch has no version.
    """
    torch = wanted.get("torch")
    if torch is None:
        return None, []
    if torch.local or not asked.gpu:
        return torch_without_gpu(torch, architecture), []
    if not torch.version:
        raise CudaError("torch version must be specified when using CUDA", hint="write it as torch==2.9.1")
    if asked.cuda is None:
        return None, []
    release = ".".join(asked.cuda.split(".")[:2])
    row = next((row for row in index.torch if row.version == torch.version), None)
    if _carries(index, "torch", torch.version) == release:
        return None, []
    if row is not None and release in row.variants:
        return f"cu{release.replace('.', '')}", []
    warning = (
        f"Cog doesn't know if CUDA {asked.cuda} is compatible with PyTorch {torch.version}. "
        "This might cause CUDA problems."
    )
    return None, [f"{warning} Try {row.variants[-1]} instead?" if row is not None and row.variants else warning]


def torch_without_gpu(torch: Pin, architecture: str) -> str | None:
    """As torch_index, where no GPU is asked for, or the requirement itself says which torch it is."""
    if torch.local:
        return torch.local if re.fullmatch(r"cpu|cu\d+", torch.local) else None
    return "cpu" if torch.version and architecture == "amd64" else None


def choose(
    asked: CudaAsked, wanted: Mapping[str, Pin], wheels: Sequence[Wheel], default: str, index: CudaIndex
) -> tuple[Cuda | None, list[str]]:
    """The CUDA of an image with these wheels, None for one without a GPU, or where nothing says which; and warnings.

    `wanted` is what cog.yaml asks for, as `pins` gives it; `default` the CUDA when nothing says which (X.Y, empty where
    there is no saying). Raises CudaError.
    """
    if not asked.gpu:
        return None, []
    check(asked, index)
    tensorflow = _tensorflow(wanted, index)
    if asked.cuda and tensorflow and tensorflow.release != ".".join(asked.cuda.split(".")[:2]):
        raise CudaError(f"{tensorflow.asked_by} requires CUDA {tensorflow.version}", key="cuda")
    if (carried := _carried(wheels, index)) is not None:
        warnings = []
        if asked.cuda and carried.release != ".".join(asked.cuda.split(".")[:2]) and "torch" not in wanted:
            warnings.append(f"{carried.asked_by} brings CUDA {carried.release}; CUDA {asked.cuda} is not added to it")
        if asked.cudnn and carried.cudnn and not f"{carried.cudnn}.".startswith(f"{asked.cudnn}."):
            warnings.append(f"{carried.asked_by} brings cuDNN {carried.cudnn}; cuDNN {asked.cudnn} is not added to it")
        return carried, warnings
    needed = tensorflow or _needed(wheels, asked.cuda or default, index)
    version = asked.cuda or (needed.version if needed else default)
    if not version:
        return None, []
    cudnn = asked.cudnn or (needed.cudnn if needed else "")
    return Cuda(version, cudnn, asked_by=needed.asked_by if needed else "cog.yaml"), []


def _tensorflow(wanted: Mapping[str, Pin], index: CudaIndex) -> Cuda | None:
    """What a TensorFlow of this version is made for; None without one, or of a version that no row is about."""
    for name in _TENSORFLOW:
        if (pin := wanted.get(name)) and pin.version:
            release = ".".join(pin.version.split(".")[:2])
            row = next((row for row in index.tensorflow if row.version == release), None)
            if row is not None:
                return Cuda(row.cuda, row.cudnn, asked_by=f"TensorFlow {pin.version}")
    return None


def _carried(wheels: Sequence[Wheel], index: CudaIndex) -> Cuda | None:
    """The CUDA that wheels have in them: in wheels of NVIDIA's, or in those of torch for one CUDA."""
    cudnn = next((wheel.version for wheel in wheels if _CUDNN.fullmatch(wheel.name)), "")
    for wheel in wheels:
        if _RUNTIME.fullmatch(wheel.name):
            who = ", ".join(name for name in wheel.needed_by if name != "cog.yaml") or wheel.name
            return Cuda(".".join(wheel.version.split(".")[:2]), cudnn, carried=True, asked_by=who)
    for wheel in wheels:
        version, _, local = wheel.version.partition("+")
        if match := _LOCAL.match(local):
            return Cuda(f"{match[1]}.{match[2]}", cudnn, carried=True, asked_by=wheel.name)
        if wheel.name == "torch" and local != "cpu" and "x86_64" in wheel.file:
            return Cuda(_carries(index, "torch", version) or "10.2", cudnn, carried=True, asked_by="torch")
    return None


def _needed(wheels: Sequence[Wheel], preferred: str, index: CudaIndex) -> Cuda | None:
    """What wheels need of a CUDA that they do not bring: the `preferred` one if that will do, else the newest."""
    for wheel in wheels:
        row = _row(index, wheel.name, wheel.version)
        if row is None or not row.extras:  # a wheel without a choice brings what it needs
            continue
        fits = SpecifierSet(row.runtime if row.runtime[0] in "<>=~!" else f"~={'.'.join(row.runtime.split('.')[:2])}")
        known = [release.version for release in index.cuda if f"{release.version}.99" in fits]
        cuda = preferred if preferred and f"{'.'.join(preferred.split('.')[:2])}.99" in fits else (known or [""])[-1]
        match = re.search(r"\d+", row.cudnn.partition(">=")[2] or row.cudnn)
        return Cuda(cuda, match[0] if match else "", asked_by=wheel.name)
    return None


def _row(index: CudaIndex, package: str, version: str) -> WheelRow | None:
    """The row of a package, of this version or of the one with its first two numbers."""
    rows = [row for row in index.wheels if row.package == package]
    exact = next((row for row in rows if row.version == version), None)
    minor = version.split(".")[:2]
    return exact or next((row for row in rows if row.version.split(".")[:2] == minor), None)


def _carries(index: CudaIndex, package: str, version: str) -> str | None:
    """The CUDA (X.Y) that the default index's wheel of a package brings with it, if that is known."""
    row = _row(index, package, version)
    return ".".join(row.runtime.split(".")[:2]) if row is not None and row.runtime[0].isdigit() else None
