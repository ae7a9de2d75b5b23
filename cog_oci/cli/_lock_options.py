"""What the commands that read a lock share: one platform of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cog_oci.errors import CogError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cog_oci.lock import Lock, PlatformLock
    from cog_oci.oci import Platform

    Decorated = Callable[..., Any]

__all__ = ["chosen", "one_platform_option"]


def one_platform_option(command: Decorated) -> Decorated:
    """`--platform`, for one that is locked."""
    return click.option("--platform", help="Which of the lock's platforms.  [default: linux/amd64, or the only one]")(
        command
    )


def chosen(lock: Lock, platform: str | None) -> tuple[Platform, PlatformLock]:
    """The platform that is meant, and what is locked for it; a CogError when that is not clear."""
    from cog_oci.oci import Platform

    if platform is None:
        names = sorted(lock.platforms)
        if len(names) != 1 and "linux/amd64" not in names:
            raise CogError(f"the lock has {', '.join(names) or 'no platform'}", hint="say which with --platform")
        platform = "linux/amd64" if "linux/amd64" in names else names[0]
    found = Platform.parse(platform)
    return found, lock.platform(found)
