"""A model's interface as an OpenAPI document, by reading its source: nothing of it is imported or run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cog_oci import __version__
from cog_oci.schema._document import document, to_bytes
from cog_oci.schema._signature import read_signature

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Schema", "read_schema"]


@dataclass(frozen=True)
class Schema:
    """The document, and what of the model the server must know before it can ask it."""

    document: dict[str, Any]
    is_async: bool
    concurrency: int | None
    """The most predictions at once, where `@cog.concurrent(max=N)` says so."""

    def to_bytes(self) -> bytes:
        """Compact JSON in Cog's key order: what the image's label and `.cog/openapi_schema.json` hold."""
        return to_bytes(self.document)


def read_schema(project: Path, reference: str, *, version: str = __version__) -> Schema:
    """Read the interface of `reference` (`run.py:Runner`) in a project's folder.

    Raises SourceError with every problem found, each with file, line and column.
    """
    signature = read_signature(project, reference)
    return Schema(document(signature, version), signature.is_async, signature.concurrency)
