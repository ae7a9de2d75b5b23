"""What an image will be made of: its layers in order, each with the reason for being one, before anything is made."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cog_oci.build_steps import early_python_tools
from cog_oci.errors import CogError
from cog_oci.ground import compiling, ground_layers, inputs_of
from cog_oci.image_config import CONFIG_LABEL, base_environment, image_config
from cog_oci.layers.code import CodeLayer, project_layers
from cog_oci.layers.server import ServerLayer
from cog_oci.layers.wheels import WheelLayer, group
from cog_oci.lock import check_fresh
from cog_oci.model import read_model
from cog_oci.oci import Attachment, Image, MediaType
from cog_oci.options import DEFAULTS, Options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from cog_oci.config import Project
    from cog_oci.layers import Compression, Layer
    from cog_oci.lock import Lock, PlatformLock
    from cog_oci.oci import ImageConfig, LayerBlob, Platform
    from cog_oci.schema import Schema
    from cog_oci.store import Store

__all__ = ["Plan", "artifact_layers", "make_plan"]

_MOST_LAYERS = 60  # Docker's classic store takes 125, and whoever builds on an image needs some of them


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
        pairs = zip(blobs, self.layers, strict=False)  # somebody else's image may have more
        told = [replace(blob, command=getattr(layer, "told", "")) for blob, layer in pairs]
        image = Image(self.platform, self.config, (*told, *blobs[len(told) :]))
        return image, Attachment(image.descriptor, MediaType.LOCK, self.carried)


def make_plan(
    project: Project,
    platform: Platform,
    locked: Lock,
    options: Options = DEFAULTS,
    store: Store | None = None,
    early: Callable[[PlatformLock, Sequence[Layer]], None] = lambda _parts, _layers: None,
) -> Plan:
    """What the image will be made of; nothing is fetched or made. Raises StaleLockError.

    With a store, large files of the project are not hashed again while they are untouched. `early` hears of the layers
    that the lock decides before the project's own files are looked at.
    """
    parts = locked.platform(platform)
    check_fresh(project.lock_path, parts.inputs, inputs_of(project, platform, parts))
    layers = artifact_layers(parts, options.compression)
    early(parts, layers)
    schema = None if options.mounted else read_model(project, options.schema)
    room = _MOST_LAYERS - len(layers) - 1  # one is for certificates, so that these move no weights
    own = [] if options.mounted else _own_layers(project, schema, options, store, room)
    trusted, environment = _trusting(options.certificates, parts)
    carried = locked.carried(platform).to_bytes()
    config = image_config(project, parts, schema, carried, options.labels, env=environment)
    if options.mounted:
        # Nothing else: the others would say what is mounted.
        config = replace(config, labels={CONFIG_LABEL: config.labels[CONFIG_LABEL]})
    return Plan((*layers, *trusted, *own), len(layers), parts, platform, config, carried)


def artifact_layers(parts: PlatformLock, compression: Compression = "gzip") -> list[Layer]:
    """The layers that a lock alone decides, bottom up; `compression` is that of the base that bytecode is made on."""
    python = parts.interpreter
    below = [*_with_effects(parts, ground_layers(parts)), ServerLayer(python.executable, parts.server)]
    early = early_python_tools(parts.steps)
    packages = group(python.version, python.executable, parts.wheels, early)
    made = list(_with_bytecode(parts, below, packages, compression)) if parts.bytecode else [*below, *packages]
    return _with_steps(parts, made, packages[0 if early is None else 1]) if parts.steps else made


def _with_effects(parts: PlatformLock, ground: list[Layer]) -> list[Layer]:
    """Scripts of Debian packages that are run, right above all of these packages."""
    steps = [step for step in parts.steps if step.phase == "system_effects"]
    if steps:
        from cog_oci.layers.steps import StepLayer  # noqa: PLC0415 - few images have any

        for number, step in enumerate(steps, 1):
            ground.append(StepLayer(step, number, tuple(ground), base_environment(parts.base_image)))
    return ground


def _with_steps(parts: PlatformLock, made: Sequence[Layer], packages: Layer) -> list[Layer]:
    """Steps of `pre_install` right below the first layer of `packages`, those of `run` above all of them."""
    from cog_oci.layers.steps import StepLayer  # noqa: PLC0415 - few images have steps

    layers: list[Layer] = []
    first = next(number for number, layer in enumerate(made) if layer is packages)
    for phase, before in (("pre_install", made[:first]), ("run", made[first:])):
        layers += before
        for number, step in enumerate((one for one in parts.steps if one.phase == phase), 1):
            layers.append(StepLayer(step, number, tuple(layers), base_environment(parts.base_image)))
    return layers


def _own_layers(
    project: Project, schema: Schema | None, options: Options, store: Store | None, room: int
) -> list[Layer]:
    layers = project_layers(
        project.folder,
        schema.to_bytes() if schema else None,
        options.leave_out,
        separate_weights=options.separate_weights,
        room=room,
        store=store,
    )
    _check_model(project, layers[-1])
    return layers


def _check_model(project: Project, code: Layer) -> None:
    """Raises CogError for a model whose file is no part of the image, which nobody would learn before it starts."""
    assert isinstance(code, CodeLayer), "the code is on top"
    there = {entry.path for entry in code.files}
    for reference in (project.config.reference, project.config.training):
        file = posixpath.normpath((reference or "").partition(":")[0])
        if file != "." and f"src/{file}" not in there and (project.folder / file).is_file():
            raise CogError(
                f"{file}, which {project.file.name} names, is kept out of the image",
                hint=f"see .dockerignore; `!{file}` at its end puts it back",
            )


def _trusting(certificates: tuple[bytes, ...], parts: PlatformLock) -> tuple[list[Layer], Mapping[str, str]]:
    """The layer that makes an image trust these certificates, and the variables that name it; nothing for none."""
    if not certificates:
        return [], {}
    if parts.base_image is not None:
        raise CogError(
            "COG_CA_CERT cannot be trusted on top of a base image, whose own certificates are not known here",
            hint="put the certificates into the base image, and build without COG_CA_CERT",
        )
    from cog_oci.layers.ca import CA_ENVIRONMENT, CaLayer  # noqa: PLC0415 - few images need it

    return [CaLayer(certificates, parts.debs)], CA_ENVIRONMENT


def _with_bytecode(
    parts: PlatformLock, below: Sequence[Layer], packages: Sequence[WheelLayer], compression: Compression
) -> Iterator[Layer]:
    """Bytecode right above each layer: what changes less stays below, and what is there already stays valid."""
    from cog_oci.layers.bytecode import BytecodeLayer  # noqa: PLC0415 - not every image has bytecode

    python = parts.interpreter
    compiler, library, modules = compiling(parts, below, compression)
    site = f"opt/venv/lib/python{python.version}/site-packages/"
    yield from below
    name, sources = ("base and server", (library, below[-1])) if library else ("server", (below[-1],))
    yield BytecodeLayer(f"{name} bytecode", sources, (modules, "opt/cog/"), compiler)
    for layer in packages:
        yield layer
        this, count = layer.part
        if layer.wheels and this == count:
            wheels = tuple(WheelLayer(python.version, python.executable, (wheel,)) for wheel in layer.wheels)
            yield BytecodeLayer(f"{replace(layer, part=(1, 1)).name} bytecode", wheels, (site,), compiler)
