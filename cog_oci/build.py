"""The story, once: Config → Lock → Layers → Image → Transport."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from cog_oci import __version__
from cog_oci.errors import CogError
from cog_oci.layers import realise, remembered
from cog_oci.layers.code import CodeLayer
from cog_oci.layers.debs import DebLayer, check_scripts
from cog_oci.layers.server import ServerLayer
from cog_oci.layers.wheels import group
from cog_oci.lock import Lock, PlatformLock, check_fresh
from cog_oci.oci import Image, ImageConfig
from cog_oci.progress import SILENT
from cog_oci.resolver.base import Base

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cog_oci.config import Project
    from cog_oci.layers import Layer
    from cog_oci.lock import Wheel
    from cog_oci.oci import LayerBlob, Platform
    from cog_oci.progress import Progress
    from cog_oci.schema import Schema
    from cog_oci.store import Store

__all__ = ["Workshop", "build", "lock", "read_interface"]

_COG = "0.23.1"  # the release of Cog whose interface the image speaks


@dataclass(frozen=True)
class Workshop:
    """What every step works with: the store, and who is watching."""

    store: Store
    progress: Progress = SILENT


def lock(project: Project, platforms: Sequence[Platform], as_of: datetime, shop: Workshop) -> Lock:
    """Resolve everything that the project's image contains, with nothing newer than `as_of`."""
    return Lock(
        as_of=as_of.isoformat().replace("+00:00", "Z"),
        platforms={str(platform): _lock_platform(project, platform, as_of, shop) for platform in platforms},
    )


def build(
    project: Project, platform: Platform, locked: Lock, shop: Workshop, *, leave_out: frozenset[Path] = frozenset()
) -> Image:
    """The project's image: what the lock names, made into layers that are all in the store when this returns.

    Raises StaleLockError when the lock was made from other inputs.
    """
    base = _base(project, platform)
    parts = locked.platform(platform)
    check_fresh(project.lock_path, parts.inputs, {**project.lock_inputs(), **base.lock_inputs()})
    schema = _schema(project)
    layers: list[Layer] = [
        *_deb_layers(parts),
        ServerLayer(parts.interpreter.executable, parts.server),
        *group(parts.interpreter.version, parts.interpreter.executable, parts.wheels),
        CodeLayer(project.folder, schema.to_bytes() if schema else None, leave_out),
    ]
    blobs = _realise_all(layers, datetime.fromisoformat(locked.as_of), shop)
    return Image(platform, _config(project, parts, schema), tuple(blobs))


def read_interface(project: Project) -> dict[str, Any]:
    """The model's inputs, by name, as the schema has them; read from the source, so that nothing has to be built."""
    schema = _schema(project)
    if schema is None:
        raise CogError("cog.yaml names no model to run", hint="add `run: run.py:Runner`")
    return dict(schema.document["components"]["schemas"]["Input"].get("properties", {}))


def _lock_platform(project: Project, platform: Platform, as_of: datetime, shop: Workshop) -> PlatformLock:
    from cog_oci.fetch import Fetcher  # noqa: PLC0415 - an image from a lock resolves nothing
    from cog_oci.origins import Origins  # noqa: PLC0415 - likewise
    from cog_oci.resolver import debian, python  # noqa: PLC0415 - likewise

    base = _base(project, platform)
    inputs = {**project.lock_inputs(), **base.lock_inputs()}
    fetcher = Fetcher(shop.store, shop.progress)
    origins = Origins(fetcher, as_of)
    settings = project.config.build
    _schema(project)  # a model that cannot be served is known before anything is resolved
    wheels: list[Wheel] = []
    if wanted := project.requirements() or settings.python_packages:
        major, minor = base.python_version.split(".")
        target = python.Target((int(major), int(minor)), platform.architecture, base.glibc)
        wheels = python.resolve(
            wanted, target, as_of, name=settings.python_requirements or "cog.yaml", progress=shop.progress
        )
    shop.progress.say("resolving Debian packages")
    resolver = debian.DebianResolver(
        fetcher, shop.store, debian.suites(base.suite), platform.architecture, origins.archive, as_of
    )
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


def _base(project: Project, platform: Platform) -> Base:
    return Base(project.config.build.python_version, platform.architecture)


def _deb_layers(parts: PlatformLock) -> list[Layer]:
    base = tuple(deb for deb in parts.debs if deb.layer == "base")
    system = tuple(deb for deb in parts.debs if deb.layer == "system")
    suite = parts.interpreter.suite
    layers: list[Layer] = [DebLayer(suite, base)] if base else []
    return [*layers, DebLayer(suite, system, below=base)] if system else layers


def _realise_all(layers: list[Layer], as_of: datetime, shop: Workshop) -> list[LayerBlob]:
    """Every layer as a blob; artifacts are fetched only for the layers that have to be made."""
    made = [remembered(layer, shop.store) for layer in layers]
    missing = [layer for layer, blob in zip(layers, made, strict=True) if blob is None]
    wanted = {artifact.sha256: artifact for layer in missing for artifact in layer.artifacts}
    if wanted:
        from cog_oci.fetch import Fetcher  # noqa: PLC0415 - an unchanged build fetches nothing
        from cog_oci.origins import Origins  # noqa: PLC0415 - likewise

        fetcher = Fetcher(shop.store, shop.progress)
        fetcher.artifacts(wanted.values(), Origins(fetcher, as_of).locate)
    with ThreadPoolExecutor(2, thread_name_prefix="layer") as pool:
        jobs = [pool.submit(realise, layer, shop.store, shop.progress) for layer in layers]
        try:
            return [job.result() for job in jobs]
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _schema(project: Project) -> Schema | None:
    """The interface of the model, read from its source; None when cog.yaml names no model."""
    if project.config.reference is None:
        return None
    from cog_oci.schema import read_schema  # noqa: PLC0415 - a project without a model needs none

    return read_schema(project.folder, project.config.reference)


def _config(project: Project, parts: PlatformLock, schema: Schema | None) -> ImageConfig:
    settings = project.config
    env = {
        "PATH": "/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "VIRTUAL_ENV": "/opt/venv",
        "COG_OCI_SERVER_PYTHON": parts.interpreter.executable,
    }
    if settings.reference:
        env["COG_PREDICT_TYPE_STUB"] = settings.reference
    concurrency = settings.concurrency.max if settings.concurrency else (schema.concurrency if schema else None)
    if concurrency is not None:
        env["COG_MAX_CONCURRENCY"] = str(concurrency)
    for variable in settings.environment:
        name, _, value = variable.partition("=")
        env[name] = value
    freeze = "".join(f"{wheel.name}=={wheel.version}\n" for wheel in parts.wheels)
    labels = {
        "run.cog.version": f"{_COG}+cog-oci.{__version__}",
        "run.cog.config": json.dumps(settings.model_dump(mode="json", exclude_defaults=True), sort_keys=True),
        "run.cog.pip_freeze": freeze,
        "run.cog.has_init": "true",
    }
    if schema is not None:
        labels["run.cog.openapi_schema"] = schema.to_bytes().decode()
    return ImageConfig(
        env=env,
        entrypoint=("/usr/bin/tini", "--"),
        command=(parts.interpreter.executable, "-I", "-S", "/opt/cog/server"),
        working_dir="/src",
        exposed_ports=("5000/tcp",),
        labels=labels,
    )
