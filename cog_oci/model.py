"""What a project's model takes and gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from cog_oci.config import Project
    from cog_oci.schema import Schema

__all__ = ["read_model"]


def read_model(project: Project, given: Path | None = None) -> Schema | None:
    """The interface of the model, read from its source, or `given` as a document; None when cog.yaml names no model."""
    if given is not None:
        from cog_oci.schema.given import read_given  # noqa: PLC0415 - a model's source says it nearly always

        return read_given(given)
    if project.config.reference is None:
        return None
    from cog_oci.schema import read_schema  # noqa: PLC0415 - a project without a model needs none

    return read_schema(project.folder, project.config.reference, train=project.config.training)
