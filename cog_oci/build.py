"""The story, once: Config → Lock → Layers → Image → Transport."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from cog_oci.errors import CogError
from cog_oci.layers import realise, remembered
from cog_oci.lock import Lock, PlatformLock
from cog_oci.making import Making, Receiver, fetch
from cog_oci.model import read_model
from cog_oci.options import DEFAULTS, Options
from cog_oci.plan import artifact_layers, make_plan
from cog_oci.recorded import Records
from cog_oci.workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from cog_oci.config import Project
    from cog_oci.layers import Layer
    from cog_oci.lock import RecordedLayer
    from cog_oci.oci import Attachment, Image, Platform
    from cog_oci.upkeep.upgrade import Upgrade

__all__ = [
    "Built",
    "Options",
    "Receiver",
    "Workshop",
    "artifact_layers",
    "build",
    "fetch",
    "identify",
    "lock",
    "read_interface",
]


@dataclass(frozen=True, slots=True)
class Built:
    """An image, its lock as it travels with it, and what its layers turned out to be, for the lock to keep."""

    image: Image
    lock: Attachment
    layers: tuple[RecordedLayer, ...]


def lock(  # noqa: PLR0913 - one argument an option of the command
    project: Project,
    platforms: Sequence[Platform],
    as_of: datetime,
    shop: Workshop,
    *,
    before: Lock | None = None,
    upgrade: Upgrade | None = None,
    bytecode: bool | None = None,
    schema: Path | None = None,
) -> Lock:
    """Resolve everything that the project's image contains, with nothing newer than `as_of`.

    What is locked in `before` is kept as long as it fits and `upgrade` does not say that it may move; so is what it
    knows of layers: a layer that is made again from the same parts must be the same. `bytecode` says whether images
    hold compiled Python; None: as before, else those for which this host can make it. A model that cannot be served is
    known before anything is resolved; `schema` is as in Options.
    """
    from cog_oci.upkeep.effects import check_effects  # noqa: PLC0415 - an image from a lock resolves nothing
    from cog_oci.upkeep.renew import Renewal, own_first  # noqa: PLC0415 - likewise
    from cog_oci.upkeep.upgrade import KEEP  # noqa: PLC0415 - likewise

    read_model(project, schema)
    known = before.platforms if before else {}
    renewal = Renewal(project, as_of, shop.store, shop.progress, upgrade or KEEP)
    renewal.upgrade.check(known.values())
    made: dict[str, PlatformLock] = {}
    for platform in own_first(platforms):
        parts = renewal.platform(platform, old := known.get(str(platform)))
        wanted = bytecode if bytecode is not None or old else _wants_bytecode(platform, shop)
        made[str(platform)] = replace(
            parts,
            bytecode=parts.bytecode if wanted is None else wanted,
            layers=old.layers if old else (),
        )
    # Only now: a CUDA brings packages last, and a platform may have others than the next.
    check_effects(project, (deb for parts in made.values() for deb in parts.debs))
    return Lock(as_of=as_of.isoformat().replace("+00:00", "Z"), platforms=made)


def build(
    project: Project,
    platform: Platform,
    locked: Lock,
    shop: Workshop,
    options: Options = DEFAULTS,
    receiver: Receiver | None = None,
) -> Built:
    """The project's image: what the lock names, made into layers that are all in the store when this returns.

    A `receiver` gets each layer as soon as it is there, while others are made; one that the receiver has already, or
    the cache has, is left where it is.

    Raises StaleLockError when the lock was made from other inputs, and NotReproducedError when a layer is not what the
    lock recorded.
    """
    early = partial(_send_known, shop, options, receiver)
    plan = make_plan(project, platform, locked, options, shop.store, early)
    making = Making(project, plan, locked, shop, options, receiver)
    blobs = making.blobs()
    return Built(*plan.image(blobs), making.recorded(blobs))


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


def _send_known(
    shop: Workshop, options: Options, receiver: Receiver | None, parts: PlatformLock, layers: Sequence[Layer]
) -> None:
    """What is there and right is on its way while the code is looked at; the largest first."""
    if receiver is None or (shop.allowance is not None and shop.allowance.accept):
        return  # with the latter, steps are run before it shows what the layers are
    records = Records(parts.layers)
    known = [(layer, remembered(layer, shop.store, options.compression)) for layer in layers]
    right = [blob for layer, blob in known if blob and records.diff_id(layer) in {None, blob.diff_id}]
    for blob in sorted(right, key=lambda blob: -blob.descriptor.size):
        receiver.take(blob)


def read_interface(project: Project, given: Path | None = None) -> dict[str, Any]:
    """The model's inputs, by name, as the schema has them; read from the source, so that nothing has to be built."""
    schema = read_model(project, given)
    if schema is None:
        raise CogError("cog.yaml names no model to run", hint="add `run: run.py:Runner`")
    return dict(schema.document["components"]["schemas"]["Input"].get("properties", {}))


def _wants_bytecode(platform: Platform, shop: Workshop) -> bool:
    from cog_oci.bytecode import cannot_compile  # noqa: PLC0415 - an image from a lock resolves nothing

    if reason := cannot_compile(platform):
        shop.progress.say(f"images for {platform} will compile their Python at every start: {reason}")
    return reason is None
