"""What an image will be made of: its layers in order, each with the reason for being one, before anything is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cog_oci.image_config import image_config
from cog_oci.layers.code import CodeLayer
from cog_oci.layers.debs import deb_layers
from cog_oci.layers.server import ServerLayer
from cog_oci.layers.wheels import group
from cog_oci.lock import check_fresh
from cog_oci.oci import Attachment, Image, MediaType
from cog_oci.resolver.base import Base

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cog_oci.config import Project
    from cog_oci.layers import Compression, Layer
    from cog_oci.lock import Lock, PlatformLock
    from cog_oci.oci import ImageConfig, LayerBlob, Platform
    from cog_oci.schema import Schema

__all__ = ["DEFAULTS", "Options", "Plan", "artifact_layers", "base_of", "make_plan", "read_model"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How an image is made, besides what its lock and its code say.

    `leave_out` are files of the project that are no part of it, such as the archive that is being written.
    """

    compression: Compression = "gzip"
    leave_out: frozenset[Path] = frozenset()


DEFAULTS = Options()


@dataclass(frozen=True)
class Plan:
    """An image before it is made: its layers, bottom up; the lock alone decides the first `artifacts` of them."""

    layers: tuple[Layer, ...]
    artifacts: int
    parts: PlatformLock
    platform: Platform
    config: ImageConfig
    carried: bytes

    def image(self, blobs: Sequence[LayerBlob]) -> tuple[Image, Attachment]:
        """The image with these blobs, and its lock."""
        image = Image(self.platform, self.config, tuple(blobs))
        return image, Attachment(image.descriptor, MediaType.LOCK, self.carried)


def make_plan(project: Project, platform: Platform, locked: Lock, options: Options = DEFAULTS) -> Plan:
    """What the image will be made of; nothing is fetched or made. Raises StaleLockError."""
    base = base_of(project, platform)
    parts = locked.platform(platform)
    check_fresh(project.lock_path, parts.inputs, {**project.lock_inputs(), **base.lock_inputs()})
    schema = read_model(project)
    layers = artifact_layers(parts)
    own = CodeLayer(project.folder, schema.to_bytes() if schema else None, options.leave_out)
    carried = locked.carried(platform).to_bytes()
    return Plan((*layers, own), len(layers), parts, platform, image_config(project, parts, schema, carried), carried)


def artifact_layers(parts: PlatformLock) -> list[Layer]:
    """The layers that a lock alone decides, bottom up."""
    interpreter = parts.interpreter
    return [
        *deb_layers(interpreter.suite, parts.debs),
        ServerLayer(interpreter.executable, parts.server),
        *group(interpreter.version, interpreter.executable, parts.wheels),
    ]


def base_of(project: Project, platform: Platform) -> Base:
    """The base that this project asks for."""
    return Base(project.config.build.python_version, platform.architecture)


def read_model(project: Project) -> Schema | None:
    """The interface of the model, read from its source; None when cog.yaml names no model."""
    if project.config.reference is None:
        return None
    from cog_oci.schema import read_schema  # noqa: PLC0415 - a project without a model needs none

    return read_schema(project.folder, project.config.reference)
