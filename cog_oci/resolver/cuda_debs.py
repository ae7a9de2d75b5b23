"""Where the Debian packages of a CUDA come from: Debian's own archive, or NVIDIA's.

Debian has one release a suite, with snapshots of every past state, and no cuDNN; it is taken where it has all that is
needed. NVIDIA's has every release, each as it is today only. An archive of build.apt whose name begins with
`nvidia` takes its place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from cog_oci.apt import AptArchive
from cog_oci.resolver.cuda import CudaError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from cog_oci.cuda_index import CudaIndex, NvidiaArchive
    from cog_oci.resolver.cuda import Cuda

__all__ = ["CudaDebs", "cuda_debs"]

_NVIDIA = "nvidia"
_BUILD = "+cuda"
"""How the versions of packages go on that are built for several CUDAs under one name."""


@dataclass(frozen=True, slots=True)
class CudaDebs:
    """Packages of a CUDA: each a name, and what its version begins with and has in it, both empty for any.

    `components` are those of Debian's archive that have them; `archive` is NVIDIA's, None where that is not needed.
    """

    packages: tuple[tuple[str, str, str], ...]
    components: tuple[str, ...] = ()
    archive: AptArchive | None = None

    def names(
        self, versions: Callable[[str], Sequence[str]], preferred: Mapping[str, str] = MappingProxyType({})
    ) -> list[str]:
        """What to ask a resolver for, `versions` being its versions of a name, the newest first. Raises CudaError.

        A version that is `preferred`, by name, is taken if it fits, otherwise the newest that does.
        """
        found = []
        for name, begins, has in self.packages:
            there = list(versions(name)) if begins or has else []
            fitting = (
                [one for one in there if re.match(rf"(\d+:)?{re.escape(begins)}(?![0-9])", one)] if begins else there
            )
            if has and any(_BUILD in one for one in there):
                fitting = [one for one in fitting if has in one]
            if there and not fitting:
                wanted = f"{begins}{f' with {has[:-1]}' if has else ''}"
                message = f"there is no {name} {wanted}, only {', '.join(there[:8])}"
                raise CudaError(message, key="cudnn" if "cudnn" in name else "cuda")
            version = preferred.get(name, "")
            found.append(f"{name}={version if version in fitting else fitting[0]}" if fitting else name)
        return found


def cuda_debs(
    cuda: Cuda, suite: str, architecture: str, configured: Iterable[AptArchive], index: CudaIndex
) -> CudaDebs:
    """The packages of this CUDA for a Debian suite. Raises CudaError where no archive is known that has them."""
    own = next((row for row in index.debian if row.suite == suite), None)
    if own is not None and cuda.version in {own.cuda, own.exact} and not cuda.cudnn:
        return CudaDebs(tuple((name, "", "") for name in own.libraries), components=own.components)
    row = _nvidia(suite, architecture, index)
    given = next((one for one in configured if one.name.startswith(_NVIDIA)), None)
    if given is None and (row is None or not row.fingerprint):
        raise _unknown(cuda, suite, own.cuda if own else "")
    return CudaDebs(_packages(cuda, row, index), archive=None if given or row is None else _archive(row, index))


def _nvidia(suite: str, architecture: str, index: CudaIndex) -> NvidiaArchive | None:
    return next((row for row in index.archives if (row.suite, row.architecture) == (suite, architecture)), None)


def _archive(row: NvidiaArchive, index: CudaIndex) -> AptArchive:
    address = f"{index.nvidia}/{row.folder}"
    return AptArchive(name=row.name, url=address, suite="./", key=f"{address}/{row.key}", fingerprint=row.fingerprint)


def _packages(cuda: Cuda, row: NvidiaArchive | None, index: CudaIndex) -> tuple[tuple[str, str, str], ...]:
    major, minor = cuda.release.split(".")
    patch = cuda.version if cuda.version != cuda.release else ""
    patterns = row.libraries if row is not None else ("cuda-libraries-{major}-{minor}",)
    found = [(pattern.format(major=major, minor=minor), patch, "") for pattern in patterns]
    if cuda.cudnn:
        release = next(one for one in index.cudnn if one.version == cuda.cudnn.split(".")[0])
        # Builds of one cuDNN for several CUDAs bear the same name and differ in the end of their versions.
        found.append((release.package.format(major=major), cuda.cudnn, f"{_BUILD}{major}."))
    return tuple(found)


def _unknown(cuda: Cuda, suite: str, own: str) -> CudaError:
    what = f"CUDA {cuda.version}{f' and cuDNN {cuda.cudnn}' if cuda.cudnn else ''}"
    said = cuda.asked_by == "cog.yaml"
    return CudaError(
        f"{'the model' if said else cuda.asked_by} needs {what}, which no archive known here has for Debian {suite}",
        key=("cudnn" if cuda.cudnn else "cuda") if said else "",
        hint="take wheels that bring them (onnxruntime-gpu[cuda,cudnn], tensorflow[and-cuda], jax[cuda12]), "
        + (f'ask for build.cuda: "{own}", which Debian has, without cuDNN, ' if own else "")
        + f"or name NVIDIA's archive in build.apt, as {_NVIDIA}, with the fingerprint of its key",
    )
