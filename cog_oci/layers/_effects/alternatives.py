"""Alternatives: the links that update-alternatives(1) makes for the calls in the packages' postinst scripts.

Interpreted are literal calls, `--install LINK NAME PATH PRIORITY` with `--slave LINK NAME PATH`; that a script has no
other is checked beforehand. Everything is in automatic mode: the highest priority wins, of equal ones the first to be
installed; packages count as installed by name.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cog_oci.errors import CogError
from cog_oci.layers._effects.shell import logical_lines
from cog_oci.layers._tar import Entry
from cog_oci.layers._unpack import placed, slimmed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cog_oci.layers._deb import Package
    from cog_oci.layers._effects.tree import Tree

__all__ = ["Choice", "alternatives", "parse_call"]

_COMMAND = "update-alternatives"
_DIRECTORY = "etc/alternatives"
_ADMIN = "var/lib/dpkg/alternatives"
_ENDS = frozenset({"||", "&&", ";", "|", "&"})
_FLAGS = frozenset({"--quiet", "--force", "--verbose"})


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


def parse_call(line: str) -> Choice | None:
    """The call in a logical line of a script; None when it is none, or not literal."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError:
        return None
    end = next((index for index, word in enumerate(words) if word in _ENDS), len(words))
    words = [word for word in words[:end] if word not in _FLAGS]
    if words[:2] != [_COMMAND, "--install"] or any("$" in word or "`" in word for word in words):
        return None
    match words[2:]:
        case [link, name, path, priority, *rest] if len(rest) % 4 == 0 and set(rest[::4]) <= {"--slave"}:
            slaves = {rest[at + 2]: (rest[at + 1], rest[at + 3]) for at in range(0, len(rest), 4)}
            return Choice(name, link, path, int(priority), slaves) if priority.lstrip("-").isdigit() else None
    return None


def alternatives(tree: Tree, packages: Mapping[str, Package]) -> Iterator[Entry]:
    """The links, and the records by which dpkg's tools know them."""
    groups: dict[str, _Group] = {}
    for package in packages.values():
        for line in logical_lines(package.script("postinst")):
            choice = parse_call(line)
            if choice is not None and _offered(choice, tree, package):
                group = groups.setdefault(choice.name, _Group(choice.link))
                group.choices[choice.path] = choice
                group.slaves |= {name: link for name, (link, _) in choice.slaves.items()}
    for name, group in sorted(groups.items()):
        choices = sorted(group.choices.values(), key=lambda choice: choice.path)
        best = max(group.choices.values(), key=lambda choice: choice.priority)
        yield from _links(name, group.link, best.path)
        for slave, link in sorted(group.slaves.items()):
            path = best.slaves.get(slave, ("", ""))[1]
            if path and path.lstrip("/") in tree:
                yield from _links(slave, link, path)
        yield Entry.file(f"{_ADMIN}/{name}", _record(group, choices))


def _offered(choice: Choice, tree: Tree, package: Package) -> bool:
    """Whether the path is there. update-alternatives refuses one that is not."""
    path = choice.path.lstrip("/")
    if path not in tree and not slimmed(path):
        raise CogError(
            f"{package.deb}: its postinst offers {choice.path} as {choice.name}, and no package brings that file",
            hint="add the package that has it to build.system_packages",
        )
    return path in tree


def _links(name: str, link: str, path: str) -> Iterator[Entry]:
    yield Entry.symlink(placed(link.lstrip("/")), f"/{_DIRECTORY}/{name}")
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
