"""How a project or a name becomes an image that an engine has, ready to start."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cog_oci.cli._gap_words import warn_of_gaps
from cog_oci.cli._gpus import default_gpus
from cog_oci.cli._options import image_options, locked, record
from cog_oci.engines import Offer
from cog_oci.errors import CogError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cog_oci.build import Built
    from cog_oci.cli._launch import Where
    from cog_oci.config import Project
    from cog_oci.engines import Engine, Runnable
    from cog_oci.lock import Lock
    from cog_oci.oci import Image, Platform
    from cog_oci.options import Options
    from cog_oci.reference import Reference
    from cog_oci.schema import Schema
    from cog_oci.workshop import Workshop

__all__ = ["Ready", "at_hand", "build_locked", "interface_document", "named", "ready", "without_code"]

_SCHEMA_LABEL = "run.cog.openapi_schema"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """An image that an engine has; where the code is mounted, its folder, and what the container has to be told.

    `own` says that it was built for this, with the server of this very program; `gpus` are those that it gets when the
    command line does not say.
    """

    image: Runnable
    own: bool = False
    project: Path | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    gpus: str | None = None


def ready(
    found: Project, where: Where, engine: Engine, shop: Workshop, *, serves: Schema | None = None, **how: Any
) -> Ready:
    """The project's image, with the engine: without its code, which is mounted, where that can be.

    `serves` is the interface that its HTTP server is to know, if that is started; `how` is as for build_locked.
    """
    from cog_oci.reference import Reference

    platform = _on_host(where, engine)
    reference = Reference.parse(found.image_name)
    base = without_code(reference)
    if where.mount and engine.is_here():
        from cog_oci.cli._mount import write_interface

        if write_interface(found.folder, serves):
            image = _without_code(found, platform, engine, shop, (base, reference), how.get("schema"))
            return _mounted(found, image, engine, shop, serves)
        shop.progress.say(f"{found.folder} cannot be written to, so the code goes into the image")
    lock = _lock(found, platform, shop, how.get("schema"))
    wanted = _Wanted(found, platform, lock, image_options(found, **how))
    # Under its own name: what `build` has put there already is not sent again.
    image, _ = _with_engine(wanted, engine, shop, reference, base)
    return Ready(image=image, own=True, gpus=default_gpus(image.labels, engine, shop.progress))


def at_hand(found: Project, where: Where, shop: Workshop) -> tuple[Engine, Ready] | None:
    """An engine that has the image of the project already, for the code to be mounted in; None where it takes more.

    Nothing is built, and what is wrong is not said: `choose` and `ready` find it again.
    """
    from cog_oci.engines import ENGINES, choose, host_architecture
    from cog_oci.oci import Platform
    from cog_oci.reference import Reference

    own = f"linux/{host_architecture()}"
    if not where.mount or where.platform not in {None, own}:
        return None
    try:
        known = _known(found, Platform.parse(own))
        if known is None:
            return None
        # Whether the first of all engines works need not be asked when it has the image; nor what it runs, as nothing
        # but `ready`, which knows that, gives an engine images of this name.
        engine = ENGINES["docker"]() if where.engine in {"auto", "docker"} else choose(where.engine)
        if engine.name == "sandbox":
            _on_host(where, engine)
        if not engine.is_here():
            return None
        there = engine.having(Offer(known, without_code(Reference.parse(found.image_name))), shop.store)
    except CogError:
        return None
    return None if there is None else (engine, _mounted(found, there, engine, shop, None))


def _mounted(found: Project, image: Runnable, engine: Engine, shop: Workshop, serves: Schema | None) -> Ready:
    from cog_oci.cli._mount import container_variables

    gpus = default_gpus(image.labels, engine, shop.progress)
    variables = container_variables(found, serves)
    return Ready(image=image, own=True, project=found.folder, variables=variables, gpus=gpus)


def _known(found: Project, platform: Platform) -> Image | None:
    """The image of the project without its code, where it was identified before."""
    from cog_oci import identified
    from cog_oci.cli._options import memory

    question = identified.question_of(found, platform, image_options(found, mounted=True))
    return None if question is None else identified.recall(question, memory())


def _without_code(
    found: Project,
    platform: Platform,
    engine: Engine,
    shop: Workshop,
    names: tuple[Reference, Reference],
    schema: Path | None,
) -> Runnable:
    """The image that the code is mounted in, with the engine under the first of `names`; the other is a relative's.

    While nothing but the code has changed since it was last wanted, neither the lock nor the layers are looked into.
    """
    from cog_oci import identified
    from cog_oci.cli._options import memory

    if (known := _known(found, platform)) is not None:
        there = engine.having(Offer(known, names[0]), shop.store)
        if there is not None:
            return there
    options = image_options(found, mounted=True)
    before = identified.deciding(found, platform, options)
    lock = _lock(found, platform, shop, schema)
    image, offered = _with_engine(_Wanted(found, platform, lock, options), engine, shop, *names)
    # Anew: where it was made only now, the lock has got to know its layers.
    question = identified.question_of(found, platform, options)
    # What somebody has changed while it was made is not what it was made of.
    as_before = identified.deciding(found, platform, options) == before
    if question is not None and as_before and locked(found).carried(platform) == lock.carried(platform):
        identified.remember(question, memory(), offered)
    return image


def build_locked(found: Project, platform: Platform, shop: Workshop, **how: Any) -> Built:
    """The project's image; it is locked first when it has no lock yet. `how` is as for image_options."""
    lock = _lock(found, platform, shop, how.get("schema"))
    return _Wanted(found, platform, lock, image_options(found, **how)).build(shop)


def without_code(reference: Reference) -> Reference:
    """What the image of the project that has everything but its code is called."""
    return replace(reference, path=f"{reference.path}-base")


def named(name: str, engine: Engine, shop: Workshop) -> Ready:
    """The image of this name; one that no model is served in is refused."""
    if "=" in name:
        raise CogError(f"Invalid image name '{name}'. Did you forget `-i`?")
    if Path(name).exists() and engine.name != "sandbox":
        raise CogError(
            f"{name} is a file or a folder, and {engine.name} takes images by name",
            hint=f"load it first, with `{engine.name} load -i {name}`, or use --engine sandbox",
        )
    image = engine.find(name, shop.store, shop.progress)
    if _SCHEMA_LABEL not in image.labels:
        raise CogError(
            f"the image {name} has no label {_SCHEMA_LABEL}: neither cog-oci nor Cog has made it",
            hint="build the model with `cog-oci build -t NAME`",
        )
    _refuse_other_architecture(image.architecture, engine)
    return Ready(image=image, gpus=default_gpus(image.labels, engine, shop.progress))


def interface_document(found: Ready) -> Mapping[str, Any]:
    """The OpenAPI document in the image's label."""
    document: Mapping[str, Any] = json.loads(found.image.labels[_SCHEMA_LABEL])
    return document


@dataclass(frozen=True, slots=True)
class _Wanted:
    """An image of a project, before it is made."""

    project: Project
    platform: Platform
    lock: Lock
    options: Options

    def build(self, shop: Workshop) -> Built:
        from cog_oci import build
        from cog_oci.cli._cache import caching

        with caching(shop, self.project) as cached:
            built = build.build(self.project, self.platform, self.lock, cached, self.options)
        record(self.project, self.lock, [built])
        warn_of_gaps(built.image, self.lock, shop)
        return built


def _with_engine(
    wanted: _Wanted, engine: Engine, shop: Workshop, name: Reference, relative: Reference
) -> tuple[Runnable, Image]:
    """The image, with the engine and as it is; where it is there already, nothing is built or looked for."""
    from cog_oci import build

    try:
        known = build.identify(wanted.project, wanted.platform, wanted.lock, shop, wanted.options)
    except CogError:  # it was never built, or the lock does not fit: building says which
        pass
    else:
        if (there := engine.having(Offer(known, name), shop.store)) is not None:
            return there, known
    image = wanted.build(shop).image
    return engine.take(Offer(image, name, (relative,)), shop.store, shop.progress), image


def _on_host(where: Where, engine: Engine) -> Platform:
    """The platform to run; refused up front when the engine runs another, or has not what is asked for."""
    from cog_oci.oci import Platform

    if engine.name == "sandbox":  # it would say so when the container starts, after a build of minutes
        engine.shares_network(where.network)
        if where.gpus:
            raise CogError("sandbox: it has no GPUs", hint="use --engine docker")
    wanted = Platform.parse(where.platform or f"linux/{engine.architecture}")
    _refuse_other_architecture(wanted.architecture, engine)
    return wanted


def _refuse_other_architecture(architecture: str, engine: Engine) -> None:
    """Raises CogError for an image whose programs the engine's machine cannot run."""
    runs = engine.architecture
    if architecture != runs:
        raise CogError(
            f"the image is for linux/{architecture}, and {engine.name} here runs linux/{runs}",
            hint=f"lock and build it for this machine too: `cog-oci lock --platform linux/{architecture},linux/{runs}`",
        )


def _lock(found: Project, platform: Platform, shop: Workshop, schema: Path | None) -> Lock:
    """The project's lock; a new one when it has none yet."""
    if found.lock_path.exists():
        return locked(found)
    from datetime import UTC, datetime

    from cog_oci import build

    shop.progress.say(f"there is no {found.lock_path.name} yet: locking")
    lock = build.lock(found, [platform], datetime.now(UTC).replace(microsecond=0), shop, schema=schema)
    lock.write(found.lock_path)
    return lock
