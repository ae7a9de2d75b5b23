"""What a base image takes the place of: the same questions as to `Base`, answered by what was found in the image."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from cog_oci.errors import RequestError
from cog_oci.resolver._debian_installed import demands
from cog_oci.resolver.base import Base, init_deb, inputs_on_image
from cog_oci.resolver.target import Target

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cog_oci.lock import BaseImage, Deb, Interpreter, InterpreterArchive, Wheel

__all__ = ["OnImage"]


@dataclass(frozen=True)
class OnImage:
    """An image on somebody else's: `python` is what was found in it, `status` what its dpkg says, once it was asked."""

    image: BaseImage
    python: Interpreter
    status: bytes = b""

    standalone = None
    pinned_debs: tuple[Deb, ...] = ()

    @property
    def python_version(self) -> str:
        """X.Y."""
        return self.python.version

    @property
    def architecture(self) -> str:
        """OCI's name of it."""
        return self.image.architecture

    @property
    def glibc(self) -> tuple[int, int]:
        """The C library's version: what wheels may need."""
        major, minor = self.image.glibc.split(".")[:2]
        return int(major), int(minor)

    @property
    def suite(self) -> str:
        """Debian's code name; empty where no packages can be added."""
        return self.python.suite

    @property
    def packages(self) -> tuple[str, ...]:
        """Those that are in it, in their versions."""
        return demands(self.status, self.architecture)

    @cached_property
    def debs(self) -> tuple[Deb, ...]:
        """What is added to every base image: the program that containers start with."""
        return (init_deb(self.architecture),)

    @cached_property
    def server_wheels(self) -> tuple[Wheel, ...]:
        """The wheels of the HTTP process."""
        return Base(self.python_version, self.architecture).server_wheels

    def check_server(self, name: str) -> None:
        """Raise RequestError for the image of this name when its C library is too old for the server."""
        from packaging.utils import parse_wheel_filename  # noqa: PLC0415 - only a new base image is checked

        major, minor = map(int, self.python_version.split("."))
        fitting = {*Target((major, minor), self.architecture, self.glibc).tags()}
        for wheel in self.server_wheels:
            if not parse_wheel_filename(wheel.file)[3] & fitting:
                raise RequestError(
                    f"the server does not run on {name}: its glibc {self.image.glibc} is too old for {wheel.file}",
                    asked=name,
                    hint="use a newer release of the base image",
                )

    def interpreter(self, archive: InterpreterArchive | None = None) -> Interpreter:  # noqa: ARG002 - as `Base` has it
        """The Python in the image."""
        return self.python

    def check(self, debs: Iterable[Deb]) -> None:
        """Nothing: what was asked for was found, or the image refused."""

    def lock_inputs(self) -> dict[str, str]:
        """The pins' hashes, by the name a message would use."""
        return inputs_on_image(self.python_version, self.architecture)
