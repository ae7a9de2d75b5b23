"""A project's folder in the place of the image's own copy of it, so that a change of the code needs no build."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cog_oci.config import Project
    from cog_oci.schema import Schema

__all__ = ["container_variables", "write_interface"]

_FILE = ".cog/openapi_schema.json"  # where the server looks for it, and where Cog writes it


def write_interface(folder: Path, schema: Schema | None) -> bool:
    """Put the model's interface where the server in the container will look for it; False where that cannot be.

    The folder `.cog` is Cog's own, and never part of an image.
    """
    file = folder / _FILE
    if schema is None:
        return True
    data = schema.to_bytes()
    with suppress(OSError):
        if file.read_bytes() == data:
            return True
    temporary = file.with_name(f".{file.name}-{os.getpid()}")
    try:
        if not file.parent.exists():
            file.parent.mkdir()
            (file.parent / ".gitignore").write_text("*\n")
        temporary.write_bytes(data)
        temporary.rename(file)
    except OSError:
        with suppress(OSError):
            temporary.unlink()
        return False
    return True


def container_variables(project: Project, schema: Schema | None) -> Mapping[str, str]:
    """What the container is told beside its image, which knows nothing of the code."""
    variables = {"PYTHONDONTWRITEBYTECODE": "1"}  # else files of the container's user appear in the project
    if schema is not None and schema.concurrency is not None and project.config.concurrency is None:
        variables["COG_MAX_CONCURRENCY"] = str(schema.concurrency)
    return variables
