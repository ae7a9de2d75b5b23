"""The layers of a base image, from its registry into the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cog_oci.fetch import OfflineError
from cog_oci.lock import BaseLayer
from cog_oci.oci import Descriptor

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cog_oci.lock import Artifact
    from cog_oci.progress import Progress
    from cog_oci.store import Store

__all__ = ["bring", "note"]

_AT_ONCE = 4


def bring(artifacts: Iterable[Artifact], store: Store, progress: Progress, *, offline: bool = False) -> list[Artifact]:
    """Fetch those that are layers of a base image, each verified; the others are given back.

    Raises OfflineError, RegistryError, LoginError, and AlteredBlobError for one that is not what the lock says.
    """
    others: list[Artifact] = []
    wanted: list[BaseLayer] = []
    for one in artifacts:
        if not isinstance(one, BaseLayer):
            others.append(one)
        elif not store.has(one.digest, one.size):
            wanted.append(one)
    if wanted and offline:
        raise OfflineError([one.file for one in wanted])
    if wanted:
        _fetch(wanted, store, progress)
    return others


def note(layers: Sequence[BaseLayer], store: Store) -> None:
    """Remember where they lie: another repository of that registry need not be sent them, it can mount them."""
    from cog_oci.transports._place import Place  # noqa: PLC0415 - most images have no layers of others
    from cog_oci.transports._whereabouts import Whereabouts  # noqa: PLC0415 - likewise

    if layers:
        place = Place.parse(_repository(layers))
        Whereabouts(store, place.reference.host).note(place.path, [layer.digest for layer in layers])


def _repository(layers: Sequence[BaseLayer]) -> str:
    return layers[0].file.partition("@")[0]


def _fetch(layers: Sequence[BaseLayer], store: Store, progress: Progress) -> None:
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - what is here is not fetched

    from cog_oci.transports._registry_source import open_registry  # noqa: PLC0415 - likewise
    from cog_oci.transports.carrying import bring as carry  # noqa: PLC0415 - likewise

    count = f"{len(layers)} layer" + ("" if len(layers) == 1 else "s")
    progress.say(f"fetching {count} of the base image, {sum(one.size for one in layers) / 1e6:.1f} MB")
    with open_registry(_repository(layers)) as source, ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="base") as pool:

        def one(layer: BaseLayer) -> None:
            with progress.task(layer.name, layer.size) as task:
                carry(source, Descriptor(layer.media_type, layer.digest, layer.size), store)
                task.advance(layer.size)

        try:
            for job in [pool.submit(one, layer) for layer in sorted(layers, key=lambda one: -one.size)]:
                job.result()
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
