"""What a lock stands on: the base that the project asks for, or the base image that it names."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cog_oci.build_steps import system_tools
from cog_oci.errors import RequestError
from cog_oci.ground import base_of
from cog_oci.resolver.on_image import OnImage

if TYPE_CHECKING:
    from cog_oci.config import Project
    from cog_oci.lock import PlatformLock
    from cog_oci.oci import Platform
    from cog_oci.progress import Progress
    from cog_oci.resolver.base import Base
    from cog_oci.store import Store

__all__ = ["find_ground", "with_status"]

_DECIDING = ("build.base_image", "build.python_version")


def find_ground(
    project: Project, platform: Platform, kept: PlatformLock | None, store: Store, progress: Progress
) -> Base | OnImage:
    """The base, whose Python there is; a base image as it was `kept`, or as its registry has it now.

    Raises SourceError that points at what cog.yaml says of it, and what reading a registry raises.
    """
    settings = project.config.build
    if settings.base_image is None:
        return base_of(project, platform)
    inputs = project.lock_inputs()
    if kept is not None and kept.base_image and all(kept.inputs.get(one) == inputs.get(one) for one in _DECIDING):
        return OnImage(kept.base_image, kept.interpreter)
    from cog_oci.base_image.read import read_base  # noqa: PLC0415 - most locks stand on no image

    with project.blaming("base_image"):
        found = OnImage(*read_base(settings.base_image, platform, settings.python_version, store, progress))
        found.check_server(settings.base_image)
    return found


def with_status(project: Project, base: OnImage, store: Store, progress: Progress) -> OnImage | None:
    """The base with what its dpkg says, when Debian packages are to be added to it; None when there are none.

    What steps call for is added where it can be. Raises RequestError where packages are asked for and cannot be.
    """
    settings = project.config.build
    wanted = settings.system_packages
    if not wanted and not system_tools(settings.steps, settings.system_effects):
        return None
    from cog_oci.base_image.read import read_status  # noqa: PLC0415 - as above

    status = read_status(base.image, store, progress) if base.suite else b""
    if status:
        return replace(base, status=status)
    if not wanted:
        return None
    lacking = "has no database of dpkg" if base.suite else "is not Debian bookworm or trixie"
    raise RequestError(
        f"{wanted[0]} cannot be added to the base image, which {lacking}",
        asked=wanted[0].partition("=")[0],
        hint="put it into the base image, or install it with build.run",
    )
