"""cuda-index.json: what is known of CUDA, each row with its source: releases and drivers, who needs which, where it is.

It ships with the tool. `scripts/refresh-cuda-index` derives the rows about wheels anew from what wheels say themselves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cog_oci import checked, shipped
from cog_oci.checked import Matching, Strict
from cog_oci.errors import CogError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "CapabilityFloor",
    "CudaIndex",
    "CudaRelease",
    "CudnnRelease",
    "DebianCuda",
    "NvidiaArchive",
    "TensorflowRow",
    "TorchArchitectures",
    "TorchRow",
    "WheelRow",
    "cuda_index",
    "numbers",
]

_Version = Annotated[str, Matching(r"^\d+(\.\d+)*$")]
_Release = Annotated[str, Matching(r"^\d+\.\d+$")]
_Specifier = Annotated[str, Matching(r"^([0-9.]+|[<>=~!]=?[0-9.*]+(,[<>=~!]=?[0-9.*]+)*)?$")]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row(Strict):
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CudaRelease(_Row):
    """A CUDA release X.Y: `driver` came with it, `floor` is the oldest that runs programs made with it.

    That is minor version compatibility; code that the driver compiles (PTX) needs `driver`. `capability` is that of the
    oldest GPU, X.Y of sm_XY, empty where it is not known.
    """

    version: _Release
    driver: _Version
    floor: _Version
    capability: Annotated[str, Matching(r"^(\d+\.\d+)?$")]


@dataclass(frozen=True, slots=True, kw_only=True)
class CudnnRelease(_Row):
    """A major release of cuDNN: for which majors of CUDA, and the Debian package (`{major}` is CUDA's)."""

    version: _Version
    cuda: tuple[str, ...]
    package: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TorchRow(_Row):
    """A release of torch: the CUDA releases that its own index has wheels for, and what belongs to it."""

    version: _Version
    variants: tuple[_Release, ...]
    torchvision: _Version
    torchaudio: _Version
    pythons: tuple[_Release, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TorchArchitectures(_Row):
    """What GPUs a build of torch has code for: capabilities X.Y; `ptx` is that of code for later ones, or empty."""

    version: _Version
    cuda: _Release
    capabilities: tuple[_Release, ...]
    ptx: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CapabilityFloor(_Row):
    """The oldest torch and CUDA with code for GPUs of this capability and those after it, up to the next row."""

    capability: _Release
    torch: _Version
    cuda: _Release


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorflowRow(_Row):
    """A release X.Y of TensorFlow, and the CUDA and cuDNN that it is made for."""

    version: _Release
    cuda: _Release
    cudnn: _Release


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelRow(_Row):
    """What a wheel asks for beside it, with these extras: versions, or conditions on them; empty for nothing.

    `runtime` is CUDA's runtime library, whose version is CUDA's own.
    """

    package: str
    extras: tuple[str, ...]
    version: _Version
    runtime: _Specifier
    cudnn: _Specifier
    nccl: _Specifier


@dataclass(frozen=True, slots=True, kw_only=True)
class DebianCuda(_Row):
    """The one CUDA release that a Debian suite has, `exact` as X.Y.Z: `libraries` are packages of these components."""

    suite: str
    cuda: _Release
    exact: _Version
    components: tuple[str, ...]
    libraries: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NvidiaArchive(_Row):
    """NVIDIA's archive for a Debian suite and an architecture: its folder, and its key by file name and fingerprint.

    An empty fingerprint is one that is not known: nothing is taken from such an archive.
    """

    suite: str
    architecture: str
    folder: str
    key: str
    fingerprint: Annotated[str, Matching("^([0-9a-f]{40})?$")]
    libraries: tuple[str, ...]

    @property
    def name(self) -> str:
        """What a lock calls it: `nvidia-debian12-x86-64`."""
        return "nvidia-" + self.folder.replace("/", "-").replace("_", "-")


@dataclass(frozen=True, slots=True, kw_only=True)
class CudaIndex(Strict):
    """The whole file: `nvidia` and `pytorch` are base addresses; `sources` says where rows are from, by a word."""

    version: Literal[1]
    nvidia: str
    pytorch: str
    sources: Mapping[str, str]
    cuda: tuple[CudaRelease, ...]
    cudnn: tuple[CudnnRelease, ...]
    torch: tuple[TorchRow, ...]
    torch_architectures: tuple[TorchArchitectures, ...]
    capability_floors: tuple[CapabilityFloor, ...]
    tensorflow: tuple[TensorflowRow, ...]
    wheels: tuple[WheelRow, ...]
    debian: tuple[DebianCuda, ...]
    archives: tuple[NvidiaArchive, ...]

    @classmethod
    def from_bytes(cls, data: bytes) -> CudaIndex:
        """Parse and check; a CogError names what does not fit."""
        try:
            return checked.check(cls, data)
        except checked.UnfitError as error:
            raise CogError(f"cuda-index.json: {error.where}: {error}", hint="install cog-oci again") from error

    def to_bytes(self) -> bytes:
        """The canonical file: keys sorted, one row a line. `CudaIndex.from_bytes(index.to_bytes()) == index`."""
        return ("{\n" + ",\n".join(self._lines()) + "\n}\n").encode()

    def _lines(self) -> Iterator[str]:
        for name in sorted(field.name for field in fields(self)):
            value = getattr(self, name)
            if isinstance(value, tuple):
                rows = ",\n".join(f"    {json.dumps(asdict(row), sort_keys=True)}" for row in value)
                yield f'  "{name}": [\n{rows}\n  ]'
            else:
                text = json.dumps(value, sort_keys=True, indent=2 if name == "sources" else None)
                yield f'  "{name}": {text.replace(chr(10), chr(10) + "  ")}'

    def release(self, version: str) -> CudaRelease | None:
        """The row of a CUDA version X.Y or X.Y.Z."""
        return next((row for row in self.cuda if row.version == ".".join(version.split(".")[:2])), None)


_ROWS: Mapping[str, type[_Row]] = {
    "cuda": CudaRelease,
    "cudnn": CudnnRelease,
    "torch": TorchRow,
    "torch_architectures": TorchArchitectures,
    "capability_floors": CapabilityFloor,
    "tensorflow": TensorflowRow,
    "wheels": WheelRow,
    "debian": DebianCuda,
    "archives": NvidiaArchive,
}


@cache
def cuda_index() -> CudaIndex:
    """The index that ships with this tool. It was checked when it was made: a lock needs it before uv can start."""
    try:
        data = shipped.cuda_index().read_bytes()
    except FileNotFoundError:
        raise CogError("this installation of cog-oci lacks cuda-index.json", hint="install it again") from None
    try:
        values = json.loads(data)
        rows = {name: tuple(kind(**_tuples(row)) for row in values[name]) for name, kind in _ROWS.items()}
        return CudaIndex(**{**values, **rows})
    except (ValueError, TypeError, KeyError):
        return CudaIndex.from_bytes(data)  # which says what is wrong


def _tuples(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}


def numbers(version: str) -> tuple[int, ...]:
    """`12.10` → (12, 10): versions of numbers, to be compared."""
    return tuple(int(part) for part in version.split("."))
