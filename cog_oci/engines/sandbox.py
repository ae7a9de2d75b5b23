"""The engine that is always there on Linux: namespaces of this machine's kernel, and its network."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from cog_oci.engines._engine import Container, EngineError, Launch, Offer, Runnable, host_architecture
from cog_oci.oci import Image, ImageConfig, LayerBlob
from cog_oci.sandbox import Sandbox, unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cog_oci.oci import StoredImage
    from cog_oci.progress import Progress
    from cog_oci.store import Store

__all__ = ["SandboxEngine"]

_END_SECONDS = 10.0


class SandboxEngine:
    """Starts programs in the image's root, unpacked in the store."""

    name = "sandbox"

    @property
    def architecture(self) -> str:
        """This machine's."""
        return host_architecture()

    def unavailable(self) -> str | None:
        """What keeps namespaces from being made."""
        return unavailable()

    def shares_network(self, network: str | None) -> bool:
        """Always: it has no network of its own. Raises EngineError for any other that is asked for."""
        if network not in {None, "host"}:
            raise EngineError(self.name, f"there is no network {network!r}, only this machine's")
        return True

    def is_here(self) -> bool:
        """Always."""
        return True

    def having(self, offer: Offer, store: Store) -> Runnable | None:
        """Where the store has every layer."""
        there = all(store.has(layer.descriptor.digest, layer.descriptor.size) for layer in offer.image.layers)
        return _Rooted(offer.image, store) if there else None

    def take(self, offer: Offer, store: Store, progress: Progress) -> Runnable:  # noqa: ARG002 - the Protocol's
        """The image, to be unpacked when it starts."""
        return _Rooted(offer.image, store)

    def find(self, name: str, store: Store, progress: Progress) -> Runnable:
        """An archive, a folder with an OCI layout, or an image in a registry, brought into the store."""
        from cog_oci.transports.carrying import bring  # noqa: PLC0415 - a project's own image is there
        from cog_oci.transports.sources import open_source  # noqa: PLC0415 - likewise

        with open_source(name) as source:
            images = source.images()
            found = [image for image in images if image.platform.architecture == self.architecture]
            image = (found or images)[0]  # whoever asked compares the architecture, and says what is wrong with it
            size = sum(layer.descriptor.size for layer in image.layers)
            with progress.task(f"bringing {source.name}", size) as task:
                for layer in image.layers:
                    bring(source, layer.descriptor, store)
                    task.advance(layer.descriptor.size)
        return _Rooted(_as_ours(image), store)


def _as_ours(image: StoredImage) -> Image:
    """An image that exists, as far as it matters for running it."""
    config = image.config_json.get("config") or {}
    layers = (LayerBlob(layer.name, layer.diff_id, layer.descriptor, 0) for layer in image.layers)
    how = ImageConfig(
        env=dict(one.split("=", 1) for one in config.get("Env") or () if "=" in one),
        entrypoint=tuple(config.get("Entrypoint") or ()),
        command=tuple(config.get("Cmd") or ()),
        working_dir=config.get("WorkingDir") or "/",
        labels=image.labels,
        user=config.get("User") or "",
    )
    return Image(image.platform, how, tuple(layers))


class _Rooted:
    def __init__(self, image: Image, store: Store) -> None:
        self._image, self._store = image, store

    @property
    def labels(self) -> Mapping[str, str]:
        return self._image.config.labels

    @property
    def architecture(self) -> str:
        return self._image.platform.architecture

    @property
    def command(self) -> tuple[str, ...]:
        return self._image.config.command

    @contextmanager
    def start(self, launch: Launch) -> Iterator[Container]:
        if launch.gpus:
            raise EngineError("sandbox", "it has no GPUs", hint="use --engine docker")
        launch.gate()
        config = self._image.config
        mounts = {config.working_dir: launch.project} if launch.project else {}
        stdin, stdout = launch.pipes or _descriptors(attached=launch.attached)
        started = Sandbox(self._image, self._store).start(
            [*config.entrypoint, *launch.command],
            env={**_terminal(attached=launch.attached), **launch.env},
            stdin=stdin,
            stdout=stdout,
            mounts=mounts,
            foreground=launch.attached,
        )
        with ExitStack() as after:
            try:
                process = after.enter_context(started)
            finally:
                for descriptor in launch.pipes or ():
                    os.close(descriptor)
            yield _Program(process)


class _Program:
    """A process as a Container."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def poll(self) -> int | None:
        status = self._process.poll()
        return None if status is None else _shell_status(status)

    def wait(self) -> int:
        # In the foreground the terminal tells the program inside of Ctrl-C as well: it decides what that means.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            return _shell_status(self._process.wait())
        finally:
            signal.signal(signal.SIGINT, before)

    def over(self) -> None:
        with suppress(subprocess.TimeoutExpired):  # who is to see to it takes longer for what has to be killed
            self._process.wait(_END_SECONDS)


def _descriptors(*, attached: bool) -> tuple[int, int | None]:
    """Ours; what is not attached reads nothing, and all that it prints is on our standard error."""
    if attached:
        return sys.stdin.fileno(), None
    return subprocess.DEVNULL, sys.__stderr__.fileno() if sys.__stderr__ else None


def _shell_status(status: int) -> int:
    return 128 - status if status < 0 else status


def _terminal(*, attached: bool) -> Mapping[str, str]:
    return {"TERM": os.environ.get("TERM", "xterm")} if attached and sys.stdin.isatty() else {}
