"""What an image stands on: the base that a project asks for, its layers, and its Python as the one that compiles.

Three kinds of ground: a Debian suite with its own Python, one with an interpreter from an archive, and somebody else's
image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cog_oci.layers.debs import deb_layers
from cog_oci.resolver.base import Base, inputs_on_image

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cog_oci.bytecode import TargetInterpreter
    from cog_oci.config import Project
    from cog_oci.layers import Compression, Layer
    from cog_oci.lock import Artifact, PlatformLock
    from cog_oci.oci import Platform

__all__ = ["base_of", "compiling", "ground_layers", "inputs_of"]


def base_of(project: Project, platform: Platform) -> Base:
    """The base that this project asks for; a SourceError where nothing brings its Python."""
    base = Base(project.config.build.python_version, platform.architecture)
    with project.blaming("python_version"):
        _ = base.standalone
    return base


def inputs_of(project: Project, platform: Platform, locked: PlatformLock | None = None) -> dict[str, str]:
    """Everything that decides the lock of this platform, as it is now, by the name a message would use.

    A base image may decide which Python it is: what was `locked` then says it.
    """
    settings = project.config.build
    if not settings.base_image:
        return {**project.lock_inputs(), **base_of(project, platform).lock_inputs()}
    version = settings.python_version or (locked.interpreter.version if locked else "")
    return {**project.lock_inputs(), **inputs_on_image(version, platform.architecture)}


def ground_layers(parts: PlatformLock) -> list[Layer]:
    """The base with its interpreter, and system packages on top of it."""
    if parts.base_image is not None:
        from cog_oci.layers.base_image import (  # noqa: PLC0415 - few images stand on another
            DebsOnImageLayer,
            InitLayer,
            kept_layers,
        )

        base, system = (tuple(deb for deb in parts.debs if deb.layer == layer) for layer in ("base", "system"))
        above = [DebsOnImageLayer(parts.base_image, system, parts.without_scripts)] if system else []
        return [*kept_layers(parts.base_image), *map(InitLayer, base), *above]
    layers: list[Layer] = [*deb_layers(parts.interpreter.suite, parts.debs, parts.without_scripts)]
    if parts.interpreter.archive:
        from cog_oci.layers.standalone import StandaloneLayer  # noqa: PLC0415 - Debian brings most Pythons

        layers.insert(1, StandaloneLayer(parts.interpreter.archive))
    return layers


def compiling(
    parts: PlatformLock, below: Sequence[Layer], compression: Compression
) -> tuple[TargetInterpreter, Layer | None, str]:
    """The Python of the image as a compiler, its standard library where it has no bytecode yet, and where that lies.

    `below` are the layers of the ground, bottom up, whose blobs are of this compression.
    """
    from cog_oci.bytecode import TargetInterpreter  # noqa: PLC0415 - not every image has bytecode
    from cog_oci.layers.bytecode import Library  # noqa: PLC0415 - likewise

    python = parts.interpreter
    own: tuple[Artifact, ...]
    library: Layer | None
    if parts.base_image is not None:
        own, library, modules = parts.base_image.layers, None, ""
        architecture, needs = parts.base_image.architecture, below[: len(own)]
    elif python.archive is not None:
        from cog_oci.layers.standalone import StandaloneLayer  # noqa: PLC0415 - likewise

        own, library, modules = (python.archive,), StandaloneLayer(python.archive), "opt/python/"
        architecture, needs = python.archive.architecture, below[:2]
    else:
        debs = tuple(deb for deb in parts.debs if deb.layer == "base" and f"python{python.version}" in deb.name)
        own, library, modules = debs, Library(debs), "usr/"
        architecture, needs = debs[0].architecture, below[:1]
    compiler = TargetInterpreter(python.version, python.executable, architecture, own, tuple(needs), compression)
    return compiler, library, f"{modules}lib/python{python.version}/"
