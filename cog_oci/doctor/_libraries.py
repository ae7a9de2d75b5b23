"""The closed-world check: that every library which something in the image needs is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cog_oci import build
from cog_oci.closed_world.check import examine
from cog_oci.closed_world.remedies import packages_for, remedy
from cog_oci.doctor._finding import Finding
from cog_oci.errors import CogError, SourceError
from cog_oci.lock import Lock, StaleLockError
from cog_oci.oci import Platform
from cog_oci.options import Options
from cog_oci.store import Store, default_root

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cog_oci.closed_world.gap import Gap
    from cog_oci.config import Project
    from cog_oci.doctor._subject import Subject

__all__ = ["libraries"]

_SHOWN = 3


def libraries(subject: Subject) -> Iterator[Finding]:
    """Of images that were built: what is in them is known from their layers, as long as this machine has those."""
    project = subject.project
    if isinstance(project, SourceError) or not project.lock_path.is_file():
        return
    try:
        lock = Lock.read(project.lock_path)
    except CogError:
        return  # the check of the lock has said it
    for name, parts in lock.platforms.items():
        if parts.layers:
            yield from _missing(project, lock, Platform.parse(name))


def _missing(project: Project, lock: Lock, platform: Platform) -> Iterator[Finding]:
    shop = build.Workshop(Store(default_root()), offline=True)
    try:
        image = build.identify(project, platform, lock, shop, Options(compression=project.config.compression))
        gaps = examine(image, shop.store)
    except (StaleLockError, SourceError):
        return  # likewise
    except (CogError, FileNotFoundError):
        yield Finding(
            level="note",
            message=f"the layers for {platform} are not here, so that their libraries cannot be looked at",
            remedy="Build the image with `cog-oci image`",
        )
        return
    packages = packages_for(gaps, lock, platform, shop.store, offline=True)
    for gap in gaps:
        if not gap.plugin:
            advice = remedy(gap, packages)
            yield Finding(level="warning", message=str(gap), remedy=advice[:1].upper() + advice[1:])
    if plugins := [gap for gap in gaps if gap.plugin]:
        yield _of_plugins(plugins, packages)


def _of_plugins(gaps: list[Gap], packages: dict[str, str]) -> Finding:
    """All of them in one: a graphical toolkit alone lacks dozens, and is not the worse for it."""
    shown = "; ".join(map(str, gaps[:_SHOWN])) + (f"; and {len(gaps) - _SHOWN} more" if len(gaps) > _SHOWN else "")
    known = sorted({packages[gap.library] for gap in gaps if gap.library in packages})
    wanted = f", from {', '.join(known)}" if known else ""
    return Finding(
        level="note",
        message=f"missing, for what is loaded only when it is asked for: {shown}",
        remedy=f"Nothing, if the model does without; else add what it uses to build.system_packages{wanted}",
    )
