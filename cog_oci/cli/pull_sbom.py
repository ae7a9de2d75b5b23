"""`cog-oci pull-sbom`: an image → the bill of materials that it carries."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cog_oci.errors import CogError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cog_oci.oci import StoredImage

__all__ = ["pull_sbom"]


@click.command(name="pull-sbom")
@click.argument("image")
@click.option(
    *("-o", "--output"),
    type=click.Path(path_type=Path),
    default="-",
    show_default=True,
    help="Where to write; - is standard output.",
)
@click.option("--platform", help="Which of the image's platforms.  [default: linux/amd64, or the only one]")
def pull_sbom(*, image: str, output: Path, platform: str | None) -> None:
    """Print the bill of materials that an image carries: CycloneDX, JSON.

    \b
    cog-oci pull-sbom registry.example.com/me/model:v1 -o bom.json
    cog-oci pull-sbom image.tar --platform linux/arm64 | jq '.components[].purl'

    IMAGE is an image in a registry, an archive or a folder. The bill lists every wheel and every Debian package with
    its hash and what it depends on; with the licences of them all, `cog-oci export --format cyclonedx` writes it.
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    from cog_oci.oci import MediaType
    from cog_oci.transports.sources import open_source

    with open_source(image) as source:
        one = _chosen(image, source.images(), platform)
        bills = source.attached(one, MediaType.CYCLONEDX)
    if not bills:
        raise CogError(
            f"{image} carries no bill of materials",
            hint="something else made it, or a copy left the bill behind; `cog-oci top` looks into the image itself",
        )
    if len(bills) > 1:
        click.echo(f"{image} carries {len(bills)} bills of materials: this is the first", err=True)
    if str(output) == "-":
        click.echo(bills[0], nl=False)
        return
    output.write_bytes(bills[0])
    click.echo(f"wrote {output}, for {one.platform}", err=True)


def _chosen(name: str, images: Sequence[StoredImage], platform: str | None) -> StoredImage:
    """The image for the platform that is meant; a CogError when that is not clear, or there is none."""
    found = {str(image.platform): image for image in images}
    wanted = platform or ("linux/amd64" if len(found) > 1 else next(iter(found)))
    if wanted not in found:
        raise CogError(
            f"{name} is for {', '.join(sorted(found))}", hint="say which with --platform" if platform is None else None
        )
    return found[wanted]
