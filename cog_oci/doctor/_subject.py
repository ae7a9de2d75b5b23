"""The project under examination: as much of it as can be read, since what cannot is what the doctor is asked about."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cog_oci.config import Project
from cog_oci.doctor._python import PythonFiles
from cog_oci.errors import CogError, SourceError
from cog_oci.yaml_source import YamlSource

if TYPE_CHECKING:
    from pathlib import Path

    from cog_oci.errors import Problem

__all__ = ["Subject"]

_REFERENCE = re.compile(r"([^:]+\.py)(?::([A-Za-z_]\w*))?")
_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
"""What ends a line for YAML (1.1, §4.1.4)."""


@dataclass(frozen=True)
class Subject:
    """A cog.yaml and the folder that it is in. Everything is read once: a project that was repaired is another."""

    file: Path

    @classmethod
    def find(cls, start: Path, name: str) -> Subject:
        """The nearest file of this name in `start` or above. Raises CogError when there is none."""
        start = start.absolute()
        for folder in (start, *start.parents):
            if (folder / name).is_file():
                return cls(folder / name)
        raise CogError(
            f"{name} not found in {start} (or in any parent directories)", hint="`cog-oci init` writes a new project"
        )

    @property
    def folder(self) -> Path:
        """What every path is relative to."""
        return self.file.parent

    @cached_property
    def data(self) -> bytes:
        """The bytes of cog.yaml."""
        return self.file.read_bytes()

    @cached_property
    def source(self) -> YamlSource | SourceError:
        """The file as YAML, or why it is none."""
        try:
            return YamlSource(self.file, self.data)
        except SourceError as error:
            return error

    @cached_property
    def values(self) -> dict[str, Any]:
        """What the file says, whether that is allowed or not; nothing when that cannot be told."""
        if isinstance(self.source, SourceError):
            return {}
        try:
            return self.source.values(as_typed=frozenset(), refused=frozenset())
        except SourceError:
            return {}

    @cached_property
    def project(self) -> Project | SourceError:
        """The project, or the rules that its cog.yaml breaks."""
        try:
            return Project.find(self.folder, self.file.name)
        except SourceError as error:
            return error

    @cached_property
    def python(self) -> PythonFiles:
        """The project's Python files."""
        return PythonFiles(self.folder)

    @property
    def key(self) -> str | None:
        """Under which key the file names its model: `run`, or `predict` as it was before; None: under neither."""
        return next((key for key in ("run", "predict") if isinstance(self.values.get(key), str)), None)

    @property
    def reference(self) -> tuple[str, str | None] | None:
        """The file of the model and the name in it; None when there is no reference that can be read."""
        match = _REFERENCE.fullmatch(self.values[self.key]) if self.key else None
        return (match[1], match[2]) if match else None

    def place(self, *path: str | int, of_key: bool = False) -> Problem | None:
        """Where in cog.yaml the value of these keys is, or its key."""
        if isinstance(self.source, SourceError):
            return None
        return self.source.problem(path, "", of_key=of_key)

    def offset(self, place: Problem) -> int:
        """The byte of cog.yaml at a place in it."""
        text = self.data.decode()
        start = 1 if text.startswith("\ufeff") else 0  # which has no column
        for _ in range(place.line - 1):
            found = _BREAK.search(text, start)
            assert found is not None, "a place is inside of the file"
            start = found.end()
        return len(text[: start + place.column - 1].encode())
