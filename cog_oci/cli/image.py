"""`cog-oci image`: cog.lock → an archive."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cog_oci.cli._attached import attached
from cog_oci.cli._cache import caching
from cog_oci.cli._options import (
    compression_option,
    file_option,
    image_options,
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
from cog_oci.cli._steps import step_options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cog_oci.cli._steps import StepOptions
    from cog_oci.layers import Compression
    from cog_oci.oci import Image, StoredLayer
    from cog_oci.reference import Reference
    from cog_oci.transports.archive import Archive
    from cog_oci.transports.docker import Docker
    from cog_oci.workshop import Workshop

    Loader = Callable[[Archive, Image, Workshop], None]

__all__ = ["image"]


@click.command()
@file_option
@platform_option
@click.option(
    "-t", "--tag", metavar="NAME[:TAG]", help="What to call the image.  [default: cog.yaml's, else cog-FOLDER]"
)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    default="image.tar",
    show_default=True,
    help="Where to write; - is standard output.",
)
@compression_option
@click.option(
    "--digest", "only_digest", is_flag=True, help="Print the image's digest from the lock and the code; build nothing."
)
@click.option(
    "--load",
    is_flag=True,
    help="Put the image into docker or podman, without the layers that it has; write no archive.",
)
@click.option(
    "--engine",
    type=click.Choice(["auto", "docker", "podman"]),
    default="auto",
    show_default=True,
    help="Where --load puts it; auto is podman where no Docker daemon answers.",
)
@click.option("--json", "as_json", is_flag=True, help="Print digest, content id and layers as JSON, sizes in bytes.")
@offline_option
@weights_option
@schema_option
@step_options
def image(  # noqa: PLR0913 - one argument an option
    *,
    file: str,
    platform: str,
    tag: str | None,
    output: str,
    compression: Compression | None,
    only_digest: bool,
    load: bool,
    engine: str,
    as_json: bool,
    offline: bool,
    separate_weights: bool,
    schema: Path | None,
    steps: StepOptions,
) -> None:
    """Build the image that cog.lock describes, as an archive.

    \b
    cog-oci image && docker load -i image.tar
    cog-oci image --load && docker run -p 5000:5000 cog-model
    cog-oci image -t me/model:v1 -o - | podman load
    cog-oci image --platform linux/amd64,linux/arm64

    Prints the image's digest, and nothing else, on standard output (on standard error when the archive goes there).
    The same lock and code give the same digest on any machine; what is built already is not built again. What each
    layer turned out to be is recorded in cog.lock: a later build that makes anything else fails.
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    from cog_oci.reference import Reference

    found = project(file)
    reference = Reference.parse(tag or found.image_name)
    target = None if load or output == "-" else Path(output).absolute()
    with workshop(offline=offline) as shop, _loader(reference if load and not only_digest else None, engine) as loader:
        # Only now: the daemon gets ready while these are imported.
        from cog_oci import build
        from cog_oci.cli._gap_words import warn_of_gaps
        from cog_oci.transports.archive import Archive

        lock = locked(found)
        options = image_options(
            found,
            compression=compression,
            leave_out=frozenset() if target is None else frozenset({target}),
            separate_weights=separate_weights,
            schema=schema,
        )
        if only_digest:
            known = [build.identify(found, one, lock, shop, options) for one in platforms(platform)]
            whole = Archive([one.stored() for one in known], reference)
            click.echo(_words(whole, as_json=as_json))
            return
        with caching(steps.allowing(shop), found) as cached:
            built = [build.build(found, one, lock, cached, options) for one in platforms(platform)]
        recorded = record(found, lock, built)
        images = [one.image.stored() for one in built]
        if loader is not None:
            whole = Archive(images, reference)  # engines keep nothing but images
            loader(whole, built[0].image, shop)
        else:
            documents = [blob for one in attached(found, recorded, built) for blob in one.blobs]
            whole = Archive(images, reference, documents)
            _write(whole, target, output, shop)
        for one in built:
            warn_of_gaps(one.image, lock, shop)
    click.echo(_words(whole, as_json=as_json), err=target is None and not load)


def _words(whole: Archive, *, as_json: bool) -> str:
    """The digest, or all that is known of the image."""
    if not as_json:
        return whole.descriptor.digest
    import json

    def layer(one: StoredLayer) -> dict[str, Any]:
        blob = one.descriptor
        return {"name": one.name, "diff_id": one.diff_id, "digest": blob.digest, "size": blob.size}

    platforms = {
        str(one.platform): {
            "digest": one.descriptor.digest,
            "content_id": one.content_id,
            "layers": [layer(each) for each in one.layers],
        }
        for one in whole.images
    }
    found = {"name": whole.reference.full, "digest": whole.descriptor.digest, "platforms": platforms}
    return json.dumps(found, indent=2)


@contextmanager
def _loader(reference: Reference | None, engine: str) -> Iterator[Loader | None]:
    """What puts the image of this name into the engine, which gets ready meanwhile; None for none."""
    if reference is None:
        yield None
    elif engine == "podman":
        yield _podman(reference)
    else:
        from cog_oci.transports.docker import Docker, DockerError

        with Docker() as daemon:
            try:
                daemon.expect(reference.familiar)
            except DockerError:
                if engine == "docker" or os.environ.get("DOCKER_HOST") or os.environ.get("DOCKER_CONTEXT"):
                    raise
                loader = _podman(reference, otherwise=sys.exception())
            else:
                loader = _docker(daemon)
            yield loader


def _docker(daemon: Docker) -> Loader:
    def load(whole: Archive, _: Image, shop: Workshop) -> None:
        sent = daemon.load(whole, shop.store, shop.progress)
        shop.progress.say(f"loaded {whole.reference.familiar}: {sent / 1e6:.1f} MB of layers were new to the daemon")

    return load


def _podman(reference: Reference, otherwise: BaseException | None = None) -> Loader:
    """For the first platform. Raises EngineError, or what is to be said `otherwise`, when podman is not here."""
    from cog_oci.engines import EngineError, Offer, choose

    try:
        podman = choose("podman")
    except EngineError:
        if otherwise is not None:
            raise otherwise from None
        raise

    def load(_: Archive, image: Image, shop: Workshop) -> None:
        podman.take(Offer(image, reference), shop.store, shop.progress)

    return load


def _write(whole: Archive, target: Path | None, output: str, shop: Workshop) -> None:
    from cog_oci.transports import archive

    if target is None:
        archive.write(sys.stdout.buffer, whole, shop.store, shop.progress)
        return
    archive.write_file(target, whole, shop.store, shop.progress)
    shop.progress.say(f"wrote {output} ({whole.reference.familiar}); load it with `docker load -i {output}`")
