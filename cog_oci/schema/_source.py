"""The project's Python files, parsed and never run: a module by its file or by its dotted name."""

from __future__ import annotations

import ast
import gc
import sys
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from cog_oci.errors import Problem, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Module", "Project", "Unreadable"]

MAX_BYTES = 1_000_000
"""A source file that is larger holds data, and parsing it may take seconds and a gigabyte."""


class Unreadable(Exception):  # noqa: N818 -- it is a finding to collect, and never leaves the package
    """Something in a source file that a static reader cannot give a meaning, and where."""

    def __init__(self, module: Module, node: ast.AST, reason: str) -> None:
        super().__init__(reason)
        self.module = module
        self.node = node
        self.reason = reason

    def problem(self, subject: str = "") -> Problem:
        """The finding as a line for the user; `subject` says what of the model is concerned."""
        return self.module.problem(self.node, f"{subject}: {self.reason}" if subject else self.reason)


@dataclass(frozen=True)
class Module:
    """One parsed file. `package` is what its relative imports are relative to, as a dotted name."""

    file: str
    package: str
    tree: ast.Module
    source: bytes

    def problem(self, node: ast.AST, message: str) -> Problem:
        """A problem at a node: `ast` counts columns in bytes of UTF-8 from 0, editors in characters from 1."""
        line = getattr(node, "lineno", 1)
        offset = getattr(node, "col_offset", 0)
        before = self._lines[line - 1][:offset] if line <= len(self._lines) else b" " * offset
        return Problem(self.file, line, len(before.decode(errors="replace")) + 1, message)

    @cached_property
    def _lines(self) -> list[bytes]:
        return self.source.removeprefix(b"\xef\xbb\xbf").splitlines()


class Project:
    """The files of one project, each read and parsed once.

    An import means what it would mean in the image, where the project's folder is first on the path, and the folder of
    `file`, which is run, comes next: a module of the project, or else something from outside, which is known by its
    name only.
    """

    def __init__(self, root: Path, file: str) -> None:
        self._root = root
        self._path = tuple(dict.fromkeys((PurePosixPath(), PurePosixPath(file).parent)))
        self._modules: dict[str, Module] = {}

    def by_file(self, file: str) -> Module:
        """The module in a file of the project, named as in cog.yaml; SourceError when it can't be read or parsed."""
        path = PurePosixPath(file)
        if path.is_absolute() or ".." in path.parts:
            raise SourceError([Problem(file, 1, 1, "is outside of the project, use a path inside it")])
        if path.suffix not in {".py", ".pyi"}:
            raise SourceError([Problem(file, 1, 1, "is not a Python file, use one whose name ends in .py")])
        if not self._is_file(path):
            raise SourceError([Problem(file, 1, 1, f"no such file{self._near(path)}")])
        return self._load(path)

    def by_name(self, dotted: str) -> Module | None:
        """The project's module of that dotted name, or None if it comes from outside."""
        if not dotted:  # `from . import x` in a file at the root, which is in no package
            return None
        for folder in self._path:
            path = folder.joinpath(*dotted.split("."))
            candidates = (path.with_name(path.name + ".py"), path / "__init__.py", path.with_name(path.name + ".pyi"))
            for candidate in candidates:
                if self._is_file(candidate):
                    return self._load(candidate)
        return None

    def has_folder(self, dotted: str) -> bool:
        """Whether the dotted name is a folder of the project, so a package even without an `__init__.py`."""
        return any((self._root / folder.joinpath(*dotted.split("."))).is_dir() for folder in self._path)

    def _is_file(self, path: PurePosixPath) -> bool:
        try:
            return (self._root / path).is_file()
        except (OSError, ValueError):  # too long a name, or a NUL in it
            return False

    def _near(self, path: PurePosixPath) -> str:
        from difflib import get_close_matches  # noqa: PLC0415 -- only when something is wrong

        folder = self._root / path.parent
        names = [entry.name for entry in folder.glob("*.py")] if folder.is_dir() else []
        near = get_close_matches(path.name, names, n=1)
        return f", did you mean {path.with_name(near[0])}?" if near else ""

    def _load(self, path: PurePosixPath) -> Module:
        file = path.as_posix()
        if file not in self._modules:
            package = path.parent.as_posix().replace("/", ".") if path.parent.parts else ""
            source = self._read(path)
            self._modules[file] = Module(file, package, _parse(file, source), source)
        return self._modules[file]

    def _read(self, path: PurePosixPath) -> bytes:
        try:
            with (self._root / path).open("rb") as stream:
                source = stream.read(MAX_BYTES + 1)
        except OSError as error:
            raise SourceError([Problem(str(path), 1, 1, f"can't be read: {error.strerror}")]) from error
        if len(source) > MAX_BYTES:
            message = f"is larger than {MAX_BYTES:,} bytes, keep data out of Python files"
            raise SourceError([Problem(str(path), 1, 1, message)])
        return source


@contextmanager
def _uncollected() -> Iterator[None]:
    """A tree is no garbage; to look for some again and again while it grows takes longer than to parse."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _parse(file: str, source: bytes) -> ast.Module:
    hint = None
    try:
        with warnings.catch_warnings(), _uncollected():
            warnings.simplefilter("ignore")  # invalid escapes and the like are the model's affair
            return ast.parse(source, filename=file)
    except SyntaxError as error:
        problem = _not_utf8(file, source) or Problem(
            file, error.lineno or 1, max(error.offset or 1, 1), f"syntax error: {error.msg}"
        )
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        hint = f"it was read with the grammar of Python {version}, the one that cog-oci runs on"
    except (RecursionError, MemoryError):
        problem = Problem(file, 1, 1, "expressions are nested too deeply to be parsed, assign parts to names")
    except ValueError as error:
        problem = Problem(file, 1, 1, f"can't be parsed: {error}")
    raise SourceError([problem], hint=hint)


def _not_utf8(file: str, source: bytes) -> Problem | None:
    """Where the bytes stop being UTF-8, which the parser only says in prose."""
    try:
        source.decode()
    except UnicodeDecodeError as error:
        before = source[: error.start]
        line = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode()) + 1
        message = (
            f"byte 0x{source[error.start]:02x} is not UTF-8, save the file as UTF-8 or declare its encoding (PEP 263)"
        )
        return Problem(file, line, column, message)
    return None
