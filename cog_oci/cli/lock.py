"""`cog-oci lock`: cog.yaml → cog.lock."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from cog_oci.cli._options import file_option, platform_option, platforms, project, schema_option, workshop

if TYPE_CHECKING:
    from pathlib import Path

    from cog_oci.lock import Lock

__all__ = ["lock"]


@click.command()
@file_option
@platform_option
@click.option(
    "--as-of",
    metavar="TIME",
    help="Resolve as if it were then: an ISO date or time, UTC. The same time gives the same lock.  [default: now]",
)
@click.option(
    "--bytecode/--no-bytecode",
    default=None,
    help="Whether images hold compiled Python: they start sooner and are larger, and only a host that can run their"
    " Python can build them.  [default: where this host can]",
)
@click.option("--forget-layers", is_flag=True, help="Drop what the lock has recorded of the layers it made.")
@schema_option
def lock(
    *,
    file: str,
    platform: str,
    as_of: str | None,
    bytecode: bool | None,
    forget_layers: bool,
    schema: Path | None,
) -> None:
    """Pin everything the image will contain.

    Resolves Python packages, Debian packages and the base, and writes cog.lock beside cog.yaml: every file by name,
    version, size and sha256. Commit it. Nothing is resolved again unless you run this.
    """
    from cog_oci import build

    found = project(file)
    when = _time(as_of)
    wanted = platforms(platform)
    before = None if forget_layers else _readable(found.lock_path)
    with workshop() as shop:
        locked = build.lock(found, wanted, when, shop, before=before, bytecode=bytecode, schema=schema)
        locked.write(found.lock_path)
        for name, parts in locked.platforms.items():
            size = sum(artifact.size for artifact in parts.artifacts())
            shop.progress.say(
                f"locked {len(parts.wheels)} Python packages and {len(parts.debs)} Debian packages for {name}, "
                f"{size / 1e6:.1f} MB to fetch in all: {found.lock_path}"
            )


def _readable(path: Path) -> Lock | None:
    """The lock that is about to be replaced; one that is not there or cannot be read has nothing to keep."""
    from cog_oci.errors import CogError
    from cog_oci.lock import Lock

    try:
        return Lock.read(path)
    except CogError:
        return None


def _time(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC).replace(microsecond=0)
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is not an ISO 8601 time such as 2026-11-24T12:00:00Z") from None
    parsed = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    return parsed.astimezone(UTC).replace(microsecond=0)
