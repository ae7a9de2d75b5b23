"""Alternatives: the links that update-alternatives(1) makes for the calls in the packages' scripts.

A call is `--install LINK NAME PATH PRIORITY` with `--slave LINK NAME PATH`. Everything is in automatic mode: the
highest priority wins, of equal ones the first to be installed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cog_oci.errors import CogError
from cog_oci.layers._tar import Entry
from cog_oci.layers._unpack import slimmed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from cog_oci.layers._deb import Package
    from cog_oci.layers._effects.tree import Tree
    from cog_oci.layers._sh.expansion import Field

__all__ = ["Choice", "alternatives", "parse_call", "standing"]

_DIRECTORY = "etc/alternatives"
_ADMIN = "var/lib/dpkg/alternatives"


@dataclass(frozen=True, slots=True)
class Choice:
    """One `--install`: paths are absolute, `slaves` maps a slave's name to its link and path."""

    name: str
    link: str
    path: str
    priority: int
    slaves: Mapping[str, tuple[str, str]]


@dataclass(slots=True)
class _Group:
    """Everything that offers itself under one name."""

    link: str
    slaves: dict[str, str] = field(default_factory=dict)
    choices: dict[str, Choice] = field(default_factory=dict)


def parse_call(words: Sequence[Field]) -> Choice | None:
    """The choice in the words of a call, from `--install` on; None when they are not what update-alternatives takes."""
    known = [word for word in words if word is not None]
    match known:
        case ["--install", link, name, path, priority, *rest] if len(rest) % 4 == 0 and set(rest[::4]) <= {"--slave"}:
            slaves = {rest[at + 2]: (rest[at + 1], rest[at + 3]) for at in range(0, len(rest), 4)}
            return Choice(name, link, path, int(priority), slaves) if re.fullmatch(r"-?[0-9]+", priority) else None
    return None


def alternatives(tree: Tree, offers: Iterable[tuple[Package, Sequence[Field]]]) -> Iterator[Entry]:
    """The links, and the records by which dpkg's tools know them, for these calls in their order."""
    groups: dict[str, _Group] = {}
    for package, words in offers:
        choice = parse_call(words)
        if choice is None:
            raise CogError(f"{package.deb}: update-alternatives would not take {' '.join(map(str, words))}")
        if _offered(choice, tree, package):
            group = groups.setdefault(choice.name, _Group(choice.link))
            group.choices[choice.path] = choice
            group.slaves |= {name: link for name, (link, _) in choice.slaves.items()}
    for name, group in sorted(groups.items()):
        choices = sorted(group.choices.values(), key=lambda choice: choice.path)
        best = max(group.choices.values(), key=lambda choice: choice.priority)
        yield from _links(tree, name, group.link, best.path)
        for slave, link in sorted(group.slaves.items()):
            path = best.slaves.get(slave, ("", ""))[1]
            if path and path.lstrip("/") in tree:
                yield from _links(tree, slave, link, path)
        yield Entry.file(f"{_ADMIN}/{name}", _record(group, choices))


def standing(tree: Tree, offers: Iterable[tuple[Package, Sequence[Field]]]) -> Iterator[tuple[Package, list[Field]]]:
    """What was on offer before these calls, by the tree's records of their names, as calls themselves."""
    seen: set[str] = set()
    for package, words in offers:
        choice = parse_call(words)
        if choice is None or choice.name in seen or f"{_ADMIN}/{choice.name}" not in tree:
            continue
        seen.add(choice.name)
        for known in _read(choice.name, tree.read(f"{_ADMIN}/{choice.name}").decode("utf-8", "replace")):
            if known.path.lstrip("/") in tree:
                slaves = [word for name, (link, path) in known.slaves.items() for word in ("--slave", link, name, path)]
                yield package, ["--install", known.link, known.name, known.path, str(known.priority), *slaves]


def _read(name: str, record: str) -> Iterator[Choice]:
    """The choices in an administrative file, as `_record` writes it."""
    rows = iter(record.split("\n"))
    next(rows, None)
    link, slaves = next(rows, ""), []
    while slave := next(rows, ""):
        slaves.append((slave, next(rows, "")))
    while path := next(rows, ""):
        priority = next(rows, "0")
        paths = [(slave, (place, next(rows, ""))) for slave, place in slaves]
        yield Choice(name, link, path, int(priority), {slave: both for slave, both in paths if both[1]})


def _offered(choice: Choice, tree: Tree, package: Package) -> bool:
    """Whether the path is there. update-alternatives refuses one that is not."""
    path = choice.path.lstrip("/")
    if path not in tree and not slimmed(path):
        raise CogError(
            f"{package.deb}: its postinst offers {choice.path} as {choice.name}, and no package brings that file",
            hint="add the package that has it to build.system_packages",
        )
    return path in tree


def _links(tree: Tree, name: str, link: str, path: str) -> Iterator[Entry]:
    """The two links; a file that a package has in the first one's place stays."""
    folder, _, last = link.rpartition("/")
    place = f"{tree.resolve(folder) or folder.lstrip('/')}/{last}"
    there = tree.at(place)
    if there is None or there.kind == "symlink":
        yield Entry.symlink(place, f"/{_DIRECTORY}/{name}")
    yield Entry.symlink(f"{_DIRECTORY}/{name}", path)


def _record(group: _Group, choices: list[Choice]) -> str:
    """The administrative file: mode, link, slaves, an empty line, and each choice with its slaves' paths."""
    slaves = sorted(group.slaves.items())
    lines = ["auto", group.link]
    for name, link in slaves:
        lines += [name, link]
    lines.append("")
    for choice in choices:
        lines += [choice.path, str(choice.priority), *(choice.slaves.get(name, ("", ""))[1] for name, _ in slaves)]
    return "".join(f"{line}\n" for line in [*lines, ""])
