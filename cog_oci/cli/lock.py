"""`cog-oci lock`: cog.yaml → cog.lock."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from cog_oci.cli._options import file_option, locked, platforms, project, schema_option, workshop
from cog_oci.cli._words import plural

if TYPE_CHECKING:
    from pathlib import Path

    from cog_oci.config import Project
    from cog_oci.lock import Lock, PlatformLock
    from cog_oci.oci import Platform
    from cog_oci.workshop import Workshop

__all__ = ["lock"]


@click.command()
@file_option
@click.option(
    "--platform",
    help="What images run on; several, with commas between.  [default: as in the lock, else linux/amd64]",
)
@click.option("--upgrade", is_flag=True, help="Let everything move, as if there were no lock yet.")
@click.option(
    "-P",
    "--upgrade-package",
    "upgraded",
    multiple=True,
    metavar="NAME[==VERSION]",
    help="Let this one move, to the version or to the newest that fits; a Python or a Debian package. May be repeated.",
)
@click.option(
    "--as-of",
    metavar="TIME",
    help="Resolve everything as if it were then: an ISO date or time, UTC. The same time gives the same lock; with"
    " --upgrade-package the rest stays.  [default: now]",
)
@click.option("--check", is_flag=True, help="Say whether the lock fits, with status 1 when not; resolve nothing.")
@click.option("--diff", is_flag=True, help="Print what would change; write nothing.")
@click.option("--json", "as_json", is_flag=True, help="With --diff: print it as JSON, sizes in bytes.")
@click.option(
    "--bytecode/--no-bytecode",
    default=None,
    help="Whether images hold compiled Python: they start sooner and are larger, and only a host that can run their"
    " Python can build them.  [default: as in the lock, else where this host can]",
)
@click.option("--forget-layers", is_flag=True, help="Drop what the lock has recorded of the layers it made.")
@schema_option
def lock(  # noqa: PLR0913 - one argument an option
    *,
    file: str,
    platform: str | None,
    upgrade: bool,
    upgraded: tuple[str, ...],
    as_of: str | None,
    check: bool,
    diff: bool,
    as_json: bool,
    bytecode: bool | None,
    forget_layers: bool,
    schema: Path | None,
) -> None:
    """Pin everything the image will contain.

    \b
    cog-oci lock                              what is locked stays, as long as it fits
    cog-oci lock --upgrade-package torch      only this moves, and what has to move with it
    cog-oci lock --upgrade --diff             what would an upgrade change?
    cog-oci lock --check                      for CI: status 1 when the lock is out of date

    Resolves Python packages, Debian packages and the base, and writes cog.lock beside cog.yaml: every file by name,
    version, size and sha256. Commit it. Nothing is resolved again unless you run this.
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    found = project(file)
    wanted = platforms(platform) if platform else []
    if check:
        _check(found, wanted)
        return
    ask = _Ask(found, wanted, _time(as_of), bytecode, schema, everything=upgrade, packages=upgraded)
    before = _before(found.lock_path, needed=not ask.moves_everything)
    known = replace(before, platforms=_without_layers(before)) if before and forget_layers else before
    with workshop() as shop:
        after = ask.answer(known, shop)
        if diff:
            _show(before, after, as_json=as_json)
        elif after == before:
            shop.progress.say(f"nothing has changed: {found.lock_path}")
        else:
            after.write(found.lock_path)
            _tell(before, after, found.lock_path, shop)


@dataclass(frozen=True)
class _Ask:
    """What the command line wants of a new lock."""

    project: Project
    platforms: list[Platform]
    as_of: datetime | None
    bytecode: bool | None
    schema: Path | None
    everything: bool
    packages: tuple[str, ...]

    @property
    def moves_everything(self) -> bool:
        """A time alone means everything as it was then, whatever was locked."""
        return self.everything or (self.as_of is not None and not self.packages)

    def answer(self, before: Lock | None, shop: Workshop) -> Lock:
        """The new lock: `before` itself where only the time would differ, and no time was asked for."""
        from cog_oci import build
        from cog_oci.upkeep.renew import same
        from cog_oci.upkeep.upgrade import Upgrade

        after = build.lock(
            self.project,
            self.platforms or _platforms(before),
            self.as_of or datetime.now(UTC).replace(microsecond=0),
            shop,
            before=before,
            upgrade=Upgrade.parse(self.packages, everything=self.moves_everything),
            bytecode=self.bytecode,
            schema=self.schema,
        )
        if before is None or self.as_of is not None or before.platforms.keys() != after.platforms.keys():
            return after
        return before if all(same(before.platforms[name], parts) for name, parts in after.platforms.items()) else after


def _check(found: Project, wanted: list[Platform]) -> None:
    from cog_oci.upkeep.fresh import check

    check(found, locked(found), wanted)
    click.echo(f"{found.lock_path.name} fits", err=True)


def _platforms(before: Lock | None) -> list[Platform]:
    return platforms(",".join(sorted(before.platforms)) if before and before.platforms else "linux/amd64")


def _without_layers(before: Lock) -> dict[str, PlatformLock]:
    return {name: replace(parts, layers=()) for name, parts in before.platforms.items()}


def _before(path: Path, *, needed: bool) -> Lock | None:
    """The lock that is about to be replaced, if there is one.

    One that cannot be read is an error where something of it is to stay: its pins would be lost unseen.
    """
    from cog_oci.errors import CogError
    from cog_oci.lock import Lock

    if not path.exists():
        return None
    try:
        return Lock.read(path)
    except CogError:
        if needed:
            raise
        return None


def _show(before: Lock | None, after: Lock, *, as_json: bool) -> None:
    from cog_oci.cli._lock_words import change_document, change_lines

    before = before or replace(after, platforms={})
    if as_json:
        import json

        click.echo(json.dumps(change_document(before, after), indent=2))
        return
    for line in change_lines(before, after):
        click.echo(line)


def _tell(before: Lock | None, after: Lock, path: Path, shop: Workshop) -> None:
    from cog_oci.cli._lock_words import change_lines

    for line in change_lines(before, after) if before else ():
        shop.progress.say(line)
    for name, parts in after.platforms.items():
        size = sum(artifact.size for artifact in parts.artifacts())
        shop.progress.say(
            f"locked {plural(len(parts.wheels), 'Python package')} and {plural(len(parts.debs), 'Debian package')} for "
            f"{name}, {size / 1e6:.1f} MB to fetch in all: {path}"
        )


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        parsed = datetime.fromisoformat(text)
        parsed = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
        return parsed.astimezone(UTC).replace(microsecond=0)
    except (ValueError, OverflowError):
        raise click.BadParameter(f"{text!r} is not an ISO 8601 time such as 2026-11-24T12:00:00Z") from None
