"""`cog-oci top`: where an image's bytes are."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from cog_oci.cli._progress import watching
from cog_oci.cli._words import cut, human, plain, plural, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cog_oci.contents import Copies, FileUsage, Hidden, LayerUsage, OwnerUsage, Usage
    from cog_oci.oci import StoredImage
    from cog_oci.progress import Progress

__all__ = ["top"]


@click.command()
@click.argument("image", metavar="IMAGE")
@click.option("--platform", help="Only the image for this platform.  [default: all]")
@click.option("-n", "most", type=click.IntRange(0), default=20, show_default=True, help="How many of each to show.")
@click.option("--all", "everything", is_flag=True, help="Show all of each.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON, sizes in bytes.")
def top(image: str, platform: str | None, most: int, everything: bool, as_json: bool) -> None:
    """Show where an image's bytes are.

    \b
    cog-oci top image.tar
    cog-oci top registry.example.com/me/model:v1 -n 5

    IMAGE is an archive, a folder with an OCI layout, or an image in a registry. Its layers come first, bottom up; then
    the packages (Python's and Debian's, and by folder what belongs to none) and the files that are largest, unpacked;
    then what is carried for nothing: files that a layer above replaces or removes, and equal files at several paths.
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    with watching() as progress:
        found = _measured(image, platform, progress)
    if as_json:
        click.echo(json.dumps({str(one.platform): _json(one, used) for one, used in found}, indent=2))
        return
    limit = None if everything else most
    click.echo("\n\n".join("\n".join(_report(one, used, limit)) for one, used in found))


def _measured(text: str, platform: str | None, progress: Progress) -> list[tuple[StoredImage, Usage]]:
    from cog_oci.contents import read_contents, usage
    from cog_oci.errors import CogError
    from cog_oci.transports.sources import open_source

    with open_source(text) as source:
        images = source.images()
        chosen = [one for one in images if platform in {None, str(one.platform)}]
        if not chosen:
            there = ", ".join(str(one.platform) for one in images)
            raise CogError(f"{source.name} has no image for {platform}, only for {there}")
        return [(one, usage(one, read_contents(source, one, progress))) for one in chosen]


def _json(image: StoredImage, used: Usage) -> dict[str, Any]:
    return {
        "digest": image.descriptor.digest,
        "content_id": image.content_id,
        "layers": [{"number": number, **asdict(one)} for number, one in enumerate(used.layers, 1)],
        "packages": [asdict(one) for one in used.owners],
        "files": [{**asdict(one), "path": f"/{one.path}", "layer": one.layer + 1} for one in used.files],
        "hidden": [
            {"path": f"/{one.path}", "size": one.size, "layer": one.layer + 1, "by": one.by + 1} for one in used.hidden
        ],
        "copies": [
            {**asdict(one), "paths": [f"/{path}" for path in one.paths], "wasted": one.wasted} for one in used.copies
        ],
    }


def _report(image: StoredImage, used: Usage, most: int | None) -> Iterator[str]:
    stored, unpacked = sum(one.stored for one in used.layers), sum(one.size for one in used.files)
    layers = plural(len(used.layers), "layer")
    yield f"{image.platform}  {image.descriptor.digest}"
    yield f"{human(stored)} in {layers}, {human(unpacked)} unpacked in {plural(len(used.files), 'file')}"
    yield from _section("layers, bottom up", _layers(used.layers, stored), None)
    yield from _section("packages", _owners(used.owners, unpacked), most)
    yield from _section("files", _files(used.files, unpacked), most)
    hidden, copies = sum(one.size for one in used.hidden), sum(one.wasted for one in used.copies)
    yield from _section(f"carried and never seen: {human(hidden)}", _hidden(used.hidden), most)
    yield from _section(f"equal files at several paths: {human(copies)}", _copies(used.copies), most)


def _section(title: str, lines: list[str], most: int | None) -> list[str]:
    return ["", title, *cut(lines, most)] if lines else []


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else ""


def _layers(layers: Sequence[LayerUsage], stored: int) -> list[str]:
    rows = [
        (
            *(str(number), plain(one.name), human(one.stored), _share(one.stored, stored)),
            *(f"{human(one.plain)} plain", plural(one.files, "file")),
        )
        for number, one in enumerate(layers, 1)
    ]
    return table(rows, "r rrrr") if rows else []


def _owners(owners: Sequence[OwnerUsage], unpacked: int) -> list[str]:
    kinds = {"rest": "no package"}
    rows = [
        (
            *(human(one.size), _share(one.size, unpacked), kinds.get(one.kind, one.kind)),
            *(plain(f"{one.name} {one.version}".strip()), plural(one.files, "file")),
            "" if one.kind == "rest" else plain(one.folder),
        )
        for one in owners
    ]
    return table(rows, "rr  r") if rows else []


def _files(files: Sequence[FileUsage], unpacked: int) -> list[str]:
    rows = [
        (human(one.size), _share(one.size, unpacked), f"layer {one.layer + 1}", plain(f"/{one.path}")) for one in files
    ]
    return table(rows, "rrr") if rows else []


def _hidden(hidden: Sequence[Hidden]) -> list[str]:
    rows = [
        (human(one.size), f"of layer {one.layer + 1}, hidden by {one.by + 1}", plain(f"/{one.path}")) for one in hidden
    ]
    return table(rows, "r") if rows else []


def _copies(copies: Sequence[Copies]) -> list[str]:
    rows = [(human(one.wasted), f"{len(one.paths)} of {human(one.size)}", _paths(one.paths, most=3)) for one in copies]
    return table(rows, "rr") if rows else []


def _paths(paths: Sequence[str], *, most: int) -> str:
    shown = " = ".join(plain(f"/{path}") for path in paths[:most])
    return shown if len(paths) <= most else f"{shown} = …"
