"""`cog-oci store`: look after what is kept on this machine, and carry it to another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cog_oci.cli._options import file_option, locked, platforms, project, workshop
from cog_oci.cli._words import human, plural

if TYPE_CHECKING:
    from cog_oci.oci import DiffID, Digest

__all__ = ["store"]


@click.group()
def store() -> None:
    """Look after the store: the files that were fetched and the layers that were made, each by its hash."""


@store.command()
@click.option("--remove", is_flag=True, help="Remove what is damaged: it is fetched or made again when it is needed.")
@click.pass_context
def verify(context: click.Context, *, remove: bool) -> None:
    """Read every file in the store and compare it with its hash. The status is 1 when one is damaged.

    \b
    cog-oci store verify --remove
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    from cog_oci.stock import damaged

    with workshop() as shop:
        found = list(damaged(shop.store, shop.progress))
        for digest in found:
            click.echo(digest)
            if remove:
                shop.store.path(digest).unlink(missing_ok=True)
    click.echo(f"{plural(len(found), 'file')} damaged{' and removed' if found and remove else ''}", err=True)
    context.exit(1 if found and not remove else 0)


@store.command()
@click.option("--unused-for", "days", default=30.0, show_default=True, metavar="DAYS", help="How long is long enough.")
@click.option("--dry-run", is_flag=True, help="Say what would be removed; remove nothing.")
@file_option
def gc(*, days: float, dry_run: bool, file: str) -> None:
    """Remove what was not used for a while; all of it can be fetched or made again.

    \b
    cog-oci store gc --unused-for 7 --dry-run

    What the lock of the project here names stays, and so do layers that a program of the sandbox runs in. What was left
    half-made by commands that were killed goes after an hour. No build should be running when DAYS is small.
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    from cog_oci.sandbox import remove_folder
    from cog_oci.stock import clear

    with workshop() as shop:
        cleared = clear(shop.store, days, _locked_here(file), dry=dry_run, remove=remove_folder)
    verb = "would remove" if dry_run else "removed"
    click.echo(f"{verb} {plural(cleared.files, 'file')}, {human(cleared.size)}", err=True)


@store.command("export")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@file_option
@click.option("--platform", help="For what; several, with commas between.  [default: every one in the lock]")
def export_(*, folder: Path, file: str, platform: str | None) -> None:
    """Copy every file that cog.lock names to FOLDER, to be carried to a machine without a network.

    \b
    cog-oci fetch && cog-oci store export /media/usb/wheels
    … there: cog-oci store import /media/usb/wheels && cog-oci image --offline
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    from cog_oci.stock import carry_out

    lock = locked(project(file))
    wanted = platforms(platform or ",".join(sorted(lock.platforms)))
    artifacts = [artifact for one in wanted for artifact in lock.platform(one).artifacts()]
    with workshop() as shop:
        done = carry_out(shop.store, ((one.file.rsplit("/", 1)[-1], one.digest, one.size) for one in artifacts), folder)
    click.echo(f"{plural(done.files, 'file')}, {human(done.size)}, in {folder}", err=True)


@store.command("import")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
def import_(*, folder: Path) -> None:
    """Take the files in FOLDER, which `cog-oci store export` wrote, into the store, each verified by its hash.

    \b
    cog-oci store import /media/usb/wheels && cog-oci image --offline
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    from cog_oci.stock import carry_in

    with workshop() as shop:
        done = carry_in(shop.store, folder)
    click.echo(f"{plural(done.files, 'file')}, {human(done.size)}, from {folder}", err=True)


def _locked_here(file: str) -> list[Digest | DiffID]:
    """What the project of the working folder has locked; nothing where there is none."""
    from cog_oci.errors import CogError
    from cog_oci.oci import DiffID, Digest

    try:
        lock = locked(project(file))
    except CogError:
        return []
    parts = lock.platforms.values()
    layers = [layer for one in parts for layer in one.layers]
    blobs = [Digest(blob.digest) for layer in layers for blob in layer.blobs.values()]
    artifacts = [artifact.digest for one in parts for artifact in one.artifacts()]
    return [*blobs, *(DiffID(layer.diff_id) for layer in layers), *artifacts]
