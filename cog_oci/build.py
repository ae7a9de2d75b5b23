"""The story, once: Config → Lock → Layers → Image → Transport."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from cog_oci.bytecode import cannot_compile
from cog_oci.errors import CogError
from cog_oci.layers import realise, remembered
from cog_oci.layers.bytecode import BytecodeLayer
from cog_oci.layers.debs import check_scripts
from cog_oci.lock import Lock, PlatformLock
from cog_oci.plan import DEFAULTS, Options, artifact_layers, base_of, make_plan, read_model
from cog_oci.progress import SILENT
from cog_oci.recorded import Records

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cog_oci.config import Project
    from cog_oci.layers import Compression, Layer
    from cog_oci.lock import RecordedLayer, Wheel
    from cog_oci.oci import Attachment, Image, LayerBlob, Platform
    from cog_oci.progress import Progress
    from cog_oci.store import Store

__all__ = [
    "Built",
    "Options",
    "Workshop",
    "artifact_layers",
    "build",
    "identify",
    "lock",
    "read_interface",
]


@dataclass(frozen=True)
class Workshop:
    """What every step works with: the store, and who is watching."""

    store: Store
    progress: Progress = SILENT


@dataclass(frozen=True, slots=True)
class Built:
    """An image, its lock as it travels with it, and what its layers turned out to be, for the lock to keep."""

    image: Image
    lock: Attachment
    layers: tuple[RecordedLayer, ...]


def lock(
    project: Project,
    platforms: Sequence[Platform],
    as_of: datetime,
    shop: Workshop,
    *,
    before: Lock | None = None,
    bytecode: bool | None = None,
    schema: Path | None = None,
) -> Lock:
    """Resolve everything that the project's image contains, with nothing newer than `as_of`.

    What the lock `before` knows of layers is kept: a layer that is made again from the same parts must be the same.
    `bytecode` says whether images hold compiled Python; None: those for which this host can make it. A model that
    cannot be served is known before anything is resolved; `schema` is as in Options.
    """
    read_model(project, schema)
    locked = Lock(
        as_of=as_of.isoformat().replace("+00:00", "Z"),
        platforms={
            str(platform): _lock_platform(project, platform, as_of, shop).model_copy(
                update={"bytecode": _wants_bytecode(platform, shop) if bytecode is None else bytecode}
            )
            for platform in platforms
        },
    )
    known = before.platforms if before else {}
    return locked.recording({name: known[name].layers for name in locked.platforms if name in known})


def build(project: Project, platform: Platform, locked: Lock, shop: Workshop, options: Options = DEFAULTS) -> Built:
    """The project's image: what the lock names, made into layers that are all in the store when this returns.

    Raises StaleLockError when the lock was made from other inputs, and NotReproducedError when a layer is not what the
    lock recorded.
    """
    plan = make_plan(project, platform, locked, options, shop.store)
    blobs = _realise_all(plan.layers, datetime.fromisoformat(locked.as_of), shop, options.compression)
    records = Records(plan.parts.layers)
    made = list(zip(plan.layers, blobs, strict=True))[: plan.artifacts]
    for layer, blob in made:
        records.check(layer, blob, shop.store)
    recorded = tuple(records.having(layer, blob, options.compression) for layer, blob in made)
    return Built(*plan.image(blobs), recorded)


def identify(project: Project, platform: Platform, locked: Lock, shop: Workshop, options: Options = DEFAULTS) -> Image:
    """The image that `build` would make, from the lock's record and the code alone: no artifact is needed or fetched.

    Its layers need not be in the store. Raises CogError when a layer was never made with this compression.
    """
    plan = make_plan(project, platform, locked, options, shop.store)
    records = Records(plan.parts.layers)
    blobs = []
    for number, layer in enumerate(plan.layers):
        known = records.known(layer, options.compression) if number < plan.artifacts else None
        if known is None and layer.artifacts:
            known = remembered(layer, shop.store, options.compression)
        if known is None and layer.artifacts:
            raise CogError(
                f"cog.lock does not say what layer {layer.name} is with compression {options.compression}",
                hint="build the image once: `cog-oci image` records every layer in the lock",
            )
        blobs.append(known or realise(layer, shop.store, shop.progress, options.compression))
    return plan.image(blobs)[0]


def read_interface(project: Project, given: Path | None = None) -> dict[str, Any]:
    """The model's inputs, by name, as the schema has them; read from the source, so that nothing has to be built."""
    schema = read_model(project, given)
    if schema is None:
        raise CogError("cog.yaml names no model to run", hint="add `run: run.py:Runner`")
    return dict(schema.document["components"]["schemas"]["Input"].get("properties", {}))


def _lock_platform(project: Project, platform: Platform, as_of: datetime, shop: Workshop) -> PlatformLock:
    from cog_oci.fetch import Fetcher  # noqa: PLC0415 - an image from a lock resolves nothing
    from cog_oci.origins import Origins  # noqa: PLC0415 - likewise
    from cog_oci.resolver import debian, python  # noqa: PLC0415 - likewise

    base = base_of(project, platform)
    inputs = {**project.lock_inputs(), **base.lock_inputs()}
    fetcher = Fetcher(shop.store, shop.progress)
    origins = Origins(fetcher, as_of)
    settings = project.config.build
    wheels: list[Wheel] = []
    if wanted := project.requirements() or settings.python_packages:
        major, minor = base.python_version.split(".")
        target = python.Target((int(major), int(minor)), platform.architecture, base.glibc)
        with project.blaming("python_packages"):
            wheels = python.resolve(
                wanted, target, as_of, name=settings.python_requirements or "cog.yaml", progress=shop.progress
            )
    shop.progress.say("resolving Debian packages")
    resolver = debian.DebianResolver(
        fetcher, shop.store, debian.suites(base.suite), platform.architecture, origins.archive, as_of
    )
    with project.blaming("system_packages"):
        resolution = resolver.resolve(base.packages, settings.system_packages, preferred=base.pinned_debs)
        # The scripts of a package decide whether it can be in an image at all: better known now than at the build.
        fetcher.artifacts(resolution.debs, origins.locate)
        check_scripts(resolution.debs, shop.store)
    return PlatformLock(
        inputs=inputs,
        interpreter=base.interpreter,
        archives=resolution.archives,
        debs=resolution.debs,
        wheels=tuple(wheels),
        server=base.server_wheels,
    )


def _wants_bytecode(platform: Platform, shop: Workshop) -> bool:
    if reason := cannot_compile(platform):
        shop.progress.say(f"images for {platform} will compile their Python at every start: {reason}")
    return reason is None


def _realise_all(layers: Sequence[Layer], as_of: datetime, shop: Workshop, compression: Compression) -> list[LayerBlob]:
    """Every layer as a blob; artifacts are fetched only for the layers that have to be made."""
    made = [remembered(layer, shop.store, compression) for layer in layers]
    missing = [layer for layer, blob in zip(layers, made, strict=True) if blob is None]
    wanted = {artifact.sha256: artifact for layer in missing for artifact in layer.artifacts}
    for layer in missing:
        if isinstance(layer, BytecodeLayer):
            layer.compiler.check()  # before anything is fetched
    if wanted:
        from cog_oci.fetch import Fetcher  # noqa: PLC0415 - an unchanged build fetches nothing
        from cog_oci.origins import Origins  # noqa: PLC0415 - likewise

        fetcher = Fetcher(shop.store, shop.progress)
        fetcher.artifacts(wanted.values(), Origins(fetcher, as_of).locate)
    with ThreadPoolExecutor(2, thread_name_prefix="layer") as pool:
        # Bytecode last: it waits for the base.
        order = sorted(range(len(layers)), key=lambda number: isinstance(layers[number], BytecodeLayer))
        jobs = {n: pool.submit(realise, layers[n], shop.store, shop.progress, compression) for n in order}
        try:
            return [jobs[number].result() for number in range(len(layers))]
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
