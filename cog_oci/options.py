"""How an image is made, besides what its lock and its code say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cog_oci.layers import Compression

__all__ = ["DEFAULTS", "Options"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line and the environment say.

    `leave_out` are files of the project that are no part of it, such as the archive that is being written;
    `separate_weights` gives the project's large files layers of their own; `certificates` are to be trusted, in PEM;
    `labels` are said of the image besides its own; `schema` is a document to take for the model's interface. With
    `mounted`, the project's own files are no part of it, and nothing of the image depends on them: whoever starts it
    mounts them at its working folder.
    """

    compression: Compression = "gzip"
    leave_out: frozenset[Path] = frozenset()
    separate_weights: bool = False
    certificates: tuple[bytes, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    schema: Path | None = None
    mounted: bool = False


DEFAULTS = Options()
