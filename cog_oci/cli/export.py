"""`cog-oci export`: cog.lock in a format of others."""

from __future__ import annotations

from pathlib import Path

import click

from cog_oci.cli._lock_options import chosen, one_platform_option
from cog_oci.cli._options import file_option, locked, project, workshop

__all__ = ["export"]


@click.command()
@click.option(
    "--format",
    "format_",
    type=click.Choice(["pylock", "requirements", "cyclonedx"]),
    required=True,
    help="pylock: PEP 751; requirements: with hashes; cyclonedx: a bill of materials in JSON.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Where to write.  [default: standard output]")
@file_option
@one_platform_option
def export(*, format_: str, output: Path | None, file: str, platform: str | None) -> None:
    """Write what cog.lock holds for one platform in a format that other tools read.

    \b
    cog-oci export --format pylock -o pylock.toml          uv pip install -r pylock.toml
    cog-oci export --format requirements > locked.txt      pip install --require-hashes -r locked.txt
    cog-oci export --format cyclonedx -o bom.json          for scanners: wheels, debs, licences

    The same lock gives the same text. pylock and requirements have the model's Python packages; cyclonedx has
    everything, and brings every file into the store, because the licences are in them.
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    from cog_oci.build import fetch
    from cog_oci.exports import FORMATS, Subject
    from cog_oci.fetch import Fetcher
    from cog_oci.origins import Origins

    found = project(file)
    lock = locked(found)
    one, parts = chosen(lock, platform)
    with workshop() as shop:
        fetcher = Fetcher(shop.store, shop.progress)
        first, *earlier = lock.moments(one)
        origins = Origins(fetcher, first, earlier=earlier, indexes=found.indexes(), archives=found.archives())
        subject = Subject(
            name=found.image_name,
            as_of=lock.as_of,
            platform=one,
            parts=parts,
            store=shop.store,
            locate=origins.locate,
            bring=lambda artifacts: fetch(found, one, lock, artifacts, shop),
        )
        text = FORMATS[format_](subject)
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")
