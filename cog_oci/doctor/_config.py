"""Checks of cog.yaml: that it is YAML, that it keeps the rules, that nothing in it is on its way out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cog_oci.doctor._finding import Finding
from cog_oci.errors import SourceError
from cog_oci.outdated import outdated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cog_oci.config import Project
    from cog_oci.doctor._subject import Subject
    from cog_oci.errors import Problem

__all__ = ["deprecated_fields", "parse", "rules"]


def parse(subject: Subject) -> Iterator[Finding]:
    """What is no YAML, or no text."""
    if isinstance(subject.source, SourceError):
        for problem in subject.source.problems:
            remedy = "Correct it there, or a little above: YAML goes by indentation, brackets and quotes"
            yield Finding(level="error", message=problem.message, remedy=remedy, place=problem)


def rules(subject: Subject) -> Iterator[Finding]:
    """Unknown keys, values that cannot be, keys that exclude each other, a requirements file that is not there."""
    if isinstance(subject.source, SourceError):
        return
    for problem in _broken(subject.project):
        remedy = f"Correct it in {problem.file}, or take it out; an editor that knows docs/cog.schema.json helps"
        yield Finding(level="error", message=problem.message, remedy=remedy, place=problem)


def _broken(project: Project | SourceError) -> tuple[Problem, ...]:
    if isinstance(project, SourceError):
        return project.problems
    try:
        project.requirements()
    except SourceError as error:
        return error.problems
    return ()


def deprecated_fields(subject: Subject) -> Iterator[Finding]:
    """Keys that Cog is about to give up, or that change nothing; `predict` is a migration of its own."""
    remedies = {
        "python_packages": "Move the packages to requirements.txt, one a line, and set build.python_requirements to it",
        "max": f"Write @cog.concurrent(max={_concurrency(subject)}) above run() and take concurrency out",
        "sdk_version": "Take it out, unless Cog builds the project, too",
    }
    for keys, message in outdated(subject.values):
        if keys[-1] in remedies:
            place = subject.place(*keys, of_key=True)
            yield Finding(level="warning", message=message, remedy=remedies[keys[-1]], place=place)


def _concurrency(subject: Subject) -> object:
    section = subject.values.get("concurrency")
    return section.get("max") if isinstance(section, dict) else None
