"""Checks of this machine: Docker, where it is used, the Python that reads the model, and the sandbox."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

from cog_oci.doctor._finding import Finding
from cog_oci.sandbox import SandboxUnavailableError, unavailable
from cog_oci.transports._daemon import find_daemon

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cog_oci.doctor._subject import Subject
    from cog_oci.transports._daemon import Daemon

__all__ = ["docker", "python_version", "sandbox"]

_PATIENCE = 3.0  # seconds


def docker(_: Subject) -> Iterator[Finding]:
    """The daemon that images would be loaded into, if there is one to speak of: nothing else needs it.

    COG_SKIP_DOCKER_CHECK leaves this out, as in Cog.
    """
    configured = os.environ.get("DOCKER_HOST") or os.environ.get("DOCKER_CONTEXT")
    if os.environ.get("COG_SKIP_DOCKER_CHECK") or not (configured or shutil.which("docker")):
        return
    daemon = find_daemon()
    if reason := _unanswered(daemon):
        yield Finding(
            level="warning",
            message=f"the Docker daemon at {daemon.address} cannot be reached: {reason}",
            remedy="Start it, or get the right to use it, to load images with `cog-oci image --load`;"
            " building and `cog-oci image -o image.tar` do without",
        )


def _unanswered(daemon: Daemon) -> str | None:
    try:
        daemon.connect(_PATIENCE).close()
    except OSError as error:
        return error.strerror or str(error)
    return None


def python_version(subject: Subject) -> Iterator[Finding]:
    """A model that this Python cannot parse, and the image's might: syntax newer than the Python that reads it."""
    build = subject.values.get("build")
    wanted = str(build.get("python_version", "")) if isinstance(build, dict) else ""
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    if subject.reference is None or not (subject.folder / subject.reference[0]).is_file():
        return
    if _numbers(wanted) > sys.version_info[:2] and subject.python.get(subject.reference[0]) is None:
        yield Finding(
            level="warning",
            message=f"local Python is {here} but cog.yaml specifies {wanted}",
            remedy=f"Install cog-oci with Python {wanted}: it reads a model with the grammar of its own Python",
        )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())


def sandbox(_: Subject) -> Iterator[Finding]:
    """What runs an image, and what compiles its Python, without a daemon."""
    reason = f"this is {sys.platform}, and it needs Linux" if sys.platform != "linux" else unavailable()
    if reason:
        error = SandboxUnavailableError(reason)
        yield Finding(
            level="warning",
            message=str(error),
            remedy="`cog-oci run`, commands of build.run and images with compiled Python need the sandbox:"
            f" {error.hint}",
        )
