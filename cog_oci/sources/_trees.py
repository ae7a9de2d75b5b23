"""Source archives unpacked: into a folder of their own, and nowhere else."""

from __future__ import annotations

import tarfile
import tomllib
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cog_oci.errors import CogError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["System", "build_system", "inside", "static_metadata", "unpack"]

_LARGEST = 4 << 30  # bytes of an archive, unpacked
_SETUPTOOLS = ("setuptools>=40.8.0",)  # what PEP 517 and 518 say of a project that does not say it
_LEGACY = "setuptools.build_meta:__legacy__"
_STATIC_SINCE = (2, 2)  # PEP 643


@dataclass(frozen=True, slots=True)
class System:
    """Who builds a project (PEP 518): requirements, the backend, and folders of the project to find it in."""

    requires: tuple[str, ...]
    backend: str
    paths: tuple[str, ...]


def unpack(archive: Path, name: str, into: Path) -> Path:
    """Unpack a source archive, whose kind its `name` says, and return the folder of its project.

    Raises CogError for what is damaged, too large, or would leave the folder.
    """
    try:
        if name.lower().endswith(".zip"):
            with zipfile.ZipFile(archive) as zipped:
                _check_size(name, sum(info.file_size for info in zipped.infolist()))
                zipped.extractall(into)  # noqa: S202 - zipfile keeps members below the folder
        else:
            with tarfile.open(archive) as tar:
                _check_size(name, sum(member.size for member in tar.getmembers()))
                tar.extractall(into, filter="data")
    except (OSError, EOFError, zipfile.BadZipFile, tarfile.TarError, NotImplementedError, RuntimeError) as error:
        raise CogError(f"{name} is not a source archive that can be unpacked: {error}") from error
    inside = [path for path in into.iterdir() if path.name != "pax_global_header"]
    if len(inside) == 1 and inside[0].is_dir():
        return inside[0]
    return into


def inside(tree: Path, below: str, name: str) -> None:
    """Raise CogError when `below` is no folder of the tree; `name` is what messages call that."""
    folder = (tree / below).resolve()
    if not folder.is_relative_to(tree.resolve()) or not folder.is_dir():
        raise CogError(f"{name} has no folder {below}", hint="#subdirectory= is a path below the root of the source")


def build_system(project: Path, name: str) -> System:
    """What pyproject.toml says of building, else setuptools. CogError for a folder that is no Python project."""
    file = project / "pyproject.toml"
    if not file.is_file():
        if not (project / "setup.py").is_file():
            raise CogError(
                f"{name} has neither pyproject.toml nor setup.py",
                hint="name the folder that has one with #subdirectory=",
            )
        return System(_SETUPTOOLS, _LEGACY, ())
    try:
        said = tomllib.loads(file.read_text(encoding="utf-8")).get("build-system", {})
        requires = _texts(said.get("requires", _SETUPTOOLS))
        return System(requires, str(said.get("build-backend", _LEGACY)), _texts(said.get("backend-path", ())))
    except (ValueError, AttributeError, TypeError) as error:
        raise CogError(f"{name}: pyproject.toml: {error}") from error


def static_metadata(project: Path) -> bytes | None:
    """PKG-INFO, when it says that a wheel will need just the same (PEP 643); None when building has to tell."""
    from email.parser import BytesHeaderParser  # noqa: PLC0415 - few packages are looked at so closely

    try:
        data = (project / "PKG-INFO").read_bytes()
    except OSError:
        return None
    said = BytesHeaderParser().parsebytes(data)
    numbers = str(said.get("Metadata-Version", "0")).split(".")
    if not all(number.isdigit() for number in numbers) or tuple(map(int, numbers)) < _STATIC_SINCE:
        return None
    dynamic = {str(name).strip().lower() for name in said.get_all("Dynamic") or ()}
    return None if dynamic & {"requires-dist", "provides-extra", "requires-python", "version"} else data


def _texts(value: Sequence[object]) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise TypeError("its build-system is not what PEP 518 says")
    return tuple(map(str, value))


def _check_size(name: str, size: int) -> None:
    if size > _LARGEST:
        raise CogError(f"{name} is {size} bytes when it is unpacked, more than {_LARGEST}")
