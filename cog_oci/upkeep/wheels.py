"""Python packages of a platform: kept, adopted from the lock of another tool, or resolved."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cog_oci.build_steps import python_tools
from cog_oci.errors import CogError, RequestError
from cog_oci.fetch import Fetcher
from cog_oci.origins import Origins
from cog_oci.resolver import python
from cog_oci.sources.resolve import Resolved, Resolver
from cog_oci.upkeep.aside import Aside

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime
    from threading import Event

    from cog_oci.config import Project
    from cog_oci.indexes import Indexes
    from cog_oci.lock import Artifact, PlatformLock, Wheel
    from cog_oci.oci import Platform
    from cog_oci.progress import Progress
    from cog_oci.resolver.base import Base
    from cog_oci.resolver.on_image import OnImage
    from cog_oci.sources.make import Maker
    from cog_oci.store import Store
    from cog_oci.upkeep.upgrade import Upgrade

__all__ = ["Wheels"]

_OF_PYTORCH = frozenset({"torch", "torchvision", "torchaudio"})


@dataclass(frozen=True)
class Wheels:
    """Resolves the wheels of one platform, from these indexes.

    `ground` is the lock of what is below them, for when one has to be built; `meanwhile` is called when uv has begun.
    """

    project: Project
    platform: Platform
    base: Base | OnImage
    as_of: datetime
    store: Store
    progress: Progress
    ground: Callable[[], PlatformLock]
    indexes: Indexes
    meanwhile: Callable[[], None] = python.nothing

    def resolve(self, kept: PlatformLock | None, upgrade: Upgrade) -> Resolved:
        """All of them; what is `kept` is preferred, but for what is to be upgraded. Raises as Resolver.resolve does."""
        return self._with_tools(self._wanted(kept, upgrade), kept, upgrade)

    def resolve_reachable(
        self, kept: PlatformLock | None, upgrade: Upgrade, reachable: Callable[[Indexes, Event], Indexes]
    ) -> Resolved:
        """As `resolve`, from the indexes that are `reachable`: that is asked while uv is at work with all of them."""
        with Aside(lambda given_up: reachable(self.indexes, given_up)) as left:

            def meanwhile() -> None:
                self.meanwhile()
                left.begin()

            try:
                found = replace(self, meanwhile=meanwhile).resolve(kept, upgrade)
            except CogError:
                if left.result() == self.indexes:
                    raise
            else:
                if left.result() == self.indexes:
                    return found
            return replace(self, indexes=left.result()).resolve(kept, upgrade)

    def _with_tools(self, found: Resolved, kept: PlatformLock | None, upgrade: Upgrade) -> Resolved:
        """Programs that the steps of the build call for, where nothing has brought them already."""
        there = {wheel.name for wheel in found.wheels}
        missing = [name for name in python_tools(self.project.config.build.steps) if name not in there]
        if not missing:
            return found
        keep = python.Keep(kept.wheels, upgrade.wheels(kept)) if kept else python.Keep()
        tools = python.resolve(missing, self._target, self.as_of, name="cog.yaml", keep=keep, indexes=self.indexes)
        wheels = {wheel.name: wheel for wheel in (*tools, *found.wheels)}
        return replace(found, wheels=tuple(wheels[name] for name in sorted(wheels)))

    def _wanted(self, kept: PlatformLock | None, upgrade: Upgrade) -> Resolved:
        settings = self.project.config.build
        wanted = self.project.requirements() or settings.python_packages
        if not wanted:
            return Resolved(())
        if isinstance(wanted, Path) and wanted.suffix in {".toml", ".lock"}:
            from cog_oci.sources.adopted import Adopter, is_lock  # noqa: PLC0415 - most files are requirements

            if is_lock(wanted):
                if pinned := upgrade.wheels(kept) if kept else []:
                    name = pinned[0].partition("==")[0]
                    told = f"{name} is at the version that {wanted.name} pins"
                    raise RequestError(
                        told, asked=name, hint="move it there, with the tool that made that, and lock again"
                    )
                return Adopter(self.indexes, self._resolver(kept, set()).maker).adopt(wanted)
        upgraded = upgrade.wheels(kept) if kept else []
        keep = python.Keep(self._kept(kept), upgraded)
        with self.project.blaming("python_packages"):
            name = settings.python_requirements or "cog.yaml"
            return self._resolver(kept, {text.partition("==")[0] for text in upgraded}).resolve(wanted, keep, name)

    def _kept(self, kept: PlatformLock | None) -> tuple[Wheel, ...]:
        """Wheels whose versions are preferred: not those of torch for another CUDA than the one that is wanted now."""
        wheels = kept.wheels if kept else ()
        pytorch = {name for name in self.indexes.configured if name.startswith("pytorch-")}
        elsewhere = {
            wheel.name for wheel in wheels if wheel.index.startswith("pytorch-") and wheel.index not in pytorch
        }
        moved = _OF_PYTORCH if pytorch and not any(wheel.index in pytorch for wheel in wheels) else elsewhere
        return tuple(wheel for wheel in wheels if wheel.name not in moved)

    def _resolver(self, kept: PlatformLock | None, moving: set[str]) -> Resolver:
        fetcher = Fetcher(self.store, self.progress)
        indexes = self.indexes
        origins = Origins(fetcher, self.as_of, indexes=indexes, archives=self.project.archives())

        def making() -> Maker:
            return self._maker(kept, moving, fetcher, origins)

        return Resolver(self._target, making, origins, indexes, self.as_of, self.progress, self.meanwhile)

    def _maker(self, kept: PlatformLock | None, moving: set[str], fetcher: Fetcher, origins: Origins) -> Maker:
        """Who makes wheels, in the sandbox where they have to be built; those that are `moving` are made anew."""
        from cog_oci.base_image.bring import bring  # noqa: PLC0415 - few locks have packages without wheels
        from cog_oci.sources.build import Root, Workbench  # noqa: PLC0415 - likewise
        from cog_oci.sources.make import Maker  # noqa: PLC0415 - likewise

        def tools(requirements: Sequence[str], before: Sequence[Wheel]) -> Sequence[Wheel]:
            return python.resolve(
                requirements, self._target, self.as_of, name="its build", keep=python.Keep(before), indexes=self.indexes
            )

        def brought(artifacts: Iterable[Artifact]) -> None:
            fetcher.artifacts(bring(artifacts, self.store, self.progress), origins.locate)

        return Maker(
            self.project.folder,
            self._target,
            self.store,
            fetcher,
            self.progress,
            Workbench(Root(self.platform, self.ground), self.store, self.progress, tools, brought),
            tuple(wheel for wheel in (kept.wheels if kept else ()) if wheel.name not in moving),
            kept.builders if kept else (),
        )

    @property
    def _target(self) -> python.Target:
        major, minor = self.base.python_version.split(".")
        return python.Target((int(major), int(minor)), self.platform.architecture, self.base.glibc)
