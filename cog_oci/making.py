"""From a plan to blobs: what is there, what is fetched, what is made, in which order, and whether it is right."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from cog_oci.layers import kept, realise
from cog_oci.lock import Wheel
from cog_oci.recorded import NotReproducedError, Records
from cog_oci.supply import Supply

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cog_oci.config import Project
    from cog_oci.layers import Layer
    from cog_oci.layers.steps import StepLayer
    from cog_oci.lock import Artifact, Lock, RecordedLayer
    from cog_oci.oci import Descriptor, LayerBlob, Platform
    from cog_oci.options import Options
    from cog_oci.plan import Plan
    from cog_oci.steps import StepRunner
    from cog_oci.workshop import Workshop

__all__ = ["Making", "Receiver", "fetch"]


class Receiver(Protocol):
    """Where an image is going. Threads may call it at once."""

    def has(self, blob: Descriptor) -> bool:
        """Whether it has this blob: it need not be in the store, then."""

    def take(self, layer: LayerBlob) -> None:
        """A layer of the image, which is in the store unless the receiver or the cache has it; perhaps once more."""


@dataclass(frozen=True)
class Making:
    """The layers of one plan on their way into the store, and to a `receiver`, if there is one."""

    project: Project
    plan: Plan
    locked: Lock
    shop: Workshop
    options: Options
    receiver: Receiver | None = None

    def blobs(self) -> list[LayerBlob]:
        """Every layer as a blob; artifacts are fetched only for the layers that have to be made.

        Raises NotReproducedError when a layer is not what the lock recorded.
        """
        pairs = list(zip(self.plan.layers, self._known(), strict=True))
        there = [(layer, blob) for layer, blob in pairs if blob is not None]
        # The largest first: whoever sends them ends with a small one.
        for layer, blob in sorted(there, key=lambda pair: -pair[1].descriptor.size):
            self._arrived(layer, blob)
        missing = [layer for layer, blob in pairs if blob is None]
        if len(missing) > 1 or any(layer.artifacts for layer in missing):
            self._make(missing)
        elif missing:
            self._finish(missing[0])
        return [blob or self._realised(layer) for layer, blob in pairs]

    def recorded(self, blobs: Sequence[LayerBlob]) -> tuple[RecordedLayer, ...]:
        """What the layers that the lock alone decides turned out to be, for the lock to keep."""
        made = zip(self.plan.layers[: self.plan.artifacts], blobs, strict=False)
        compression, store = self.options.compression, self.shop.store
        return tuple(self._records.having(layer, blob, compression, store) for layer, blob in made if not kept(layer))

    @cached_property
    def _records(self) -> Records:
        return Records(self.plan.parts.layers)

    @property
    def _accepting(self) -> bool:
        """Whether a step may come out unlike it did."""
        return self.shop.allowance is not None and self.shop.allowance.accept

    def _known(self) -> list[LayerBlob | None]:
        """The layers that need not be made."""
        if self.receiver is not None and self.plan.parts.base_image is not None:
            from cog_oci.base_image.bring import note  # noqa: PLC0415 - most images have no layers of others

            note(self.plan.parts.base_image.layers, self.shop.store)
        has = self.receiver.has if self.receiver else None
        supply = Supply(self.shop.store, self._records, self.options.compression, self.shop.cache, has)
        known = supply.known(self.plan.layers, self.plan.artifacts)
        return self._without_steps_that_may_differ(known) if self._accepting else known

    def _without_steps_that_may_differ(self, known: list[LayerBlob | None]) -> list[LayerBlob | None]:
        """A step above one that is run, or is not what was recorded, is run again: it stands on something else."""
        afresh, left = False, list(known)
        for number, layer in enumerate(self.plan.layers):
            if (step := _step(layer)) is None:
                continue
            if afresh:
                step.forget(self.shop.store, self.options.compression)
                left[number] = None
            blob = left[number]
            afresh = afresh or blob is None or self._records.diff_id(layer) not in {None, blob.diff_id}
        return left

    def _realised(self, layer: Layer) -> LayerBlob:
        return realise(layer, self.shop.store, self.shop.progress, self.options.compression)

    def _finish(self, layer: Layer) -> None:
        self._arrived(layer, self._realised(layer))

    def _arrived(self, layer: Layer, blob: LayerBlob) -> None:
        self._check(layer, blob)
        if self.receiver is not None:
            self.receiver.take(blob)

    def _check(self, layer: Layer, blob: LayerBlob) -> None:
        """Raise NotReproducedError; a step that has made something else is to be run again, then."""
        step = _step(layer)
        if step is not None and self._accepting:
            return
        try:
            self._records.check(layer, blob, self.shop.store)
        except NotReproducedError:
            if step is not None:
                step.forget(self.shop.store, self.options.compression)
            raise

    def _make(self, layers: Sequence[Layer]) -> None:
        """Two layers at a time, once everything that they need is here; then steps, as each sees those below.

        A change of the code needs none of this.
        """
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - see above

        from cog_oci.layers.bytecode import BytecodeLayer  # noqa: PLC0415 - see above

        steps = [step for layer in layers if (step := _step(layer)) is not None]
        runner = self._runner() if steps else None
        if runner is not None:
            runner.check(steps)
        compiled = [layer for layer in layers if isinstance(layer, BytecodeLayer)]
        for layer in compiled:
            layer.compiler.check()  # before anything is fetched
        if wanted := {artifact.sha256: artifact for layer in layers for artifact in layer.artifacts}:
            fetch(self.project, self.plan.platform, self.locked, wanted.values(), self.shop)
        plain = [layer for layer in layers if _step(layer) is None and not isinstance(layer, BytecodeLayer)]
        with ThreadPoolExecutor(2, thread_name_prefix="layer") as pool:
            # Bytecode last: it waits for the base.
            jobs = [pool.submit(self._finish, layer) for layer in (*plain, *compiled)]
            try:
                for job in jobs:
                    job.result()
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise
        for step in steps:
            assert runner is not None, "there is one where there are steps"
            self._finish(step.run_by(runner))

    def _runner(self) -> StepRunner:
        from cog_oci.fetch import Fetcher  # noqa: PLC0415 - few images have steps
        from cog_oci.origins import Origins  # noqa: PLC0415 - likewise
        from cog_oci.steps import Allowance, StepRunner  # noqa: PLC0415 - likewise

        plan, shop, options = self.plan, self.shop, self.options
        as_of, *_ = self.locked.moments(plan.platform)
        origins = Origins(Fetcher(shop.store), as_of, archives=self.project.archives())
        allowance = replace(shop.allowance or Allowance(), certificates=options.certificates, offline=shop.offline)
        return StepRunner(
            plan.platform, plan.parts, allowance, origins.archive, shop.progress, options.compression, self._check
        )


def fetch(
    project: Project | None, platform: Platform, locked: Lock, artifacts: Iterable[Artifact], shop: Workshop
) -> None:
    """Bring artifacts of the lock into the store, from where this machine finds them. Raises what `Fetcher` raises.

    Without a project, only the machine knows where indexes and archives with names of their own are.
    """
    from cog_oci.apt import Archives  # noqa: PLC0415 - a change of the code fetches nothing
    from cog_oci.base_image.bring import bring  # noqa: PLC0415 - likewise
    from cog_oci.fetch import Fetcher  # noqa: PLC0415 - likewise
    from cog_oci.indexes import Indexes  # noqa: PLC0415 - likewise
    from cog_oci.origins import Origins  # noqa: PLC0415 - likewise

    fetcher = Fetcher(shop.store, shop.progress, offline=shop.offline)
    as_of, *earlier = locked.moments(platform)
    indexes, archives = (project.indexes(), project.archives()) if project else (Indexes(), Archives())
    origins = Origins(fetcher, as_of, earlier=earlier, indexes=indexes, archives=archives)
    wanted = bring(artifacts, shop.store, shop.progress, offline=shop.offline)
    if not any(isinstance(one, Wheel) and one.source for one in wanted):
        fetcher.artifacts(wanted, origins.locate)
        return
    from cog_oci.sources.bring import Bringer  # noqa: PLC0415 - few locks have wheels that no index serves

    parts = locked.platform(platform)
    folder = project.folder if project else None
    bringer = Bringer(folder, platform, parts, shop.store, fetcher, origins, shop.progress, offline=shop.offline)
    bringer.bring(wanted)


def _step(layer: Layer) -> StepLayer | None:
    """The layer, if it is what a command makes."""
    if not hasattr(layer, "run_by"):  # asked first: few images have steps, and their module stays unread
        return None
    from cog_oci.layers.steps import StepLayer  # noqa: PLC0415 - see above

    return layer if isinstance(layer, StepLayer) else None
