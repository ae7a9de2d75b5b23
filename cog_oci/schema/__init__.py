"""run.py → OpenAPI: what a model takes and returns, by reading its source and never by importing it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cog_oci import __version__
from cog_oci.errors import Problem, SourceError
from cog_oci.schema._document import openapi
from cog_oci.schema._json import render
from cog_oci.schema._signature import Signature, read_signature

if TYPE_CHECKING:
    from pathlib import Path

    from cog_oci.schema._reference import Mode

__all__ = ["Schema", "read_schema"]


@dataclass(frozen=True, slots=True)
class Schema:
    """What a model's source says about it: the OpenAPI document, and what an image of the model has to know besides."""

    document: dict[str, Any]
    is_async: bool
    """Whether `run` is an `async def`; only then may predictions run at the same time, or in batches."""
    streaming: bool
    """Whether clients may ask for the output as server-sent events (`@cog.streaming`)."""
    concurrency: int | None
    """The `max` of `@cog.concurrent`, to become COG_MAX_CONCURRENCY; None where the source doesn't say."""
    batching: bool
    """Whether predictions run together (`@cog.batch`)."""

    def to_bytes(self) -> bytes:
        """The document as the image's label and `.cog/openapi_schema.json` hold it: compact JSON in Cog's key order."""
        return render(self.document).encode()


def read_schema(project: Path, reference: str, *, train: str | None = None, version: str = __version__) -> Schema:
    """The schema of the model that `reference` names (`run.py:Runner`, `run.py:function`, or `run.py` alone).

    `project` is the folder that the references are relative to, `train` names the training function or class if there
    is one, `version` goes into the document's `info`. No code of the project is executed. Raises SourceError with every
    problem found in the functions and the classes they use.
    """
    problems: list[Problem] = []
    signatures: list[Signature] = []
    hint = None
    wanted: dict[Mode, str | None] = {"run": reference, "train": train}
    for mode, each in wanted.items():
        if each is None:
            continue
        try:
            signatures.append(read_signature(project, each, mode))
        except SourceError as error:
            problems += error.problems
            hint = hint or error.hint
    if problems:
        raise SourceError(list(dict.fromkeys(problems)), hint=hint)
    prediction, training = signatures[0], signatures[1] if len(signatures) > 1 else None
    return Schema(
        openapi(prediction, training, version),
        prediction.is_async,
        prediction.streaming,
        prediction.concurrency,
        prediction.batching,
    )
