"""A lock that another tool has made, pylock.toml (PEP 751) or uv.lock: its pins are taken, nothing is resolved."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from packaging.pylock import (
    PackageArchive,
    PackageSdist,
    PackageVcs,
    PackageWheel,
    Pylock,
    PylockSelectError,
    PylockValidationError,
    is_valid_pylock_path,
)

from cog_oci.errors import CogError
from cog_oci.indexes import DEFAULT, bare
from cog_oci.lock import Source, Wheel
from cog_oci.oci import Digest
from cog_oci.origins import default_index, uv
from cog_oci.sources._git import Repository
from cog_oci.sources.make import OURS, LineError, take
from cog_oci.sources.resolve import Resolved, merged

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from packaging.pylock import Package, PackageDirectory

    from cog_oci.indexes import Indexes
    from cog_oci.sources.make import Maker

    Chosen = PackageArchive | PackageDirectory | PackageSdist | PackageVcs | PackageWheel

__all__ = ["Adopter", "is_lock"]

_UV_LOCK = "uv.lock"


def is_lock(file: Path) -> bool:
    """Whether a file is, by its name, the lock of another tool."""
    return file.name == _UV_LOCK or is_valid_pylock_path(file)


@dataclass(frozen=True)
class Adopter:
    """Takes pins over for one target."""

    indexes: Indexes
    maker: Maker

    def adopt(self, file: Path) -> Resolved:
        """What the file pins for the target, without what the image brings itself, sorted by name.

        A package whose index has a name here is locked from that one, else from the default index: the addresses of the
        files are not kept. What is no wheel is built. Raises CogError for a file that cannot be read or is not for this
        target, and what `Maker` raises.
        """
        target = self.maker.target
        try:
            pylock, asked = _pins(file)
            chosen = list(pylock.select(environment=target.environment(), tags=target.tags()))
        except (tomllib.TOMLDecodeError, PylockValidationError, UnicodeDecodeError) as error:
            raise CogError(f"{file.name}: {error}", hint="make it again with the tool that made it") from None
        except PylockSelectError as error:
            where = f"Python {target.python[0]}.{target.python[1]} on Linux {target.machine}"
            raise CogError(f"{file.name} is not for {where}: {error}", hint="lock it for that, too") from None
        self._tell_unknown(file, [package for package, _ in chosen])
        names = {str(package.name) for package, _ in chosen}
        wheels: list[Wheel] = []
        used: list[Wheel] = []
        for package, one in chosen:
            if package.name in OURS:
                continue
            try:
                wheel, tools = self._wheel(package, one, file)
            except LineError as error:
                raise CogError(f"{file.name}: {package.name}: {error}") from None
            needed_by = tuple(sorted(asked.get(str(package.name), set()) & names)) or ("cog.yaml",)
            wheels.append(replace(wheel, needed_by=needed_by))
            used += tools
        return Resolved(tuple(sorted(wheels, key=lambda wheel: (wheel.name, wheel.version))), merged(used))

    def _tell_unknown(self, file: Path, packages: Sequence[Package]) -> None:
        """Say which indexes have no name here: what only they have will not be found."""
        named = {package.index.rstrip("/") for package in packages if package.index}
        unknown = {address for address in named if self.indexes.name_of(address) == DEFAULT}
        if unknown and (others := sorted(map(bare, unknown - {default_index().rstrip("/")}))):
            self.maker.progress.say(
                f"{file.name} takes packages from {', '.join(others)}, which has no name in `indexes:` of cog.yaml: "
                "they are locked from the default index"
            )

    def _wheel(self, package: Package, chosen: Chosen, file: Path) -> tuple[Wheel, Sequence[Wheel]]:
        """The wheel of a package, and what it was built with."""
        if isinstance(chosen, PackageVcs):
            if chosen.type != "git" or not chosen.url:
                raise LineError(f"it comes from {chosen.type}, and only git is known here")
            repository = Repository(chosen.url, chosen.requested_revision or "", chosen.subdirectory or "")
            return self.maker.of_repository(str(package.name), repository, chosen.commit_id)
        if isinstance(chosen, PackageArchive | PackageSdist | PackageWheel):
            return self._of_file(package, chosen, file)
        raise LineError(f"it is the folder {chosen.path}: build a wheel of it, and lock that")

    def _of_file(
        self, package: Package, chosen: PackageArchive | PackageSdist | PackageWheel, lock: Path
    ) -> tuple[Wheel, Sequence[Wheel]]:
        direct = isinstance(chosen, PackageArchive)
        name = _file_name(chosen)
        sha256, size = str(chosen.hashes.get("sha256", "")), chosen.size
        if chosen.path is not None and chosen.url is None:
            source = self._in_project(lock, chosen.path)
            digest, size = take(self.maker.folder / source.path, self.maker.store, sha256)
            return self.maker.of_file(name, digest, size, source)
        address = str(chosen.url)
        index = self.indexes.name_of(package.index) if package.index else DEFAULT
        if not direct and name.endswith(".whl"):
            if not sha256:
                found, size = self.maker.fetcher.unknown(name, address)
                sha256 = found.removeprefix("sha256:")
            size = self.maker.fetcher.size(name, address) if size is None else size
            return _of_index(package, name, sha256, size, index), ()
        if sha256:
            digest = Digest(f"sha256:{sha256}")
            size = self.maker.fetcher.blob(name, [address], digest, size).stat().st_size
        else:
            digest, size = self.maker.fetcher.unknown(name, address)
        source = Source(url=bare(address)) if direct else Source(index=index)
        return self.maker.of_file(name, digest, size, source)

    def _in_project(self, lock: Path, path: str) -> Source:
        root = self.maker.folder.resolve()
        place = (lock.absolute().parent / path).resolve()
        if not place.is_relative_to(root) or not place.is_file():
            raise LineError(f"{path} is no file of the project")
        return Source(path=place.relative_to(root).as_posix())


def _of_index(package: Package, file: str, sha256: str, size: int, index: str) -> Wheel:
    return Wheel(name=str(package.name), version=str(package.version), file=file, sha256=sha256, size=size, index=index)


def _file_name(chosen: PackageArchive | PackageSdist | PackageWheel) -> str:
    if isinstance(chosen, PackageArchive):
        return unquote(urlsplit(chosen.url).path if chosen.url else str(chosen.path)).rpartition("/")[2]
    return chosen.filename


def _pins(file: Path) -> tuple[Pylock, Mapping[str, set[str]]]:
    """The file as a pylock, and by the name of each package who asks for it."""
    asked: dict[str, set[str]] = {}
    if file.name == _UV_LOCK:
        for row in tomllib.loads(file.read_text(encoding="utf-8")).get("package", ()):
            source = row.get("source", {})
            by = "" if "virtual" in source or "editable" in source else row["name"]
            for needed in _dependencies(row):
                asked.setdefault(needed["name"], set()).add(by)
        return Pylock.from_dict(tomllib.loads(_exported(file))), asked
    pylock = Pylock.from_dict(tomllib.loads(file.read_text(encoding="utf-8")))
    for package in pylock.packages:
        for dependency in package.dependencies or ():
            asked.setdefault(str(dependency.get("name", "")), set()).add(str(package.name))
    return pylock, asked


def _dependencies(row: Mapping[str, Any]) -> list[Mapping[str, str]]:
    extras = row.get("optional-dependencies", {}).values()
    return [*row.get("dependencies", ()), *(one for some in extras for one in some)]


def _exported(file: Path) -> str:
    """A uv.lock as uv itself reads it, in the standard's words; nothing is resolved, fetched or built."""
    command = [
        *(uv(), "export", "--frozen", "--offline", "--no-emit-project", "--no-dev", "--no-header", "--quiet"),
        *("--format", "pylock.toml", "--color", "never", "--python", sys.executable),
    ]
    done = subprocess.run(command, cwd=file.absolute().parent, capture_output=True, text=True, check=False)
    if done.returncode:
        told = done.stderr.strip().removeprefix("error: ").replace(f"{file.absolute().parent}/", "")
        raise CogError(
            f"{file.name}: {told}", hint="it has to lie next to its pyproject.toml; `uv lock` makes it again"
        )
    return done.stdout
