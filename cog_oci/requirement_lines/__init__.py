"""What a requirements file or a pyproject.toml asks for.

uv resolves it; here is what a lock has to know of it besides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cog_oci.requirement_lines._file import read_file
from cog_oci.requirement_lines._values import ARCHIVES, Line, Options, RequirementLines, shown

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ARCHIVES", "Line", "Options", "RequirementLines", "read_requirement_lines", "shown"]


def read_requirement_lines(path: Path) -> RequirementLines:
    """Read a file, and what it includes. The lock of another tool asks for nothing; a uv.lock has indexes."""
    if path.suffix not in {".toml", ".lock"}:
        return read_file(path)
    from cog_oci.requirement_lines._pyproject import read_indexes, read_pyproject  # noqa: PLC0415 - few projects

    if path.name == "pyproject.toml":
        return read_pyproject(path)
    if path.name != "uv.lock":
        return RequirementLines((), {}, files=(path,))
    indexes, default_name = read_indexes(path.with_name("pyproject.toml"))
    return RequirementLines((), indexes, default_name=default_name, files=(path,))
