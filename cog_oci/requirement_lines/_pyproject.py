"""The dependencies of a pyproject.toml (PEP 621) as lines, with where `tool.uv` says that they come from."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cog_oci.requirement_lines._file import line_of
from cog_oci.requirement_lines._values import Line, RequirementLines

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["read_indexes", "read_pyproject"]


def read_pyproject(path: Path) -> RequirementLines:
    """What a project needs. One that cannot be read says nothing here: uv says why.

    As long as all of it comes from indexes, uv reads the file itself.
    """
    said = _parsed(path)
    lines = tuple(_lines(path, said)) if said else ()
    plain = all(line.source == "index" for line in lines)
    explicit = [str(row.get("name")) for row in _rows(said) if row.get("explicit")]
    if explicit and not plain:
        wrong = f"it cannot stand beside the index {explicit[0]}, which is explicit: uv reads either all of it or none"
        lines = tuple(line if line.source == "index" else replace(line, wrong=line.wrong or wrong) for line in lines)
    indexes, default_name = read_indexes(path)
    # uv looks for those where it is run, and for the explicit ones here.
    unread = tuple(name for name in indexes if name not in {"index-url", *explicit})
    return RequirementLines(lines, indexes, plain=plain, unread=unread, default_name=default_name, files=(path,))


def read_indexes(path: Path) -> tuple[dict[str, str], str]:
    """Those of `tool.uv` by their names, in order; and the name of the default one, which is `index-url` here."""
    found: dict[str, str] = {}
    default_name = ""
    for number, row in enumerate(_rows(_parsed(path)), 1):
        name = str(row.get("name") or "")
        if not isinstance(row.get("url"), str):
            continue
        if row.get("default"):
            default_name = default_name or name
            name = "index-url"
        elif name in {"", "default"}:  # a lock calls so what this machine has
            name = f"tool-uv-index-{number}"
        found.setdefault(name, row["url"])
    return found, default_name


def _parsed(path: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _rows(said: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    rows = _uv(said).get("index")
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _uv(said: Mapping[str, Any]) -> Mapping[str, Any]:
    tool = said.get("tool")
    uv = tool.get("uv") if isinstance(tool, dict) else None
    return uv if isinstance(uv, dict) else {}


def _lines(path: Path, said: Mapping[str, Any]) -> Iterator[Line]:
    project = said.get("project")
    if not isinstance(project, dict):
        told = "it has no table [project], which is where dependencies are (PEP 621)"
        yield Line(path, 1, "", "", frozenset(), wrong=told)
        return
    dynamic = project.get("dynamic")
    if isinstance(dynamic, list) and "dependencies" in dynamic:
        told = "its dependencies are dynamic, and nothing of a project is run to learn them: list them, or name a"
        yield Line(path, 1, "", "", frozenset(), wrong=f"{told} requirements file instead")
        return
    written = project.get("dependencies")
    rows = path.read_text(encoding="utf-8").splitlines()
    sources = _uv(said).get("sources")
    for text in written if isinstance(written, list) else ():
        if isinstance(text, str):
            mark = rf"[\"']{re.escape(text)}[\"']"
            number = next((number for number, row in enumerate(rows, 1) if re.search(mark, row)), 1)
            yield from _placed(line_of(path, number, text), sources if isinstance(sources, dict) else {})


def _placed(line: Line, sources: Mapping[str, Any]) -> Iterator[Line]:
    """The line as it is, or one for each place that `tool.uv.sources` has for it instead of an index.

    Where none of these counts it comes from an index all the same, as with uv.
    """
    names = {re.sub(r"[-_.]+", "-", name).lower(): value for name, value in sources.items()}
    said = names.get(line.name, [])
    places = [one for one in (said if isinstance(said, list) else [said]) if isinstance(one, dict)]
    if any(place.get("workspace") for place in places):
        yield replace(line, wrong="it is a member of the workspace: build a wheel of it, and name that as its path")
        return
    direct = [place for place in places if place.keys() & {"path", "git", "url"}]
    yield from (_elsewhere(line, place) for place in direct)
    markers = tuple(str(place.get("marker", "")) for place in direct)
    if all(markers):
        yield replace(line, unless=markers)


def _elsewhere(line: Line, place: Mapping[str, Any]) -> Line:
    """The line for a place other than an index, as a requirements file has it."""
    markers = tuple(str(one) for one in (line.text.partition(";")[2].strip(), place.get("marker")) if one)
    if "path" in place:  # of which a line cannot say when it counts
        text = f"./{place['path']}".replace("././", "./")
        return replace(line_of(line.file, line.number, text), within=markers)
    below = f"#subdirectory={place['subdirectory']}" if place.get("subdirectory") else ""
    if "git" in place:
        revision = next((f"@{place[key]}" for key in ("rev", "tag", "branch") if place.get(key)), "")
        where = f"git+{str(place['git']).removeprefix('git+')}{revision}{below}"
    else:
        where = f"{place['url']}{below}"
    extras = re.match(r"[^\[;<>=!~ ]+\s*(\[[^\]]*\])", line.text)
    rest = f" ; {' and '.join(f'({one})' for one in markers)}" if markers else ""
    return line_of(line.file, line.number, f"{line.name}{extras[1] if extras else ''} @ {where}{rest}")
