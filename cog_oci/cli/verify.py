"""`cog-oci verify`: an image held against its lock, or against another image."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cog_oci.cli._options import image_options, schema_option, workshop
from cog_oci.errors import CogError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cog_oci.config import Project
    from cog_oci.oci import StoredImage
    from cog_oci.plan import Plan
    from cog_oci.transports.sources import Source
    from cog_oci.verify import Outcome, Report, Verdict
    from cog_oci.workshop import Workshop

__all__ = ["verify"]

_SHOWN = 5  # reasons a layer on a screen; --json has more


@click.command()
@click.argument("image")
@click.option(
    "-f", "--file", metavar="FILE", help="The cog.yaml that the image was made from, to rebuild its code too."
)
@click.option(
    "--project",
    "folder",
    metavar="DIR",
    help="The folder of that file.  [default: here, if its cog.lock is the image's]",
)
@click.option("--platform", metavar="OS/ARCH", help="Look at the image for this platform only.  [default: all]")
@click.option("--against", metavar="OTHER", help="Build nothing: compare with this image instead.")
@click.option("--json", "as_json", is_flag=True, help="Print what was found out as JSON.")
@schema_option
def verify(
    image: str,
    *,
    file: str | None,
    folder: str | None,
    platform: str | None,
    against: str | None,
    as_json: bool,
    schema: Path | None,
) -> int:
    """Rebuild an image from its lock, and say of every layer whether it comes out the same.

    \b
    cog-oci verify image.tar
    cog-oci verify registry.example.com/me/model:v1 --project ~/model
    cog-oci verify image.tar --against registry.example.com/me/model:v1

    IMAGE is an archive, a folder with an OCI layout, or a name in a registry. Nothing but the artifacts that the lock
    names goes into the layers: they are made in an empty store. What differs is named: layer, path, field, byte.

    Ends with 0 when everything that can be rebuilt here was reproduced; with 1 when something differs, or cannot be
    rebuilt because the artifacts that its lock names cannot be had.
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    from cog_oci.transports.sources import open_source

    with ExitStack() as stack, workshop() as shop:
        source = stack.enter_context(open_source(image))
        images = _chosen(source, platform)
        if against is None:
            reports = [_verified(source, one, shop, file=file, folder=folder, schema=schema) for one in images]
        else:
            reports = _against(stack.enter_context(open_source(against)), source, images)
    if as_json:
        click.echo(json.dumps([report.to_json() for report in reports], indent=2))
    else:
        _show(reports, "reproduced" if against is None else "the same")
    return 0 if all(report.is_good for report in reports) else 1


def _chosen(source: Source, platform: str | None) -> list[StoredImage]:
    images = source.images()
    chosen = [one for one in images if platform in {None, str(one.platform)}]
    if not chosen:
        there = ", ".join(str(one.platform) for one in images)
        raise CogError(f"{source.name} has no image for {platform}, only for {there}")
    return chosen


def _verified(
    source: Source, image: StoredImage, shop: Workshop, *, file: str | None, folder: str | None, schema: Path | None
) -> Report:
    from cog_oci import verify as verification

    plan: Plan | None = None
    found: Project | None = None
    why = ""
    try:
        found = _project(file, folder)
        leave_out = frozenset({Path(source.name).absolute()})
        plan = verification.fitting(found, image, image_options(found, leave_out=leave_out, schema=schema))
    except CogError as error:
        if file or folder:
            raise
        why = f"it is made from the project's files; name their folder with --project (here: {error})"
    shop.progress.say(f"rebuilding {source.name} ({image.platform})")
    return verification.verify(source, image, shop, plan, why, found if plan else None)


def _project(file: str | None, folder: str | None) -> Project:
    from cog_oci.config import Project

    path = Path(folder or ".") / (file or "cog.yaml")
    return Project.find(Path.cwd() / path.parent, path.name)


def _against(expected: Source, source: Source, images: Sequence[StoredImage]) -> list[Report]:
    from cog_oci.verify import compare_images

    others = {str(one.platform): one for one in expected.images()}
    if missing := [str(one.platform) for one in images if str(one.platform) not in others]:
        raise CogError(f"{expected.name} has no image for {', '.join(missing)}", hint="choose one with --platform")
    return [compare_images(others[str(one.platform)], expected, one, source) for one in images]


def _show(reports: Sequence[Report], hoped: Outcome) -> None:
    for report in reports:
        _print(f"{report.name} {report.platform} {report.digest}")
        width = max((len(verdict.layer) for verdict in report.layers), default=0)
        for verdict in report.layers:
            _show_layer(verdict, width)
        for problem in report.problems:
            _print(f"  {problem}")
        for note in report.notes:
            _print(f"  note: {note}")
        _print(f"  {hoped}: {sum(one.outcome == hoped for one in report.layers)} of {len(report.layers)} layers")


def _show_layer(verdict: Verdict, width: int) -> None:
    reasons = verdict.reasons
    tail = f": {reasons[0]}" if len(reasons) == 1 else ":" if reasons else ""
    _print(f"  {verdict.layer:{width}}  {verdict.outcome}{tail}")
    if len(reasons) > 1:
        for reason in reasons[:_SHOWN]:
            _print(f"  {'':{width}}    {reason}")
        if len(reasons) > _SHOWN:
            _print(f"  {'':{width}}    … (all of them with --json)")


def _print(line: str) -> None:
    """A line of text, even when an image holds names that are meant for a terminal to obey."""
    click.echo("".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in line))
