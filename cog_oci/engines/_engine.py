"""What every engine can do, and how a container is asked for."""

from __future__ import annotations

import platform
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from cog_oci.errors import CogError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from cog_oci.oci import Image
    from cog_oci.progress import Progress
    from cog_oci.reference import Reference
    from cog_oci.store import Store

__all__ = ["Container", "Engine", "EngineError", "Launch", "Offer", "Port", "Runnable", "host_architecture"]

_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


class EngineError(CogError):
    """An engine that is not there, does not answer, or refused; `engine` is its name."""

    def __init__(self, engine: str, reason: str, *, hint: str | None = None) -> None:
        self.engine, self.reason = engine, reason
        super().__init__(f"{engine}: {reason}", hint=hint)


@dataclass(frozen=True, slots=True)
class Port:
    """A port of the container, and the address of this machine that leads to it."""

    inside: int
    outside: int
    host: str = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How a container starts.

    `command` follows the image's entrypoint, `env` is beside the image's own; `project` is a folder that is mounted at
    the image's working folder, to be written to; `attached` gives the container our standard input and output, and a
    terminal where we have one, else all that it prints is on our standard error. `pipes` are file descriptors instead,
    of what it reads and of what it prints on its standard output; starting takes them over and closes them. `network`
    and `gpus` are as `docker run` takes them. `gate` is called once before the program starts, perhaps while the
    container is made; what it raises keeps the program from starting.
    """

    command: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[Port, ...] = ()
    project: Path | None = None
    attached: bool = False
    pipes: tuple[int, int] | None = None
    network: str | None = None
    gpus: str | None = None
    gate: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class Offer:
    """An image, what it is to be called, and names of others under which an engine may have some of its layers."""

    image: Image
    name: Reference
    relatives: tuple[Reference, ...] = ()


class Container(Protocol):
    """A container under way."""

    def poll(self) -> int | None:
        """The exit status of its program; None while it runs. Above 128 it was ended by a signal."""

    def wait(self) -> int:
        """The exit status, once there is one."""

    def over(self) -> None:
        """It has said that it was done: its end is waited for only where something of it would be left otherwise."""


class Runnable(Protocol):
    """An image that an engine can start."""

    @property
    def labels(self) -> Mapping[str, str]:
        """What the image says of itself."""

    @property
    def architecture(self) -> str:
        """What the image runs on, in Go's words."""

    @property
    def command(self) -> tuple[str, ...]:
        """What it runs after the entrypoint when nothing else is asked for."""

    def start(self, launch: Launch) -> AbstractContextManager[Container]:
        """A container, which is ended and removed with the context. Raises EngineError."""


class Engine(Protocol):
    """A program or a daemon that starts containers."""

    @property
    def name(self) -> str:
        """As `--engine` has it."""

    @property
    def architecture(self) -> str:
        """What it can run, in Go's words: `amd64`."""

    def unavailable(self) -> str | None:
        """Why it cannot be used here; None when it can."""

    def shares_network(self, network: str | None) -> bool:
        """Whether a container's ports are this machine's, with this `--network`."""

    def is_here(self) -> bool:
        """Whether containers run on this machine: its folders can be theirs, and what they open is open here."""

    def having(self, offer: Offer, store: Store) -> Runnable | None:
        """This very image, where it is here under its name and ready to start; its layers need not be in the store."""

    def take(self, offer: Offer, store: Store, progress: Progress) -> Runnable:
        """An image whose layers are in the store. Raises EngineError."""

    def find(self, name: str, store: Store, progress: Progress) -> Runnable:
        """An image by its name, pulled when it is not here; `store` may take its blobs. Raises EngineError."""


def host_architecture() -> str:
    """What this machine runs, in Go's words."""
    machine = platform.machine()
    return _MACHINES.get(machine.lower(), machine)
