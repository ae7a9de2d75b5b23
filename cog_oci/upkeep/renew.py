"""One platform resolved, with what is locked already kept as long as it fits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from platform import machine
from typing import TYPE_CHECKING

from cog_oci.fetch import Fetcher
from cog_oci.lock import PlatformLock
from cog_oci.origins import Origins
from cog_oci.resolver.interpreter import fetched
from cog_oci.resolver.on_image import OnImage
from cog_oci.sources.resolve import Resolved
from cog_oci.upkeep.aside import Aside
from cog_oci.upkeep.cuda import PlatformCuda
from cog_oci.upkeep.effects import chosen_effects
from cog_oci.upkeep.ground import find_ground, with_status
from cog_oci.upkeep.upgrade import KEEP
from cog_oci.upkeep.wheels import Wheels

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from threading import Event

    from cog_oci.config import Project
    from cog_oci.lock import Archive, Deb, InterpreterArchive
    from cog_oci.oci import Platform
    from cog_oci.progress import Progress
    from cog_oci.resolver.base import Base
    from cog_oci.resolver.cuda_debs import CudaDebs
    from cog_oci.store import Store
    from cog_oci.upkeep.upgrade import Upgrade

__all__ = ["Renewal", "own_first", "same"]

_OF_CUDA = {"build.cuda", "build.cudnn", "the tool's CUDA index"}


@dataclass(frozen=True, slots=True)
class Renewal:
    """How locks of a project are made: from the indexes as of a time, and with what may move."""

    project: Project
    as_of: datetime
    store: Store
    progress: Progress
    upgrade: Upgrade = KEEP

    def platform(self, platform: Platform, before: PlatformLock | None) -> PlatformLock:
        """The lock of one platform, its layers not recorded and `bytecode` as it was.

        Wheels stay as they are when nothing that decides them has changed and none is to be upgraded, Debian packages
        likewise; then no index is asked. Otherwise they are resolved, and what is locked is preferred.
        """
        kept = None if self.upgrade.everything else before
        base = find_ground(self.project, platform, kept, self.store, self.progress)
        inputs = {**self.project.lock_inputs(), **base.lock_inputs()}
        with (
            Aside(lambda given_up: self._debs(base, kept, inputs, given_up)) as debian,  # while uv is at work
            Aside(lambda given_up: self._interpreter(base, before, given_up)) as archive,
        ):

            def meanwhile() -> None:
                debian.begin()
                if base.standalone is not None:
                    archive.begin()

            def below() -> PlatformLock:
                debs, archives = debian.result()
                without_scripts, scripts = chosen_effects(self.project, debs)
                with self.project.blaming("python_version"):
                    base.check(debs)
                return PlatformLock(
                    inputs=inputs,
                    interpreter=base.interpreter(archive.result()),
                    archives=archives,
                    debs=debs,
                    wheels=(),
                    server=base.server_wheels,
                    bytecode=before.bytecode if before else False,
                    steps=(*scripts, *self.project.steps()),
                    without_scripts=without_scripts,
                    base_image=base.image if isinstance(base, OnImage) else None,
                )

            cuda = PlatformCuda(self.project, platform, base, self.store, self.progress)
            python = self._kept_wheels(kept, inputs)
            if python is None:
                at, indexes = self.as_of, cuda.indexes()
                job = Wheels(self.project, platform, base, at, self.store, self.progress, below, indexes, meanwhile)
                python = job.resolve_reachable(kept, self.upgrade, cuda.reachable)
            found = replace(below(), wheels=python.wheels, builders=python.builders)
        return self._with_cuda(cuda, found, base, kept)

    def _with_cuda(
        self, cuda: PlatformCuda, found: PlatformLock, base: Base | OnImage, kept: PlatformLock | None
    ) -> PlatformLock:
        """The lock with what its wheels need of CUDA, which is only known now: Debian packages are found once more."""
        needs = cuda.needs(found.wheels)
        found = replace(found, requires=needs.requires)
        if kept is not None and found.debs is kept.debs:
            # What is carried by the same wheels is the same; packages are others for a CUDA that is said otherwise.
            alike = needs.debs is None or _equal(kept.inputs, found.inputs, _OF_CUDA)
            settled = found.requires == kept.requires and (
                found.requires is None or (found.wheels == kept.wheels and alike)
            )
        else:
            settled = needs.debs is None
        if settled or isinstance(base, OnImage):
            return found
        with cuda.blaming():
            debs, archives = self._resolved_debs(base, kept, needs.debs)
        without_scripts, scripts = chosen_effects(self.project, debs)
        steps = (*scripts, *self.project.steps())
        return replace(found, debs=debs, archives=archives, without_scripts=without_scripts, steps=steps)

    def _debs(
        self, base: Base | OnImage, kept: PlatformLock | None, inputs: Mapping[str, str], given_up: Event
    ) -> tuple[tuple[Deb, ...], tuple[Archive, ...]]:
        if kept is not None and _equal(kept.inputs, inputs, self._debian_inputs(base)) and not self.upgrade.debs(kept):
            return kept.debs, kept.archives
        if not isinstance(base, OnImage):
            return self._resolved_debs(base, kept, given_up=given_up)
        with self.project.blaming("system_packages"):
            known = with_status(self.project, base, self.store, self.progress)
        if known is None:
            return base.debs, ()
        debs, archives = self._resolved_debs(known, kept, given_up=given_up)
        return tuple(sorted((*base.debs, *debs), key=lambda deb: deb.name)), archives

    def _resolved_debs(
        self,
        base: Base | OnImage,
        kept: PlatformLock | None,
        cuda: CudaDebs | None = None,
        given_up: Event | None = None,
    ) -> tuple[tuple[Deb, ...], tuple[Archive, ...]]:
        with self.project.blaming("system_packages"):
            from cog_oci.upkeep.debs import resolve_debs  # noqa: PLC0415 - meanwhile uv runs

            found = resolve_debs(
                base,
                self.project,
                kept.debs if kept else (),
                self.upgrade.debs(kept) if kept else {},
                as_of=self.as_of,
                store=self.store,
                progress=self.progress,
                cuda=cuda,
                given_up=given_up,
            )
        return found.debs, found.archives

    def _debian_inputs(self, base: Base | OnImage) -> set[str]:
        pins = {name for name in base.lock_inputs() if name != "the tool's server"}
        # Those of archives even where the project has none: they may be gone.
        archives = {"build.apt", "build.system_packages with recommends", *self.project.apt_inputs()}
        asked = {f"build.{name}" for name in ("base_image", "python_version", "system_effects", "system_packages")}
        return {*asked, "what build.run calls for", *archives, *pins}

    def _interpreter(
        self, base: Base | OnImage, before: PlatformLock | None, given_up: Event
    ) -> InterpreterArchive | None:
        """The archive that Python comes from, fetched where it is not known already."""
        if base.standalone is None:
            return None
        fetcher = Fetcher(self.store, self.progress, given_up=given_up)
        known = before.interpreter.archive if before else None
        return fetched(base.standalone, known, fetcher, Origins(fetcher, self.as_of))

    def _kept_wheels(self, kept: PlatformLock | None, inputs: dict[str, str]) -> Resolved | None:
        if kept is None or self.upgrade.wheels(kept):
            return None
        # What is built from source is built on the system packages.
        below = () if kept.builders else ("build.system_packages", "build.system_effects", *self.project.apt_inputs())
        other = {"build.run", "build.pre_install", *below}
        names = {name for name in (*kept.inputs, *inputs) if name not in other and not name.startswith("the tool's ")}
        return Resolved(kept.wheels, kept.builders) if _equal(kept.inputs, inputs, names) else None


def own_first(platforms: Sequence[Platform]) -> list[Platform]:
    """That of this machine first: a wheel for every platform that is built for it is there for the others."""
    own = {"aarch64": "arm64", "arm64": "arm64"}.get(machine(), "amd64")
    return sorted(platforms, key=lambda platform: platform.architecture != own)


def same(before: PlatformLock, after: PlatformLock) -> bool:
    """Whether an image from one is an image from the other; when and against what they were resolved aside."""
    return all(
        getattr(before, name) == getattr(after, name)
        for name in (
            "inputs",
            "interpreter",
            "debs",
            "wheels",
            "server",
            "bytecode",
            "builders",
            "base_image",
            "requires",
        )
    )


def _equal(before: Mapping[str, str], after: Mapping[str, str], names: set[str]) -> bool:
    return all(before.get(name) == after.get(name) for name in names)
