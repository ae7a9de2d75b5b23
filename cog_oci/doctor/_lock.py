"""The check of cog.lock: that there is one, that it can be read, and that it still fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cog_oci.doctor._finding import Finding
from cog_oci.errors import CogError, SourceError
from cog_oci.ground import inputs_of
from cog_oci.lock import Lock, StaleLockError, check_fresh
from cog_oci.oci import Platform

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cog_oci.config import Project
    from cog_oci.doctor._subject import Subject

__all__ = ["fresh_lock"]


def fresh_lock(subject: Subject) -> Iterator[Finding]:
    """An image is built from the lock alone, so one that does not fit is an error; none is one that is not made yet."""
    project = subject.project
    if isinstance(project, SourceError):
        return
    if not project.lock_path.is_file():
        yield Finding(
            level="warning",
            message=f"there is no {project.lock_path.name}",
            remedy=f"Run `cog-oci lock` and commit {project.lock_path.name}",
        )
        return
    try:
        lock = Lock.read(project.lock_path)
        for platform in map(Platform.parse, lock.platforms):
            _check(project, lock, platform)
    except SourceError:
        return  # the check of cog.yaml has said it
    except CogError as error:
        remedy = error.hint or "Run `cog-oci lock`"
        yield Finding(level="error", message=str(error), remedy=remedy[:1].upper() + remedy[1:])


def _check(project: Project, lock: Lock, platform: Platform) -> None:
    parts = lock.platform(platform)
    try:
        check_fresh(project.lock_path, parts.inputs, inputs_of(project, platform, parts))
    except StaleLockError as error:
        raise CogError(f"for {platform}, {error}", hint=error.hint) from error
