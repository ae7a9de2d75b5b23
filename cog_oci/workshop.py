"""What every step of a build works with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cog_oci.progress import SILENT

if TYPE_CHECKING:
    from cog_oci.cache import Cache
    from cog_oci.progress import Progress
    from cog_oci.steps import Allowance
    from cog_oci.store import Store

__all__ = ["Workshop"]


@dataclass(frozen=True)
class Workshop:
    """The store, who is watching, whether the network is there to be used, and a cache.

    `allowance` is what is given to commands that build the image.
    """

    store: Store
    progress: Progress = SILENT
    offline: bool = False
    cache: Cache | None = None
    allowance: Allowance | None = None
