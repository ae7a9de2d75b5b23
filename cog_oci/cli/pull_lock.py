"""`cog-oci pull-lock`: an image → the lock that it was made from."""

from __future__ import annotations

from pathlib import Path

import click

from cog_oci.errors import CogError

__all__ = ["pull_lock"]


@click.command(name="pull-lock")
@click.argument("image")
@click.option(
    *("-o", "--output"),
    type=click.Path(path_type=Path),
    default="cog.lock",
    show_default=True,
    help="Where to write; - is standard output.",
)
@click.option("--force", is_flag=True, help="Write over a lock that says something else.")
def pull_lock(*, image: str, output: Path, force: bool) -> None:
    """Bring back the lock that an image was made from.

    \b
    cog-oci pull-lock registry.example.com/me/model:v1
    cog-oci pull-lock image.tar -o - | less

    IMAGE is an image in a registry, an archive or a folder. The lock is for the platforms that the image is for, and
    without the record of what the layers turned out to be: a build makes that anew.
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    from cog_oci.difference import carried_locks
    from cog_oci.transports.sources import open_source

    with open_source(image) as source:
        lock = carried_locks(source)
    if str(output) == "-":
        click.echo(lock.to_bytes(), nl=False)
        return
    if output.exists() and not force and output.read_bytes() != lock.to_bytes():
        raise CogError(f"{output} is there and says something else", hint="add --force to write over it, or use -o")
    lock.write(output)
    click.echo(f"wrote {output}, for {', '.join(sorted(lock.platforms))}", err=True)
