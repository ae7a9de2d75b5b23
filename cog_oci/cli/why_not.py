"""`cog-oci why-not`: what keeps a package from being at another version."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from cog_oci.cli._lock_options import chosen, one_platform_option
from cog_oci.cli._options import file_option, locked, project, workshop
from cog_oci.cli._reason_words import found, name_of
from cog_oci.cli._words import plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cog_oci.config import Project
    from cog_oci.forbidden import Verdict
    from cog_oci.lock import PlatformLock
    from cog_oci.oci import Platform
    from cog_oci.reasons import Locked
    from cog_oci.resolver.target import Target

__all__ = ["why_not"]


@click.command("why-not")
@click.argument("wanted", metavar="NAME==VERSION")
@file_option
@one_platform_option
def why_not(*, wanted: str, file: str, platform: str | None) -> None:
    """Show what keeps a package from being at this version: who needs it, and which of them refuse.

    \b
    cog-oci why-not numpy==1.26.4

    The lock says who needs it; what each of them says about versions is read from its file, where the store has that
    (`cog-oci fetch` brings all of them). Nothing is resolved: `cog-oci lock --upgrade-package NAME==VERSION` tries.
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    from cog_oci.forbidden import verdicts
    from cog_oci.reasons import Reasons

    name, equals, version = (part.strip() for part in wanted.partition("=="))
    if not (name and equals and version):
        raise click.BadParameter(f"{wanted!r} is not of the form NAME==VERSION")
    here = project(file)
    one, parts = chosen(locked(here), platform)
    reasons, target = Reasons(parts), _target(one, parts)
    with workshop() as shop:
        for package in _of_image(found(reasons, name)):
            if package.artifact.version == version:
                click.echo(f"{name_of(package)} is at that version")
                continue
            if package.kind not in {"python", "debian"}:
                click.echo(f"{name_of(package)} is pinned by cog-oci: another comes with another version of that")
                continue
            said = verdicts(reasons, package, version, shop.store, target, _asked(here, package))
            for line in _lines(said, f"{name_of(package)}", f"{package.artifact.name}=={version}"):
                click.echo(line)


def _of_image(packages: list[Locked]) -> list[Locked]:
    """Those that are in the image. RequestError where there are builders alone: no wheel says what it is built with."""
    from cog_oci.errors import RequestError

    if there := [one for one in packages if one.kind != "builder"]:
        return there
    name = packages[0].artifact.name
    raise RequestError(
        f"{name} is in no image: others are built with it",
        asked=name,
        hint=f"`cog-oci why {name}` says which; the build-system of their pyproject.toml says which versions it may be",
    )


def _target(platform: Platform, parts: PlatformLock) -> Target:
    """What markers are evaluated for; they do not ask for the C library."""
    from cog_oci.resolver.target import Target

    major, minor = parts.interpreter.version.split(".")[:2]
    return Target((int(major), int(minor)), platform.architecture, (2, 0))


def _asked(here: Project, package: Locked) -> list[tuple[str, str]]:
    """The project's own requirements and constraints of this kind, as they are written, with who has them."""
    build = here.config.build
    if package.kind == "debian":
        return [("cog.yaml", re.sub(r"=(.*)", r" (= \1)", text)) for text in build.system_packages]
    from cog_oci.requirement_lines import read_requirement_lines
    from cog_oci.sources.adopted import is_lock

    file = here.requirements()
    if file is None:
        return [("cog.yaml", text) for text in build.python_packages]
    if is_lock(file):  # which pins all that it has
        return [(file.name, f"{package.artifact.name}=={package.artifact.version}")]
    lines = read_requirement_lines(file).lines
    return [(line.file.name if line.constraint else "cog.yaml", line.requirement) for line in lines]


def _lines(said: list[Verdict], subject: str, target: str) -> Iterator[str]:
    refusing = [one for one in said if one.admits is False]
    unknown = [one for one in said if one.admits is None]
    if refusing:
        yield f"{subject} cannot be {target}:"
    elif unknown:
        yield f"{subject}: nothing that is known refuses {target}"
    else:
        yield f"{subject}: nothing refuses {target}; it was not the newest that fitted at the lock's time, or is older"
    for one in [*refusing, *unknown]:
        verb = "refuses it" if one.admits is False else "may refuse it"
        asks = f"asks for {one.written}" if one.written else "its file is not in the store"
        yield f"  {one.asker} {verb}: {asks}" if one.asker != "cog.yaml" or one.written else "  cog.yaml asks for it"
    admitting = len({one.asker for one in said if one.admits} - {one.asker for one in (*refusing, *unknown)})
    if admitting and (refusing or unknown):
        yield f"  {plural(admitting, 'other')} admit{'' if admitting > 1 else 's'} it"
    if not refusing:
        yield f"try it: cog-oci lock --upgrade-package {target} --diff"
