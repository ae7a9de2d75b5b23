"""`cog-oci push`: cog.lock → a registry."""

from __future__ import annotations

import json
import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self, cast

import click

from cog_oci.cli._attached import attached
from cog_oci.cli._cache import caching
from cog_oci.cli._cog_flags import build_flags
from cog_oci.cli._delivery_words import delivered, delivery_document
from cog_oci.cli._gap_words import warn_of_gaps
from cog_oci.cli._options import (
    compression_option,
    file_option,
    image_options,
    insecure_option,
    locked,
    offline_option,
    platform_option,
    platforms,
    project,
    record,
    schema_option,
    weights_option,
    workshop,
)
from cog_oci.cli._settings import current_settings
from cog_oci.cli._steps import step_options
from cog_oci.cli._target import REPLICATE, push_target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

    from cog_oci.build import Built, Receiver
    from cog_oci.cli._steps import StepOptions
    from cog_oci.layers import Compression
    from cog_oci.oci import Descriptor, Digest, LayerBlob
    from cog_oci.transports._distribution import Repository
    from cog_oci.transports._place import Place
    from cog_oci.transports.registry import Limits
    from cog_oci.workshop import Workshop

__all__ = ["push"]


@click.command()
@click.argument("image", metavar="[IMAGE]", required=False)
@file_option
@platform_option
@compression_option
@insecure_option
@click.option("--json", "as_json", is_flag=True, help="Print what went where as JSON, sizes in bytes.")
@offline_option
@weights_option
@schema_option
@step_options
@build_flags
def push(  # noqa: PLR0913 - one argument an option
    *,
    image: str | None,
    file: str,
    platform: str,
    compression: Compression | None,
    insecure: bool,
    as_json: bool,
    offline: bool,
    separate_weights: bool,
    schema: Path | None,
    steps: StepOptions,
) -> None:
    """Build the image that cog.lock describes, and put it into a registry.

    \b
    cog-oci push registry.example.com/me/model:v1
    cog-oci push localhost:5000/model --platform linux/amd64,linux/arm64

    IMAGE is where to, [default: the model of COG_MODEL, COG_MODEL_REGISTRY, COG_MODEL_REPO and COG_MODEL_TAG, else
    `image:` of cog.yaml]. What the registry has is not sent, and what another repository of it has is mounted from
    there; neither is built or fetched. An upload that breaks goes on where the registry has acknowledged it. The lock
    travels with the image, and so does a bill of materials.

    Prints the image's digest, and nothing else, on standard output. With --offline, nothing is fetched for the build.
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    from cog_oci import build
    from cog_oci.oci import MediaType
    from cog_oci.transports._place import Place
    from cog_oci.transports.archive import Archive
    from cog_oci.transports.registry import Limits

    found = project(file)
    environment = {**os.environ, "COG_REGISTRY_HOST": current_settings().registry}
    place = Place.parse(push_target(image, found.config.image_name, environment)).tagged()
    limits = Limits.of(os.environ)
    lock = locked(found)
    options = image_options(found, compression=compression, separate_weights=separate_weights, schema=schema)
    with (
        workshop(offline=offline) as plain,
        caching(steps.allowing(plain), found) as shop,
        place.open(insecure=insecure) as repository,
    ):
        # A build may take minutes: whoever may not push is told before.
        repository.manifest_digest(place.reference.tag, MediaType.MANIFEST)

        def made(receiver: Receiver | None = None) -> list[Built]:
            return [build.build(found, one, lock, shop, options, receiver) for one in platforms(platform)]

        with _saying_what_replicate_wants(place), _Sending(repository, limits, shop, made) as sending:
            built = made(sending)
            recorded = record(found, lock, built)
            whole = Archive([one.image.stored() for one in built], place.reference)
            documents = attached(found, recorded, built)
            for one in built:  # while the registry is busy with the blobs
                warn_of_gaps(one.image, lock, shop)
            delivery = sending.registry.push(whole, documents)
        shop.progress.say(f"pushed {place.reference.full}: {delivered(delivery)}")
        if repository.host == REPLICATE:
            shop.progress.say(f"Run your model on Replicate: https://replicate.com/{repository.path}")
        if shop.cache is not None:
            shop.cache.keep(_by_key(built), limits, (repository.host, repository.path))
    if as_json:
        click.echo(json.dumps(delivery_document(place.reference, delivery), indent=2))
    else:
        click.echo(delivery.descriptor.digest)


@contextmanager
def _saying_what_replicate_wants(place: Place) -> Iterator[None]:
    """It takes models alone that were made on its site, as no other registry does."""
    from cog_oci.errors import CogError
    from cog_oci.transports._failures import RegistryError

    try:
        yield
    except RegistryError as error:
        if place.reference.host != REPLICATE or error.code != "NAME_UNKNOWN":
            raise
        raise CogError(
            f"Unable to find existing Replicate model for {place.path}",
            hint="go to replicate.com and create a new model before pushing",
        ) from None


class _Sending:
    """An image on its way, layer by layer: a Receiver of what is built, and a context that ends it at an error.

    Layers that were left in the cache come from there if they cannot be mounted. `make` has every layer in the store
    when it returns: that is for those that are not where they were.
    """

    def __init__(self, repository: Repository, limits: Limits, shop: Workshop, make: Callable[[], list[Built]]) -> None:
        from cog_oci.transports.registry import Registry

        self._repository, self._shop, self._make = repository, shop, make
        self.registry = Registry(repository, shop.store, limits, shop.progress, self._provide)
        self._layers: dict[Digest, LayerBlob] = {}
        self._making = threading.Lock()

    def __enter__(self) -> Self:
        self.registry.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.registry.__exit__(kind, error, trace)

    def has(self, blob: Descriptor) -> bool:
        return self._repository.has_blob(blob.digest)

    def take(self, layer: LayerBlob) -> None:
        self._layers[layer.descriptor.digest] = layer
        if self._shop.cache is not None:
            self._shop.cache.note(self._repository.host, layer.descriptor)
        self.registry.take(layer)

    def _provide(self, blob: Descriptor) -> None:
        layer, cache = self._layers.get(blob.digest), self._shop.cache
        if layer is None or (cache is not None and cache.bring(layer)):
            return
        with self._making:
            if not self._shop.store.has(blob.digest, blob.size):
                self._make()


def _by_key(built: Sequence[Built]) -> dict[str, LayerBlob]:
    """The layers that locks decide, by what a cache knows them by."""
    from cog_oci.layers import rendering_key

    layers = {layer.descriptor.digest: layer for one in built for layer in one.image.layers}
    return {
        rendering_key(record.recipe, blob.made_by): layers[cast("Digest", blob.digest)]
        for one in built
        for record in one.layers
        for blob in record.blobs.values()
        if blob.digest in layers
    }
