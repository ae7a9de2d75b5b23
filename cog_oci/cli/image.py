"""`cog-oci image`: cog.lock → an archive."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cog_oci.cli._options import (
    file_option,
    image_options,
    platform_option,
    platforms,
    project,
    schema_option,
    weights_option,
    workshop,
)

if TYPE_CHECKING:
    from cog_oci.build import Workshop
    from cog_oci.layers import Compression
    from cog_oci.transports.archive import Archive

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
@click.option(
    "--compression",
    type=click.Choice(["gzip", "zstd", "none"]),
    help="How layers travel: gzip loads everywhere, zstd is the smallest, none the fastest to load.  "
    "[default: image.compression of cog.yaml, else gzip]",
)
@click.option(
    "--digest", "only_digest", is_flag=True, help="Print the image's digest from the lock and the code; build nothing."
)
@click.option(
    "--load",
    is_flag=True,
    help="Put the image into the Docker daemon (DOCKER_HOST), without the layers that it has; write no archive.",
)
@weights_option
@schema_option
def image(  # noqa: PLR0913 - one argument an option
    *,
    file: str,
    platform: str,
    tag: str | None,
    output: str,
    compression: Compression | None,
    only_digest: bool,
    load: bool,
    separate_weights: bool,
    schema: Path | None,
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
    from cog_oci import build
    from cog_oci.lock import Lock
    from cog_oci.oci import Reference
    from cog_oci.transports.archive import Archive

    found = project(file)
    reference = Reference.parse(tag or found.image_name)
    target = None if load or output == "-" else Path(output).absolute()
    locked = Lock.read(found.lock_path)
    options = image_options(
        found,
        compression=compression,
        leave_out=frozenset() if target is None else frozenset({target}),
        separate_weights=separate_weights,
        schema=schema,
    )
    with workshop() as shop:
        if only_digest:
            known = [build.identify(found, one, locked, shop, options) for one in platforms(platform)]
            click.echo(Archive([one.stored() for one in known], reference).descriptor.digest)
            return
        built = {str(one): build.build(found, one, locked, shop, options) for one in platforms(platform)}
        recorded = locked.recording({name: one.layers for name, one in built.items()})
        if recorded != locked:
            recorded.write(found.lock_path)
        attached = [blob for one in built.values() for blob in one.lock.blobs]
        whole = Archive([one.image.stored() for one in built.values()], reference, attached)
        if load:
            _load(whole, shop)
        else:
            _write(whole, target, output, shop)
    click.echo(whole.descriptor.digest, err=target is None and not load)


def _load(whole: Archive, shop: Workshop) -> None:
    from cog_oci.transports.docker import Docker

    sent = Docker().load(whole, shop.store, shop.progress)
    shop.progress.say(f"loaded {whole.reference.familiar}: {sent / 1e6:.1f} MB of layers were new to the daemon")


def _write(whole: Archive, target: Path | None, output: str, shop: Workshop) -> None:
    from cog_oci.transports import archive

    if target is None:
        archive.write(sys.stdout.buffer, whole, shop.store, shop.progress)
        return
    archive.write_file(target, whole, shop.store, shop.progress)
    shop.progress.say(f"wrote {output} ({whole.reference.familiar}); load it with `docker load -i {output}`")
