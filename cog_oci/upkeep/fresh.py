"""Whether a lock fits its project: known from the files alone, in milliseconds, with nothing resolved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cog_oci.ground import inputs_of
from cog_oci.lock import check_fresh
from cog_oci.oci import Platform

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cog_oci.config import Project
    from cog_oci.lock import Lock

__all__ = ["check"]


def check(project: Project, locked: Lock, platforms: Sequence[Platform] = ()) -> None:
    """Raise StaleLockError when an input has changed, CogError for a platform that is not locked.

    Without `platforms`, every one that the lock has.
    """
    known: Mapping[str, object] = locked.platforms
    for platform in platforms or [Platform.parse(name) for name in sorted(known)]:
        parts = locked.platform(platform)
        check_fresh(project.lock_path, parts.inputs, inputs_of(project, platform, parts))
