"""Python packages: uv resolves for the target, `packaging` reads the result, and here it becomes wheels in a lock.

uv is run as a program, with the user's own uv configuration; what comes back is a pylock.toml (PEP 751), wheels only.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.markers import Environment
from packaging.pylock import PackageWheel, Pylock
from packaging.tags import compatible_tags, cpython_tags
from packaging.utils import canonicalize_name

from cog_oci.errors import CogError, Problem, RequestError, SourceError
from cog_oci.lock import Wheel
from cog_oci.origins import uv
from cog_oci.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from packaging.tags import Tag

    from cog_oci.progress import Progress

__all__ = ["NoWheelError", "ResolutionError", "Target", "resolve"]

_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
_NEWEST_MANYLINUX = (2, 40)  # what uv knows
_OURS = frozenset({"cog", "coglet"})


class ResolutionError(RequestError):
    """uv found no set of packages that fits; its explanation is the message."""


class NoWheelError(ResolutionError):
    """A package has no wheel for the target."""


@dataclass(frozen=True, slots=True)
class Target:
    """What wheels must fit: Python X.Y on Linux with a glibc, of one of OCI's architectures."""

    python: tuple[int, int]
    architecture: str
    glibc: tuple[int, int]

    @property
    def machine(self) -> str:
        """The kernel's name of the architecture."""
        return _MACHINES[self.architecture]

    def tags(self) -> list[Tag]:
        """Every wheel tag that fits, best first (PEP 425, PEP 600)."""
        major, newest = self.glibc
        platforms: list[str] = []
        for minor in range(newest, 4, -1):
            platforms.append(f"manylinux_{major}_{minor}_{self.machine}")
            legacy = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}.get(minor)
            if legacy and (self.machine == "x86_64" or minor == 17):
                platforms.append(f"{legacy}_{self.machine}")
        platforms.append(f"linux_{self.machine}")
        interpreter = f"cp{self.python[0]}{self.python[1]}"
        return [
            *cpython_tags(self.python, platforms=platforms),
            *compatible_tags(self.python, interpreter=interpreter, platforms=platforms),
        ]

    def environment(self) -> Environment:
        """The values of environment markers there (PEP 508)."""
        version = f"{self.python[0]}.{self.python[1]}"
        return Environment(
            implementation_name="cpython",
            implementation_version=f"{version}.0",
            os_name="posix",
            platform_machine=self.machine,
            platform_python_implementation="CPython",
            platform_release="",
            platform_system="Linux",
            platform_version="",
            python_full_version=f"{version}.0",
            python_version=version,
            sys_platform="linux",
        )


def resolve(
    requirements: Path | Sequence[str], target: Target, as_of: datetime, *, name: str = "", progress: Progress = SILENT
) -> list[Wheel]:
    """The wheels that satisfy a requirements file, or a list of requirements, with nothing newer than `as_of`.

    `name` is what messages call the file. Raises ResolutionError (uv's own explanation), or SourceError where a line
    of the file can be blamed.
    """
    with tempfile.TemporaryDirectory(prefix="cog-oci-") as folder:
        if isinstance(requirements, Path):
            source = requirements
        else:
            source = Path(folder) / "requirements.in"
            source.write_text("".join(f"{line}\n" for line in requirements), encoding="utf-8")
        progress.say("resolving Python packages")
        locked = _compile(source, target, as_of, Path(folder) / "pylock.toml")
        if locked.returncode:
            raise _explained(locked.stderr, source, name, written=isinstance(requirements, Path))
        pylock = Pylock.from_dict(tomllib.loads((Path(folder) / "pylock.toml").read_text(encoding="utf-8")))
        listing = _compile(source, target, as_of, Path(folder) / "requirements.txt")
        needed_by = _needed_by(listing.stdout, source)
    wheels = [_wheel(item, needed_by) for item in _selected(pylock, target)]
    if ours := sorted(_OURS.intersection(wheel.name for wheel in wheels)):
        progress.say(f"leaving out {', '.join(ours)}: the image brings its own")
    return sorted((wheel for wheel in wheels if wheel.name not in _OURS), key=lambda wheel: (wheel.name, wheel.version))


def _compile(source: Path, target: Target, as_of: datetime, output: Path) -> subprocess.CompletedProcess[str]:
    glibc = min(target.glibc, _NEWEST_MANYLINUX)
    command = [
        *(uv(), "pip", "compile", str(source), "--output-file", str(output)),
        *("--format", "pylock.toml" if output.name == "pylock.toml" else "requirements.txt"),
        # Any interpreter will do for the program itself; looking for one of the target's version costs seconds.
        *("--python", sys.executable),
        *("--python-version", f"{target.python[0]}.{target.python[1]}"),
        *("--python-platform", f"{target.machine}-manylinux_{glibc[0]}_{glibc[1]}"),
        *("--only-binary", ":all:", "--exclude-newer", as_of.isoformat()),
        *("--no-header", "--no-progress", "--color", "never", "--annotation-style", "line"),
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _selected(pylock: Pylock, target: Target) -> Iterator[tuple[str, str, PackageWheel]]:
    for package, chosen in pylock.select(environment=target.environment(), tags=target.tags()):
        if not isinstance(chosen, PackageWheel):
            raise NoWheelError(
                f"{package.name} {package.version} is not a wheel",
                asked=str(package.name),
                hint="cog-oci installs wheels from an index only",
            )
        yield str(package.name), str(package.version), chosen


def _wheel(item: tuple[str, str, PackageWheel], needed_by: Mapping[str, tuple[str, ...]]) -> Wheel:
    name, version, wheel = item
    if wheel.size is None or "sha256" not in wheel.hashes:
        raise ResolutionError(f"the index does not give the size and the sha256 of {wheel.filename}", asked=name)
    return Wheel(
        name=name,
        version=version,
        file=wheel.filename,
        sha256=wheel.hashes["sha256"],
        size=wheel.size,
        index="default",
        needed_by=needed_by.get(name, ()),
    )


def _needed_by(listing: str, source: Path) -> dict[str, tuple[str, ...]]:
    """Who asked for what, from the `# via` notes of a requirements listing; the user's own file is `cog.yaml`'s."""
    asked: dict[str, tuple[str, ...]] = {}
    for line in listing.splitlines():
        if match := re.match(r"([A-Za-z0-9._-]+)\S*\s.*# via (.+)", line):
            via = {
                "cog.yaml" if str(source) in part or part.startswith("-r ") else canonicalize_name(part.strip())
                for part in match[2].split(",")
            }
            asked[canonicalize_name(match[1])] = tuple(sorted(via))
    return asked


def _explained(stderr: str, source: Path, name: str, *, written: bool) -> CogError:
    """What uv explains, with the line of the requirements file that it is about where one can be told."""
    text = re.sub(r"^\s*[\u00d7\u2500-\u259f\u25b6]+\s*", "", stderr.strip(), flags=re.MULTILINE)
    text = re.sub(r"\s*\n\s+", " ", text).removeprefix("error: ").replace(str(source), name or source.name)
    text = text.replace(" cause: Because", ": because")
    error: type[ResolutionError] = ResolutionError
    hint = "see that the names and versions are right"
    if re.search(r"no (usable )?wheels|no wheels with a matching|has no (usable )?wheels", text):
        error = NoWheelError
        hint = "choose a version that has a wheel for this Python and platform, or build one and publish it"
    line, column, asked = _blamed(text, source)
    if written and asked:
        return SourceError([Problem(name or source.name, line, column, text)], hint=hint)
    return error(text, asked=asked, hint=hint)


def _blamed(text: str, source: Path) -> tuple[int, int, str]:
    """The first requirement that the explanation names: its line, its column, and all that stands there."""
    subjects = {canonicalize_name(subject) for subject in re.findall(r"[A-Za-z0-9][A-Za-z0-9._-]*[A-Za-z0-9]", text)}
    for number, line in enumerate(source.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        match = re.match(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)", line)
        if match and canonicalize_name(match[1]) in subjects:
            return number, match.start(1) + 1, line
    return 0, 0, ""
