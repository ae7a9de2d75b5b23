"""`cog-oci doctor`: what is wrong with the project or this machine, and what to do about it."""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cog_oci.cli._options import file_option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cog_oci.doctor import Change, Finding, Repaired

__all__ = ["doctor"]

_COLOURS = {"error": "red", "warning": "yellow", "note": "blue"}


@click.command()
@file_option
@click.option("--fix", is_flag=True, help="Repair what can be repaired, and show what was changed.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.pass_context
def doctor(context: click.Context, *, file: str, fix: bool, as_json: bool) -> None:
    """Look for mistakes in cog.yaml, in the model and in cog.lock, and for what is missing on this machine.

    \b
    cog-oci doctor
    cog-oci doctor --fix

    Each is shown with its remedy. With --fix, old names and imports are brought up to date: only they change, comments
    and formatting stay. The exit status is 1 when there are errors; warnings leave it at 0. Nothing of the project is
    run and nothing is asked of the network.
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    from cog_oci.doctor import Subject, examine, repair

    path = Path(file)
    subject = Subject.find(Path.cwd() / path.parent, path.name)
    repaired: list[Repaired] = []
    for one in repair(subject.file) if fix else ():
        repaired.append(one)
        if not as_json:
            _show_repair(one)
    # After a repair the project is another one.
    found = examine(Subject(subject.file))
    if as_json:
        click.echo(json.dumps(_document(found, repaired), indent=2))
    else:
        for finding in found:
            _show(finding)
        click.echo(_summary(found))
    context.exit(1 if _count(found, "error") else 0)


def _show(finding: Finding) -> None:
    place = f"{finding.place.file}:{finding.place.line}:{finding.place.column}: " if finding.place else ""
    click.secho(f"{finding.level}: ", fg=_COLOURS[finding.level], nl=False)
    click.echo(f"{place}{finding.message} ({finding.check})")
    click.echo(f"  Remediation: {finding.remedy}")


def _show_repair(repaired: Repaired) -> None:
    click.secho(f"Fixed: {repaired.fix.description}", fg="green")
    for change in repaired.fix.changes:
        for line in _diff(change):
            click.echo(f"  {line}")


def _diff(change: Change) -> Iterator[str]:
    """What changed, as `diff -u` shows it."""
    before, after = (data.decode("utf-8", "replace").splitlines() for data in (change.source, change.result))
    return difflib.unified_diff(before, after, change.file, change.renamed or change.file, lineterm="", n=1)


def _summary(found: list[Finding]) -> str:
    if all(finding.level == "note" for finding in found):
        return "no issues found"
    fixable = any(finding.fix for finding in found)
    advice = ' Run "cog-oci doctor --fix" to auto-fix.' if fixable else ""
    return f"Found {_count(found, 'error')} error(s), {_count(found, 'warning')} warning(s).{advice}"


def _count(found: list[Finding], level: str) -> int:
    return sum(finding.level == level for finding in found)


def _document(found: list[Finding], repaired: list[Repaired]) -> dict[str, Any]:
    return {
        "errors": _count(found, "error"),
        "warnings": _count(found, "warning"),
        "findings": [
            {
                "check": finding.check,
                "level": finding.level,
                "message": finding.message,
                "remedy": finding.remedy,
                "fixable": finding.fix is not None,
                "file": finding.place.file if finding.place else None,
                "line": finding.place.line if finding.place else None,
                "column": finding.place.column if finding.place else None,
            }
            for finding in found
        ],
        "fixed": [
            {
                "check": one.check,
                "description": one.fix.description,
                "files": [
                    {"file": change.file, "renamed": change.renamed, "diff": list(_diff(change))}
                    for change in one.fix.changes
                ],
            }
            for one in repaired
        ],
    }
