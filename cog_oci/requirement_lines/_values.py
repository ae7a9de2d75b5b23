"""What a requirements file says, as values."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ARCHIVES", "Line", "Options", "RequirementLines", "shown"]

ARCHIVES = (".whl", ".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
"""How the names of wheels and source archives end."""


@dataclass(frozen=True, slots=True)
class Line:
    """One that asks for a package: where it begins (`number` from 1), the name in PEP 503's spelling, and the text.

    `hashes` are the sha256 that a file of the package may have; empty for any. `source` is where the package is to come
    from, and `where` the address or the path as it is written, empty for an index; the name of such a package may be
    empty where only its metadata says it. `rest` is what follows `where`: a marker, or what does not belong there. A
    `constraint` asks for nothing by itself. `wrong` is what cannot be in any line, and empty for most. The markers in
    `within` have to apply besides, and none in `unless` may: they are said elsewhere than in the line.
    """

    file: Path
    number: int
    name: str
    text: str
    hashes: frozenset[str]
    source: Literal["index", "url", "git", "path"] = "index"
    where: str = ""
    extras: str = ""
    rest: str = ""
    constraint: bool = False
    wrong: str = ""
    within: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()

    @property
    def requirement(self) -> str:
        """The text without hashes (PEP 508, where the line is of an index)."""
        return re.sub(r"\s+--hash[=\s]\S+", "", self.text)


@dataclass(frozen=True, slots=True)
class Options:
    """What a file says besides packages and indexes; `others` are (file, number, text) of what means nothing here.

    `no_binary` and `only_binary` are names in PEP 503's spelling, or `:all:`; `find_links` are addresses, or absolute
    paths. With `require_hashes` every package has to have one.
    """

    find_links: tuple[str, ...] = ()
    pre: bool = False
    no_index: bool = False
    require_hashes: bool = False
    no_binary: frozenset[str] = frozenset()
    only_binary: frozenset[str] = frozenset()
    trusted_hosts: tuple[str, ...] = ()
    others: tuple[tuple[Path, int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class RequirementLines:
    """What a file and those that it includes say: its lines, and its indexes by a name, the preferred one first.

    The names are those of the options, numbered from the second on, so that a lock need not say an address:
    `index-url`, `extra-index-url`, `extra-index-url-2`; in a pyproject.toml an index has its own, but for the default
    one. An address is as it is written, with `${VARIABLES}` filled in.
    """

    lines: tuple[Line, ...]
    indexes: dict[str, str]
    options: Options = field(default_factory=Options)
    plain: bool = True
    """Whether uv alone understands all of it, and builds nothing for it."""
    absent: tuple[tuple[Path, int, str], ...] = ()
    """(file, number, text) of lines that include what is no file here."""
    unread: tuple[str, ...] = ()
    """Names of indexes that uv does not find in the file itself, and has to be told."""
    default_name: str = ""
    """The name that a pyproject.toml has for the index that is `index-url` here."""
    files: tuple[Path, ...] = ()
    """All that were read, the first one first, by the paths that lead there from it."""

    @property
    def paths(self) -> list[Path]:
        """The files of the project that lines name."""
        return [line.file.absolute().parent / line.where for line in self.lines if line.source == "path"]

    @property
    def addresses(self) -> list[str]:
        """Of files and repositories, as git and downloads want them: no fragment, no revision."""
        found = []
        for line in self.lines:
            address = line.where.partition("#")[0]
            if line.source == "git":
                start = address.find("/", address.find("://") + 3)
                host, path = address[:start].removeprefix("git+"), address[start:]
                found.append(host + (path.rpartition("@")[0] or path))
            elif line.source == "url":
                found.append(address)
        return found


def shown(file: Path, name: str) -> str:
    """What messages call a file that was read: `name` for the first one, which has that name."""
    return name if file.name == PurePath(name).name else file.name
