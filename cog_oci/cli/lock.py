"""`cog-oci lock`: cog.yaml → cog.lock."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from cog_oci.cli._options import file_option, platform_option, project, workshop

__all__ = ["lock"]


@click.command()
@file_option
@platform_option
@click.option(
    "--as-of",
    metavar="TIME",
    help="Resolve as if it were then: an ISO date or time, UTC. The same time gives the same lock.  [default: now]",
)
def lock(file: str, platform: str, as_of: str | None) -> None:
    """Pin everything the image will contain.

    Resolves Python packages, Debian packages and the base, and writes cog.lock beside cog.yaml: every file by name,
    version, size and sha256. Commit it. Nothing is resolved again unless you run this.
    """
    from cog_oci import build
    from cog_oci.oci import Platform

    found = project(file)
    when = _time(as_of)
    with workshop() as shop:
        locked = build.lock(found, [Platform.parse(platform)], when, shop)
        locked.write(found.lock_path)
        parts = locked.platforms[platform]
        size = sum(artifact.size for artifact in parts.artifacts())
        shop.progress.say(
            f"locked {len(parts.wheels)} Python packages and {len(parts.debs)} Debian packages for {platform}, "
            f"{size / 1e6:.1f} MB to fetch in all: {found.lock_path}"
        )


def _time(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC).replace(microsecond=0)
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is not an ISO 8601 time such as 2026-11-24T12:00:00Z") from None
    parsed = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    return parsed.astimezone(UTC).replace(microsecond=0)
