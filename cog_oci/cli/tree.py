"""`cog-oci tree`: what the image holds, by who asked for it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from cog_oci.cli._lock_options import chosen, one_platform_option
from cog_oci.cli._options import file_option, locked, project

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cog_oci.reasons import Kind, Reasons

__all__ = ["tree"]

_TITLES: dict[Kind, str] = {
    "interpreter": "the interpreter",
    "python": "Python packages",
    "debian": "Debian packages",
    "server": "the server's packages",
    "builder": "what is built from source, and what it is built with",
}


@click.command()
@file_option
@one_platform_option
@click.option("--python", "kinds", flag_value="python", help="Only the model's Python packages.")
@click.option("--debian", "kinds", flag_value="debian", help="Only the Debian packages.")
@click.option("--depth", type=click.IntRange(min=1), help="How many levels to show.  [default: all]")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def tree(*, file: str, platform: str | None, kinds: Kind | None, depth: int | None, as_json: bool) -> None:
    """Show every package in the lock below the one that asked for it, from cog.yaml and the base down.

    \b
    cog-oci tree
    cog-oci tree --python --depth 2

    A package that many ask for is opened once; (*) marks it elsewhere. The lock alone is read.
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    from cog_oci.reasons import Reasons

    reasons = Reasons(chosen(locked(project(file)), platform)[1])
    wanted = {kind: title for kind, title in _TITLES.items() if kinds in {None, kind}}
    if as_json:
        click.echo(json.dumps({kind: _rows(reasons, kind, depth) for kind in wanted}, indent=2))
        return
    for kind, title in wanted.items():
        for line in _lines(reasons, kind, title, depth):
            click.echo(line)


def _rows(reasons: Reasons, kind: Kind, depth: int | None) -> list[dict[str, Any]]:
    """Each line of the tree, from the top: how deep it is, and whether it was opened before."""
    return [
        {"level": level, "name": name, "version": package.artifact.version if package else None, "known": known}
        for level, name, package, known in reasons.tree(kind)
        if depth is None or level <= depth
    ]


def _lines(reasons: Reasons, kind: Kind, title: str, depth: int | None) -> Iterator[str]:
    rows = list(reasons.tree(kind))
    if not rows:
        return
    yield f"{title}:"
    for level, name, package, known in rows:
        if depth is None or level <= depth:
            yield "  " * (level + 1) + (str(package) if package else name) + (" (*)" if known else "")
