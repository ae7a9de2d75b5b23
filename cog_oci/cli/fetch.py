"""`cog-oci fetch`: every file that a lock names → the store."""

from __future__ import annotations

import click

from cog_oci.cli._options import file_option, locked, platforms, project, workshop

__all__ = ["fetch"]


@click.command()
@file_option
@click.option("--platform", help="For what; several, with commas between.  [default: every one in the lock]")
def fetch(*, file: str, platform: str | None) -> None:
    """Bring every file that cog.lock names into the store, each verified by its hash.

    \b
    cog-oci fetch && cog-oci image --offline     no network is needed from here on
    cog-oci fetch && cog-oci store export DIR    … nor on the machine that DIR is carried to

    What is there already is not fetched again.
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    from cog_oci import build

    found = project(file)
    lock = locked(found)
    wanted = platforms(platform or ",".join(sorted(lock.platforms)))
    with workshop() as shop:
        for one in wanted:
            artifacts = list(lock.platform(one).artifacts())
            build.fetch(found, one, lock, artifacts, shop)
            size = sum(artifact.size for artifact in artifacts)
            shop.progress.say(f"{one}: all {len(artifacts)} files are in the store, {size / 1e6:.1f} MB")
