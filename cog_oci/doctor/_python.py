"""The project's Python files as trees, with the bytes behind each node: enough to change a name and nothing else.

What a name means is read from the imports of its file alone, which is all that the checks have to know.
"""

from __future__ import annotations

import ast
import os
import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from cog_oci.doctor._finding import Change, Edit
from cog_oci.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["PythonFile", "PythonFiles"]

_BOM = b"\xef\xbb\xbf"
_ELSEWHERE = frozenset({"__pycache__", "node_modules", "site-packages", "venv"})
_MANY = 2000
"""Files of a project that are looked through for who imports a module; more is no project but a disk."""


@dataclass(frozen=True)
class PythonFile:
    """One file. `name` is relative to the project's folder; one that is `linked` belongs to somebody else."""

    name: str
    source: bytes
    tree: ast.Module
    linked: bool = False

    @cached_property
    def _starts(self) -> list[int]:
        """The byte where each line begins, by its number less one."""
        starts = [len(_BOM) if self.source.startswith(_BOM) else 0]
        for line in self.source[starts[0] :].splitlines(keepends=True):
            starts.append(starts[-1] + len(line))
        return starts

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """Every node of the tree."""
        return list(ast.walk(self.tree))

    def start(self, node: ast.AST) -> int:
        """The first byte of a node."""
        line, column = _begin(node)
        return self._starts[line - 1] + column

    def end(self, node: ast.AST) -> int:
        """The byte after a node."""
        line, column = getattr(node, "end_lineno", 1), getattr(node, "end_col_offset", 0)
        return int(self._starts[line - 1] + column)

    def place(self, node: ast.AST) -> Problem:
        """Where a node is, as editors count."""
        line, _ = _begin(node)
        before = self.source[self._starts[line - 1] : self.start(node)]
        return Problem(self.name, line, len(before.decode()) + 1, "")

    @cached_property
    def imported(self) -> dict[str, str]:
        """Names that the file imports, wherever in it, and what they are: `P` → `cog.Path`."""
        names: dict[str, str] = {}
        for node in self.nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    names[alias.asname or alias.name.partition(".")[0]] = (
                        alias.name if alias.asname else alias.name.partition(".")[0]
                    )
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        return names

    def meaning(self, node: ast.expr) -> str:
        """What a dotted name stands for, as far as imports say; empty for anything else."""
        attributes: list[str] = []
        while isinstance(node, ast.Attribute):
            attributes.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return ""
        return ".".join([self.imported.get(node.id, node.id), *reversed(attributes)])

    def text(self, node: ast.AST) -> str:
        """A node as it is written."""
        return self.source[self.start(node) : self.end(node)].decode()

    def change(self, edits: Sequence[Edit | None], renamed: str | None = None) -> Change | None:
        """The edits as one change; None when one of them cannot be made, or what they make is no Python."""
        if self.linked:
            return None
        made = tuple(dict.fromkeys(edit for edit in edits if edit is not None))
        change = Change(self.name, self.source, made, renamed)
        return change if None not in edits and _tree(change.result, self.name) is not None else None

    def replace(self, node: ast.AST, old: str, new: str) -> Edit | None:
        """The edit that puts `new` for the first `old` in a node; None when its text has none."""
        start, end = self.start(node), self.end(node)
        found = self.source.find(old.encode(), start, end)
        return Edit(found, found + len(old.encode()), new.encode()) if found >= 0 else None

    def without(self, statement: ast.stmt, body: list[ast.stmt]) -> Edit | None:
        """The edit that takes a statement out of a body; None when it shares its lines with another.

        What would leave a body empty becomes `pass`; a blank line that would be one too many goes along.
        """
        start, end = self.start(statement), self.end(statement)
        line, rest = self._starts[statement.lineno - 1], self._line_end(end)
        if self.source[line:start].strip() or not _is_blank(self.source[end:rest]):
            return None
        if len(body) == 1 and body is not self.tree.body:
            return Edit(start, end, b"pass")
        before = self.source[:line].splitlines()
        following = self._line_end(rest)
        alone = body[0] is statement or not before or not before[-1].strip()
        if alone and following > rest and not self.source[rest:following].strip():
            rest = following
        return Edit(line, rest, b"")

    def without_alias(self, statement: ast.ImportFrom, alias: ast.alias) -> Edit:
        """The edit that takes one of several names out of a `from … import`."""
        start, end = self.start(alias), self.end(alias)
        line, rest = self._starts[alias.lineno - 1], self._line_end(end)
        if not self.source[line:start].strip() and self.source[end:rest].strip() == b",":
            return Edit(line, rest, b"")
        number = statement.names.index(alias)
        if number + 1 < len(statement.names):
            return Edit(start, self.start(statement.names[number + 1]), b"")
        return Edit(self.end(statement.names[number - 1]), end, b"")

    def gap_before(self, offset: int) -> bytes:
        """What parts the item of a list that begins here from the one before: a blank, or the end of a line."""
        line = max(start for start in self._starts if start <= offset)
        if self.source[line:offset].strip():
            return b" "
        ending = b"\r\n" if self.source[:line].endswith(b"\r\n") else b"\n"
        return ending + self.source[line:offset]

    def _line_end(self, offset: int) -> int:
        """The byte after the line that this byte is in."""
        return next((start for start in self._starts if start > offset), len(self.source))


def _begin(node: ast.AST) -> tuple[int, int]:
    """Line from 1 and column in bytes from 0; those of the file for a node that has none."""
    return getattr(node, "lineno", 1), getattr(node, "col_offset", 0)


def _is_blank(rest: bytes) -> bool:
    """Whether a line ends here, but for a comment."""
    return not rest.strip() or rest.strip().startswith(b"#")


class PythonFiles:
    """The files of one project, each parsed once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, PythonFile | None] = {}

    def get(self, name: str) -> PythonFile | None:
        """The file; None when there is none, or none in the project that can be parsed, in UTF-8."""
        if name not in self._files:
            self._files[name] = self._read(name)
        return self._files[name]

    def _read(self, name: str) -> PythonFile | None:
        path = self._folder / name
        if not path.is_file() or PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            return None
        source = path.read_bytes()
        tree = _tree(source, name)
        return PythonFile(name, source, tree, path.is_symlink()) if tree is not None else None

    def reachable(self, name: str) -> list[PythonFile]:
        """The file and what it imports of the project, directly or not, in the order of reading.

        As in the image, an import looks into the project's folder first, and then beside the file that it begins with.
        """
        found: dict[str, PythonFile] = {}
        beside = PurePosixPath(name).parent
        waiting = [name]
        while waiting:
            name = waiting.pop(0)
            if name not in found and (file := self.get(name)) is not None:
                found[name] = file
                waiting += [path for module in _modules(file) for path in self._paths(module, beside)]
        return list(found.values())

    def _paths(self, module: str, beside: PurePosixPath) -> Iterator[str]:
        for folder in dict.fromkeys((PurePosixPath(), beside)):
            path = folder.joinpath(*module.split("."))
            there = [one for one in (f"{path}.py", f"{path}/__init__.py") if (self._folder / one).is_file()]
            if there:
                yield from there
                return

    def importing(self, name: str) -> list[str]:
        """The other files of the project that import this one, by its path in the project or as one that is beside."""
        path = PurePosixPath(name)
        modules = {".".join(path.with_suffix("").parts), path.stem}
        found = []
        for other in self._all():
            if other != name and path.stem.encode() in (self._folder / other).read_bytes():
                file = self.get(other)
                if file is not None and not modules.isdisjoint(_modules(file)):
                    found.append(other)
        return found

    def _all(self) -> list[str]:
        found: list[str] = []
        for folder, inner, files in os.walk(self._folder):
            inner[:] = sorted(one for one in inner if not one.startswith(".") and one not in _ELSEWHERE)
            paths = [Path(folder, file) for file in sorted(files) if file.endswith(".py")]
            found += [path.relative_to(self._folder).as_posix() for path in paths if path.is_file()]
            if len(found) > _MANY:
                break
        return found


def _tree(source: bytes, name: str) -> ast.Module | None:
    """None for what is no Python, or is not in UTF-8: columns of a tree are bytes of that."""
    try:
        source.decode()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes and the like are the model's affair
            return ast.parse(source, filename=name)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _modules(file: PythonFile) -> list[str]:
    """The dotted names of what a file imports; a name that is imported from a package may be a module, too."""
    package = PurePosixPath(file.name).parent.parts
    found: list[str] = []
    for node in file.nodes:
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = [*above, *([node.module] if node.module else [])]
            found += [".".join(base), *(".".join([*base, alias.name]) for alias in node.names)]
    return [name for name in found if name]
