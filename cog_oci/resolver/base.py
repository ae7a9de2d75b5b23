"""What is under every model: a Debian suite, its Python, and the pins of both that ship with the tool (design §4)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from cog_oci import shipped
from cog_oci.errors import CogError
from cog_oci.lock import Deb, Interpreter, Wheel
from cog_oci.oci import sha256

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Base"]

_SUITES = {"3.11": "bookworm", "3.13": "trixie"}
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


@dataclass(frozen=True)
class Base:
    """The base for one Python and architecture."""

    python_version: str
    architecture: str

    @property
    def suite(self) -> str:
        """Debian's code name."""
        try:
            return _SUITES[self.python_version]
        except KeyError:
            raise CogError(f"no base brings Python {self.python_version}") from None

    @property
    def packages(self) -> tuple[str, ...]:
        """The names that are asked for; what they depend on follows."""
        return (*_PACKAGES, f"python{self.python_version}")

    @property
    def interpreter(self) -> Interpreter:
        """Debian's Python, where the package puts it."""
        return Interpreter(
            source="debian",
            suite=self.suite,
            version=self.python_version,
            executable=f"/usr/bin/python{self.python_version}",
        )

    @property
    def glibc(self) -> tuple[int, int]:
        """The C library's version: what wheels may need."""
        return _GLIBC[self.suite]

    @property
    def debs_file(self) -> Path:
        """Where the debs of this base are pinned."""
        return shipped.lockfile(f"base-{self.suite}-python{self.python_version}-{self.architecture}.json")

    @property
    def server_file(self) -> Path:
        """Where the server's wheels are pinned."""
        return shipped.lockfile(f"server-python{self.python_version}-{self.architecture}.json")

    @cached_property
    def pinned_debs(self) -> tuple[Deb, ...]:
        """The debs as they were when the pins were made: preferred while the archive has them."""
        return TypeAdapter(tuple[Deb, ...]).validate_python(_rows(self.debs_file))

    @cached_property
    def server_wheels(self) -> tuple[Wheel, ...]:
        """The wheels of the HTTP process: exactly these."""
        return TypeAdapter(tuple[Wheel, ...]).validate_python(_rows(self.server_file))

    def lock_inputs(self) -> dict[str, str]:
        """The pins' hashes, by the name a message would use."""
        return {
            f"the tool's base for Python {self.python_version}": sha256(self.debs_file.read_bytes()),
            "the tool's server": sha256(self.server_file.read_bytes()),
        }


def _rows(file: Path) -> list[object]:
    try:
        rows = json.loads(file.read_bytes())
    except FileNotFoundError:
        raise CogError(f"this installation of cog-oci lacks {file.name}", hint="install it again") from None
    if not isinstance(rows, list):
        raise CogError(f"{file.name} is not a list of artifacts", hint="install cog-oci again")
    return rows
