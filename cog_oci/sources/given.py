"""A requirements file that says more than uv may read: what uv is given in its place.

Lines that name a file, an address or a repository become wheels, locked by hash. What uv reads names those wheels, and
nothing that uv would build, or that it does not know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cog_oci.errors import Problem, SourceError
from cog_oci.requirement_lines import shown
from cog_oci.resolver.python import Given
from cog_oci.sources.make import LineError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cog_oci.lock import Wheel
    from cog_oci.requirement_lines import Options, RequirementLines
    from cog_oci.sources.make import Maker

__all__ = ["make_given"]


def make_given(said: RequirementLines, maker: Maker, scratch: Path, name: str) -> tuple[Given, tuple[Wheel, ...]]:
    """What uv is to read, and the wheels that others were built with. SourceError has every line that cannot be.

    `name` is what messages call the file; `scratch` is a folder that stays as long as uv reads.
    """
    problems: list[Problem] = []
    wheels: dict[str, Wheel] = {}
    used: list[Wheel] = []
    # Addresses may have logins, which are not for the list of processes.
    rows = [
        f"--{'index-url' if one.startswith('index-url') else 'extra-index-url'} {address}"
        for one, address in said.indexes.items()
    ]
    rows += [f"--find-links {place}" for place in said.options.find_links]
    for line in said.lines:
        if line.constraint:
            if line.source != "index":
                problem = "a constraint says which version, and not where it is: say that in the requirements"
                problems.append(Problem(shown(line.file, name), line.number, 1, problem))
            continue
        try:
            if not maker.counts(line):
                continue
            if line.source == "index":
                rows.append(line.text)
                continue
            if said.options.require_hashes and line.source == "url" and not line.hashes:
                raise LineError("--require-hashes wants a hash of it")  # noqa: TRY301 - told as the others are
            made = maker.of_line(line)
        except LineError as error:
            problems.append(Problem(shown(line.file, name), line.number, 1, str(error)))
            continue
        if made is not None:
            wheel, tools = made
            wheels[wheel.name] = wheel
            used += tools
            rows.append(f"{wheel.name}{line.extras} @ {_linked(wheel, maker, scratch).as_uri()}")
    if problems:
        raise SourceError(problems)
    file = _written(scratch / "given.txt", rows)
    arguments = tuple(_arguments(said.options))
    if constraints := [line.text for line in said.lines if line.constraint and line.source == "index"]:
        arguments += ("--constraints", str(_written(scratch / "constraints.txt", constraints)))
    return Given(file, arguments, wheels), tuple(used)


def _linked(wheel: Wheel, maker: Maker, scratch: Path) -> Path:
    """The wheel by its own name, which uv reads."""
    link = scratch / "wheels" / wheel.file
    link.parent.mkdir(exist_ok=True)
    if not link.is_symlink():
        link.symlink_to(maker.store.path(wheel.digest).absolute())
    return link


def _written(file: Path, rows: list[str]) -> Path:
    file.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    return file


def _arguments(options: Options) -> Iterator[str]:
    """The options of a requirements file on uv's command line, but for those that say what is to be built."""
    for host in options.trusted_hosts:
        yield from ("--allow-insecure-host", host)
    if options.no_index:
        yield "--no-index"
    if options.pre:
        yield from ("--prerelease", "allow")
