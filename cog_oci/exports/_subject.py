"""What is exported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cog_oci.lock import Artifact, PlatformLock
    from cog_oci.oci import Platform
    from cog_oci.store import Store

__all__ = ["Subject"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One platform of a lock, and what formats may ask besides: where a file is, or the file itself.

    `bring` has artifacts in the store when it returns; `locate` gives the addresses of one, best first.
    """

    name: str
    as_of: str
    platform: Platform
    parts: PlatformLock
    store: Store
    locate: Callable[[Artifact], Iterable[str]]
    bring: Callable[[Iterable[Artifact]], None]
