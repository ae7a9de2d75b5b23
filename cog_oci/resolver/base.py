"""What is under every model: a Debian suite, a Python, and the pins of both that ship with the tool (design §4)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from cog_oci import checked, shipped
from cog_oci.errors import CogError, RequestError
from cog_oci.lock import Deb, Interpreter, Wheel
from cog_oci.oci import sha256
from cog_oci.resolver.interpreter import ROOT, standalone

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from cog_oci.lock import InterpreterArchive
    from cog_oci.resolver.interpreter import Standalone

__all__ = ["Base", "init_deb", "inputs_on_image"]

_T = TypeVar("_T")

_SUITES = {"3.11": "bookworm", "3.13": "trixie"}
_SUITE = "trixie"
"""What is below an interpreter that no suite brings."""
_GLIBC = {"bookworm": (2, 36), "trixie": (2, 41)}
_PACKAGES = (
    *("base-files", "base-passwd", "libc-bin", "netbase", "tzdata", "media-types", "ca-certificates"),
    # A shell and its usual tools: people look around in a container that misbehaves.
    *("bash", "dash", "coreutils", "findutils", "grep", "sed", "tar", "gzip"),
    # What compiled wheels take for granted (PEP 600 names these as given).
    *("libstdc++6", "libgcc-s1", "zlib1g"),
    # Forwards signals and reaps what the model leaves behind.
    "tini",
)
_OF_STANDALONE = ("libcrypt1",)
"""What a python-build-standalone archive takes from the system besides the C library: `crypt` of Python before 3.13."""


@dataclass(frozen=True)
class Base:
    """The base for the Python that is `asked` for, X.Y or X.Y.Z, and an architecture.

    Its Python is Debian's where a suite has exactly what is asked for, else a python-build-standalone archive; every
    property raises RequestError where there is neither.
    """

    asked: str
    architecture: str

    status = b""
    """Nothing is there before."""

    @property
    def python_version(self) -> str:
        """X.Y."""
        return ".".join(self.asked.split(".")[:2])

    @cached_property
    def standalone(self) -> Standalone | None:
        """The archive that Python comes from; None where Debian brings it."""
        if self.asked in _SUITES:
            return None
        exact = self.asked != self.python_version
        releases = standalone(self.architecture)
        if self.python_version in _SUITES and exact and _release_of(self._debian_file) == self.asked:
            return None
        for one in reversed(releases):
            if self.asked in {one.version, one.python_version}:
                return one
        suite = _SUITES.get(self.python_version)
        there = [f"{_release_of(self._debian_file)} (Debian {suite})"] if suite else []
        there += [one.version for one in releases if one.python_version == self.python_version]
        raise RequestError(
            f"there is no Python {self.asked} for {self.architecture}"
            + (f", only {' and '.join(there)}" if there else ""),
            asked=self.asked,
            hint=f"use one of these, or {self.python_version} for whichever comes with the tool" if there else None,
        )

    @property
    def suite(self) -> str:
        """Debian's code name."""
        return _SUITES[self.python_version] if self.standalone is None else _SUITE

    @property
    def packages(self) -> tuple[str, ...]:
        """The names that are asked for; what they depend on follows."""
        own = (f"python{self.python_version}",) if self.standalone is None else _OF_STANDALONE
        return (*_PACKAGES, *own)

    def interpreter(self, archive: InterpreterArchive | None = None) -> Interpreter:
        """Debian's Python where the package puts it, or that of the archive."""
        name = f"python{self.python_version}"
        return Interpreter(
            source="python-build-standalone" if archive else "debian",
            suite=self.suite,
            version=self.python_version,
            executable=f"{ROOT}/bin/{name}" if archive else f"/usr/bin/{name}",
            archive=archive,
        )

    def check(self, debs: Iterable[Deb]) -> None:
        """Raise RequestError when Debian's Python is no longer the release that was asked for."""
        if self.standalone is not None or self.asked == self.python_version:
            return
        for deb in debs:
            if deb.name == f"python{self.python_version}" and _upstream(deb.version) != self.asked:
                raise RequestError(
                    f"Debian {self.suite} has Python {_upstream(deb.version)} now, not {self.asked}",
                    asked=self.asked,
                    hint=f"use {self.python_version}, or lock as of an earlier time",
                )

    @property
    def glibc(self) -> tuple[int, int]:
        """The C library's version: what wheels may need."""
        return _GLIBC[self.suite]

    @property
    def debs_file(self) -> Path:
        """Where the debs of this base are pinned."""
        if self.standalone is None:
            return self._debian_file
        return shipped.lockfile(f"base-{self.suite}-{self.architecture}.json")

    @property
    def _debian_file(self) -> Path:
        name = f"base-{_SUITES[self.python_version]}-python{self.python_version}-{self.architecture}.json"
        return shipped.lockfile(name)

    @property
    def server_file(self) -> Path:
        """Where the server's wheels are pinned."""
        return shipped.lockfile(f"server-python{self.python_version}-{self.architecture}.json")

    @cached_property
    def pinned_debs(self) -> tuple[Deb, ...]:
        """The debs as they were when the pins were made: preferred while the archive has them."""
        return _pins(Deb, self.debs_file)

    @cached_property
    def server_wheels(self) -> tuple[Wheel, ...]:
        """The wheels of the HTTP process: exactly these."""
        return _pins(Wheel, self.server_file)

    def lock_inputs(self) -> dict[str, str]:
        """The pins' hashes, by the name a message would use."""
        inputs: dict[str, str] = {
            f"the tool's base for Python {self.python_version}": sha256(self.debs_file.read_bytes()),
            "the tool's server": sha256(self.server_file.read_bytes()),
        }
        if self.standalone is not None:
            inputs[f"the tool's Python {self.python_version}"] = f"sha256:{self.standalone.sha256}"
        return inputs


def init_deb(architecture: str) -> Deb:
    """The package of `tini`, as it is pinned with the base: images on somebody else's have nothing of it but that."""
    pinned = _pins(Deb, shipped.lockfile(f"base-{_SUITE}-{architecture}.json"))
    return next(deb for deb in pinned if deb.name == "tini")


def inputs_on_image(python_version: str, architecture: str) -> dict[str, str]:
    """What of the tool is in an image on somebody else's, for a lock; the Python is empty while it is not known."""
    rows = json.loads(_read(shipped.lockfile(f"base-{_SUITE}-{architecture}.json")))
    inputs = {"the tool's init": next(f"sha256:{row['sha256']}" for row in rows if row["name"] == "tini")}
    if python_version:
        minor = ".".join(python_version.split(".")[:2])
        inputs["the tool's server"] = sha256(_read(shipped.lockfile(f"server-python{minor}-{architecture}.json")))
    return inputs


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        raise CogError(f"this installation of cog-oci lacks {file.name}", hint="install it again") from None


def _pins(kind: type[_T], file: Path) -> tuple[_T, ...]:
    """The rows of a file of pins. It was checked when it was made, and is again where it cannot be read."""
    data = _read(file)
    try:
        return tuple(kind(**{**row, "needed_by": tuple(row.get("needed_by", ()))}) for row in json.loads(data))
    except (ValueError, TypeError, AttributeError):
        pass
    try:
        return checked.check(tuple[kind, ...], data)  # type: ignore[valid-type]  # pydantic reads it when it runs
    except checked.UnfitError as error:
        raise CogError(f"{file.name}: {error.where or 'the file'}: {error}", hint="install cog-oci again") from error


def _release_of(file: Path) -> str:
    """The release of Python (X.Y.Z) that the debs pinned in this file bring; empty when they bring none."""
    rows = json.loads(_read(file))
    return next((_upstream(row["version"]) for row in rows if re.fullmatch(r"python3\.\d+", row["name"])), "")


def _upstream(version: str) -> str:
    """Debian's version without epoch and revision (deb-version(7)), and without what Debian adds to a release."""
    return re.split(r"[-+~]", version.rpartition(":")[2])[0]
