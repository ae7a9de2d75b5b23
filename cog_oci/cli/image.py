"""`cog-oci image`: cog.lock → an archive."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from cog_oci.cli._options import file_option, platform_option, project, workshop

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
def image(file: str, platform: str, tag: str | None, output: str) -> None:
    """Build the image that cog.lock describes, as an archive.

    \b
    cog-oci image && docker load -i image.tar
    cog-oci image -t me/model:v1 -o - | podman load

    Prints the image's digest, and nothing else, on standard output (on standard error when the archive goes there).
    The same lock and code give the same digest on any machine; what is built already is not built again.
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    from cog_oci import build
    from cog_oci.lock import Lock
    from cog_oci.oci import Platform, Reference
    from cog_oci.transports import archive

    found = project(file)
    reference = Reference.parse(tag or found.image_name)
    target = None if output == "-" else Path(output).absolute()
    locked = Lock.read(found.lock_path)
    with workshop() as shop:
        leave_out = frozenset() if target is None else frozenset({target})
        built = build.build(found, Platform.parse(platform), locked, shop, leave_out=leave_out)
        if target is None:
            archive.write(sys.stdout.buffer, built, reference, shop.store, shop.progress)
        else:
            archive.write_file(target, built, reference, shop.store, shop.progress)
            shop.progress.say(f"wrote {output} ({reference.familiar}); load it with `docker load -i {output}`")
    click.echo(built.digest, err=target is None)
