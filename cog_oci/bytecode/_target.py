"""The interpreter of an image as the one that compiles for it, and whether this host can run it."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from cog_oci.errors import CogError
from cog_oci.layers import realise, recipe
from cog_oci.oci import Image, ImageConfig, Platform

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cog_oci.layers import Compression, Layer
    from cog_oci.layers.bytecode import Compile
    from cog_oci.lock import Artifact
    from cog_oci.store import Store

__all__ = ["CannotCompileError", "TargetInterpreter", "cannot_compile"]

_VERSION = 1
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


class CannotCompileError(CogError):
    """The image has bytecode in it that is not made yet, and this host cannot run its interpreter."""

    def __init__(self, platform: Platform, reason: str) -> None:
        self.platform, self.reason = platform, reason
        super().__init__(
            f"cog.lock asks for compiled Python, which only the Python of the image can make: {reason}",
            hint=f"build on a {platform} host, or leave it out with `cog-oci lock --no-bytecode`",
        )


@dataclass(frozen=True)
class TargetInterpreter:
    """The Python of an image: `own` are its own packages or archive, `below` the layers that it needs to start.

    `architecture` is OCI's name of the one that it is for.
    """

    python_version: str
    executable: str
    architecture: str
    own: tuple[Artifact, ...]
    below: tuple[Layer, ...]
    compression: Compression = "gzip"

    @property
    def artifacts(self) -> Sequence[Artifact]:
        """What the layers are made from."""
        return [artifact for layer in self.below for artifact in layer.artifacts]

    @cached_property
    def recipe(self) -> str:
        """By the interpreter's packages alone: no other part of a base decides what it compiles to."""
        return recipe("interpreter", _VERSION, debs=sorted(one.sha256 for one in self.own))

    @property
    def platform(self) -> Platform:
        """What it runs on."""
        return Platform("linux", self.architecture)

    def check(self) -> None:
        """Raise CannotCompileError when it does not run here."""
        if reason := cannot_compile(self.platform):
            raise CannotCompileError(self.platform, reason)

    @contextmanager
    def open(self, store: Store) -> Iterator[Compile]:
        """Start it, once for each core. Raises CannotCompileError; compiling raises CogError when it ends too soon."""
        from cog_oci.bytecode._interpreters import started  # noqa: PLC0415 - bytecode that is known starts nothing

        self.check()
        below = tuple(realise(layer, store, compression=self.compression) for layer in self.below)
        with started(Image(self.platform, ImageConfig(), below), self.executable, store) as compile_:
            yield compile_


def cannot_compile(platform: Platform) -> str | None:
    """Why this host cannot run the interpreter of an image for `platform`; None when it can. Makes nothing."""
    if sys.platform != "linux":
        return f"that needs Linux, and this host is {sys.platform}"
    machine = os.uname().machine
    if _MACHINES.get(machine) != platform.architecture:
        return f"the image is for {platform.architecture}, and this host is {machine}"
    from cog_oci.sandbox import unavailable  # noqa: PLC0415 - most builds start nothing

    return unavailable()
