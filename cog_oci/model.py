"""What a project's model takes and gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cog_oci.errors import Problem, SourceError

if TYPE_CHECKING:
    from pathlib import Path

    from cog_oci.config import Project
    from cog_oci.schema import Schema

__all__ = ["read_model", "too_many_at_once"]


def read_model(project: Project, given: Path | None = None) -> Schema | None:
    """The interface of the model, read from its source, or `given` as a document; None when cog.yaml names no model.

    Raises SourceError for what the source or `concurrency` has wrong.
    """
    if given is not None:
        from cog_oci.schema.given import read_given  # noqa: PLC0415 - a model's source says it nearly always

        return read_given(given)
    if project.config.reference is None:
        return None
    from cog_oci.schema import read_schema  # noqa: PLC0415 - a project without a model needs none

    schema = read_schema(project.folder, project.config.reference, train=project.config.training)
    if problem := too_many_at_once(project, schema):
        raise SourceError([problem])
    return schema


def too_many_at_once(project: Project, schema: Schema) -> Problem | None:
    """What is wrong with `concurrency.max` for this model, if anything: its setup would fail in the image."""
    wanted = project.config.concurrency or 1
    if wanted == 1 or schema.is_async or schema.batching:
        return None
    message = f"concurrency.max: {wanted} predictions at a time need an `async def run()`, and the model's is not async"
    return project.problem(("concurrency", "max"), message)
