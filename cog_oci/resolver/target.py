"""What wheels must fit: a Python on Linux, of an architecture, with a C library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.markers import Environment
    from packaging.tags import Tag

__all__ = ["Target"]

_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


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
        from packaging.tags import compatible_tags, cpython_tags  # noqa: PLC0415 - uv runs by now

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
        from packaging.markers import Environment  # noqa: PLC0415 - uv runs by now

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
