"""Which engine: the one that was asked for, or the first that works."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cog_oci.engines._engine import Engine, EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["ENGINES", "choose"]


def _docker() -> Engine:
    from cog_oci.engines.docker import DockerEngine  # noqa: PLC0415 - one engine is used, of three that there are

    return DockerEngine()


def _podman() -> Engine:
    from cog_oci.engines.podman import PodmanEngine  # noqa: PLC0415 - likewise

    return PodmanEngine()


def _sandbox() -> Engine:
    from cog_oci.engines.sandbox import SandboxEngine  # noqa: PLC0415 - likewise

    return SandboxEngine()


ENGINES: Mapping[str, Callable[[], Engine]] = {
    "docker": _docker,
    "sandbox": _sandbox,
    "podman": _podman,
}
"""In the order in which `auto` asks. The sandbox has nothing to load, so it is before podman, which takes copies."""


def choose(name: str = "auto") -> Engine:
    """The engine of this name, able to start containers.

    `auto` is the first that works; a daemon that DOCKER_HOST or DOCKER_CONTEXT names is an error when it does not
    answer, as somebody meant it. Raises EngineError, which says what is wrong with it and which others work.
    """
    if name == "auto" and (os.environ.get("DOCKER_HOST") or os.environ.get("DOCKER_CONTEXT")):
        name = "docker"
    reasons: dict[str, str] = {}
    for kind in ENGINES if name == "auto" else [name]:
        engine = ENGINES[kind]()
        reason = engine.unavailable()
        if reason is None:
            return engine
        reasons[kind] = reason
    if name != "auto":
        raise EngineError(name, reasons[name], hint=_others(name))
    raise EngineError("no engine works here", "; ".join(f"{kind}: {reason}" for kind, reason in reasons.items()))


def _others(name: str) -> str:
    works = [kind for kind, engine in ENGINES.items() if kind != name and engine().unavailable() is None]
    if works:
        return f"{' and '.join(works)} work{'s' if len(works) == 1 else ''} here: --engine {works[0]}"
    return "no other engine works here either; `cog-oci image -o image.tar` makes a file for another machine"
