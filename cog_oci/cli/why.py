"""`cog-oci why`: who asked for a package."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from cog_oci.cli._lock_options import chosen, one_platform_option
from cog_oci.cli._options import file_option, locked, project
from cog_oci.cli._reason_words import found, name_of
from cog_oci.cli._words import human

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cog_oci.reasons import Locked, Reasons

__all__ = ["why"]


@click.command()
@click.argument("name")
@file_option
@one_platform_option
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON, sizes in bytes.")
def why(*, name: str, file: str, platform: str | None, as_json: bool) -> None:
    """Show why the package NAME is in the image: each that needs it, and the way from there to cog.yaml or the base.

    \b
    cog-oci why numpy
    cog-oci why libgl1 --json

    NAME is a Python or a Debian package. The lock alone is read: no network, and no package need be here.
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    from cog_oci.reasons import Reasons

    reasons = Reasons(chosen(locked(project(file)), platform)[1])
    packages = found(reasons, name)
    if as_json:
        click.echo(json.dumps([_document(reasons, package) for package in packages], indent=2))
        return
    for package in packages:
        for line in _lines(reasons, package):
            click.echo(line)


def _document(reasons: Reasons, package: Locked) -> dict[str, Any]:
    artifact = package.artifact
    about = {"name": artifact.name, "version": artifact.version, "kind": package.kind, "size": artifact.size}
    return {**about, "chains": reasons.chains(package)}


def _lines(reasons: Reasons, package: Locked) -> Iterator[str]:
    yield f"{name_of(package)}, {human(package.artifact.size)}{_origin(package)}, is needed by"
    for chain in reasons.chains(package):
        yield "  " + " ← ".join(chain)


def _origin(package: Locked) -> str:
    """The archive of a deb that is not from Debian's own."""
    from cog_oci.apt import DEBIAN
    from cog_oci.lock import Deb

    artifact = package.artifact
    return f", from {artifact.archive}" if isinstance(artifact, Deb) and artifact.archive not in DEBIAN else ""
