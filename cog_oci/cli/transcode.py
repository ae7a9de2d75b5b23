"""`cog-oci transcode`: an image that exists → the same image in other envelopes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cog_oci.cli._options import workshop

if TYPE_CHECKING:
    from cog_oci.layers import Compression
    from cog_oci.transports.archive import Archive
    from cog_oci.workshop import Workshop

__all__ = ["transcode"]


@click.command()
@click.argument("image", metavar="IN")
@click.argument("output", metavar="OUT")
@click.option(
    "--compression",
    type=click.Choice(["gzip", "zstd", "none"]),
    required=True,
    help="How layers travel: gzip loads everywhere, zstd is the smallest, none the fastest to load.",
)
@click.option("-t", "--tag", metavar="NAME[:TAG]", help="What to call the image.  [default: what it is called in IN]")
def transcode(image: str, output: str, compression: Compression, tag: str | None) -> None:
    """Put the layers of an image that exists into other envelopes.

    \b
    cog-oci transcode image.tar small.tar --compression zstd
    cog-oci transcode registry.example.com/me/model:v1 layout/ --compression none

    IN is an archive, a folder with an OCI layout, or an image in a registry. OUT is an archive, or an OCI layout when
    it ends with a slash or is a folder. Nothing else is fetched, nothing is built: the content id, the labels and the
    lock that the image carries stay what they are, for every platform.

    Prints the new digest, and nothing else, on standard output.
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    from cog_oci.errors import CogError
    from cog_oci.reference import Reference
    from cog_oci.transcode import transcode as transcoded
    from cog_oci.transports.archive import Archive
    from cog_oci.transports.sources import open_source

    with workshop() as shop:
        with open_source(image) as source:
            reference = Reference.parse(tag) if tag else source.reference
            if reference is None:
                raise CogError(f"{source.name} does not say what the image is called", hint="name it, with -t NAME:TAG")
            made = transcoded(source, compression, shop.store, shop.progress)
        whole = Archive(made.images, reference, made.attached)
        _write(whole, output, shop)
        shop.progress.say(f"wrote {output} ({reference.familiar}), {compression}")
    click.echo(whole.descriptor.digest)


def _write(whole: Archive, output: str, shop: Workshop) -> None:
    from cog_oci.transports import archive, layout

    target = Path(output).absolute()
    if output.endswith("/") or target.is_dir():
        layout.write_folder(target, whole, shop.store, shop.progress)
    else:
        archive.write_file(target, whole, shop.store, shop.progress)
