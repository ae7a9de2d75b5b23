"""What an image will be made of: its layers in order, each with the reason for being one, before anything is made."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from cog_oci.bytecode import TargetInterpreter
from cog_oci.image_config import image_config
from cog_oci.layers.bytecode import BytecodeLayer, Library
from cog_oci.layers.ca import CA_ENVIRONMENT, CaLayer
from cog_oci.layers.code import project_layers
from cog_oci.layers.debs import deb_layers
from cog_oci.layers.server import ServerLayer
from cog_oci.layers.wheels import WheelLayer, group
from cog_oci.lock import check_fresh
from cog_oci.oci import Attachment, Image, MediaType
from cog_oci.resolver.base import Base

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from cog_oci.config import Project
    from cog_oci.layers import Compression, Layer
    from cog_oci.lock import Lock, PlatformLock
    from cog_oci.oci import ImageConfig, LayerBlob, Platform
    from cog_oci.schema import Schema
    from cog_oci.store import Store

__all__ = ["DEFAULTS", "Options", "Plan", "artifact_layers", "base_of", "make_plan", "read_model"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How an image is made, besides what its lock and its code say.

    `leave_out` are files of the project that are no part of it, such as the archive that is being written;
    `separate_weights` gives the project's large files layers of their own; `certificates` are to be trusted, in PEM;
    `labels` are said of the image besides its own; `schema` is a document to take for the model's interface.
    """

    compression: Compression = "gzip"
    leave_out: frozenset[Path] = frozenset()
    separate_weights: bool = False
    certificates: tuple[bytes, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    schema: Path | None = None


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


def make_plan(
    project: Project, platform: Platform, locked: Lock, options: Options = DEFAULTS, store: Store | None = None
) -> Plan:
    """What the image will be made of; nothing is fetched or made. Raises StaleLockError.

    With a store, large files of the project are not hashed again while they are untouched.
    """
    base = base_of(project, platform)
    parts = locked.platform(platform)
    check_fresh(project.lock_path, parts.inputs, {**project.lock_inputs(), **base.lock_inputs()})
    schema = read_model(project, options.schema)
    layers = artifact_layers(parts, options.compression)
    own = project_layers(
        project.folder,
        schema.to_bytes() if schema else None,
        options.leave_out,
        separate_weights=options.separate_weights,
        store=store,
    )
    trusted = [CaLayer(options.certificates, parts.debs)] if options.certificates else []
    carried = locked.carried(platform).to_bytes()
    config = image_config(project, parts, schema, carried, options.labels, env=CA_ENVIRONMENT if trusted else {})
    return Plan((*layers, *trusted, *own), len(layers), parts, platform, config, carried)


def artifact_layers(parts: PlatformLock, compression: Compression = "gzip") -> list[Layer]:
    """The layers that a lock alone decides, bottom up; `compression` is that of the base that bytecode is made on."""
    python = parts.interpreter
    below: list[Layer] = [*deb_layers(python.suite, parts.debs), ServerLayer(python.executable, parts.server)]
    packages = group(python.version, python.executable, parts.wheels)
    if not parts.bytecode:
        return [*below, *packages]
    return list(_with_bytecode(parts, below, packages, compression))


def base_of(project: Project, platform: Platform) -> Base:
    """The base that this project asks for."""
    return Base(project.config.build.python_version, platform.architecture)


def read_model(project: Project, given: Path | None = None) -> Schema | None:
    """The interface of the model, read from its source, or `given` as a document; None when cog.yaml names no model."""
    if given is not None:
        from cog_oci.schema.given import read_given  # noqa: PLC0415 - a model's source says it nearly always

        return read_given(given)
    if project.config.reference is None:
        return None
    from cog_oci.schema import read_schema  # noqa: PLC0415 - a project without a model needs none

    return read_schema(project.folder, project.config.reference)


def _with_bytecode(
    parts: PlatformLock, below: Sequence[Layer], packages: Sequence[WheelLayer], compression: Compression
) -> Iterator[Layer]:
    """Bytecode right above each layer: what changes less stays below, and what is there already stays valid."""
    python = parts.interpreter
    own = tuple(deb for deb in parts.debs if deb.layer == "base" and f"python{python.version}" in deb.name)
    compiler = TargetInterpreter(python.version, python.executable, own, below[0], compression)
    library, site = f"usr/lib/python{python.version}/", f"opt/venv/lib/python{python.version}/site-packages/"
    yield from below
    yield BytecodeLayer("base and server bytecode", (Library(own), below[-1]), (library, "opt/cog/"), compiler)
    for layer in packages:
        yield layer
        this, count = layer.part
        if layer.wheels and this == count:
            wheels = tuple(WheelLayer(python.version, python.executable, (wheel,)) for wheel in layer.wheels)
            yield BytecodeLayer(f"{replace(layer, part=(1, 1)).name} bytecode", wheels, (site,), compiler)
