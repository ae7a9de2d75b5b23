"""Projects to examine, written on the spot."""

from __future__ import annotations

from pathlib import Path

import pytest

from cog_oci.doctor import CHECKS, Finding, Subject, repair

RUNNER = """\
from cog import BaseRunner


class Runner(BaseRunner):
    def run(self, text: str) -> str:
        return text
"""


class Patient:
    """A project's folder, and what the doctor says about it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, config: str = "run: run.py:Runner\n", **files: str | bytes) -> Patient:
        """cog.yaml, and other files by their names with a double underscore for the dot and `_in_` for the slash."""
        for name, text in {"cog__yaml": config, "run__py": RUNNER, **files}.items():
            path = self.folder / name.replace("_in_", "/").replace("__", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return self

    def found(self, check: str) -> list[Finding]:
        return list(CHECKS[check](Subject(self.folder / "cog.yaml")))

    def said(self, check: str) -> list[str]:
        """Each finding of a check as `level place message`."""
        return [
            f"{one.level} {f'{one.place.file}:{one.place.line}:{one.place.column} ' if one.place else ''}{one.message}"
            for one in self.found(check)
        ]

    def repair(self) -> list[str]:
        return [one.fix.description for one in repair(self.folder / "cog.yaml")]

    def read(self, name: str) -> str:
        return (self.folder / name).read_bytes().decode()

    def files(self) -> dict[str, bytes]:
        return {
            path.relative_to(self.folder).as_posix(): path.read_bytes()
            for path in self.folder.rglob("*")
            if path.is_file()
        }


@pytest.fixture
def patient(tmp_path) -> Patient:
    """An empty project."""
    (tmp_path / "project").mkdir()
    return Patient(tmp_path / "project")
