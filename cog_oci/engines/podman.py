"""Containers by podman, through its program: it has no daemon that would have to run (podman 4 and later)."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from cog_oci.engines._engine import Container, EngineError, Launch, Offer, Runnable, host_architecture
from cog_oci.engines._inspected import Inspected

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import IO

    from cog_oci.progress import Progress
    from cog_oci.store import Store
    from cog_oci.transports.archive import Archive

__all__ = ["PodmanEngine"]

_PODMANS = re.compile(
    r"PATH|HOME|USER|TERM|SHELL|TMPDIR|NOTIFY_SOCKET|SSL_CERT_(FILE|DIR)|GO(DEBUG|GC|MAXPROCS|MEMLIMIT|TRACEBACK)"
    r"|DOCKER_(HOST|CONFIG|CERT_PATH|TLS_VERIFY)|REGISTR(Y_AUTH_FILE|IES_CONFIG_PATH)"
    r"|_?(LD|XDG|CONTAINERS?|STORAGE|PODMAN|DBUS|LISTEN|NETAVARK)_.*|CNI_.*"
)
"""Names of variables that decide how podman, or what it starts, runs."""
_END_SECONDS = 10.0
_MUCH = 1 << 20  # bytes: less is sent sooner than it is found out whether that is needed


class PodmanEngine:
    """The `podman` on PATH, with the storage and the connection that it is configured with."""

    name = "podman"

    @property
    def architecture(self) -> str:
        """This machine's."""
        return host_architecture()

    def unavailable(self) -> str | None:
        """That there is no such program, or what it said."""
        if shutil.which("podman") is None:
            return "there is no `podman` on PATH"
        done = _podman("info", "--format", "{{.Version.Version}}")
        return None if done.returncode == 0 else f"`podman info` failed: {_words(done)}"

    def shares_network(self, network: str | None) -> bool:
        """With the network `host` alone."""
        return network == "host"

    def is_here(self) -> bool:
        """As far as anybody can tell."""
        return True

    def having(self, offer: Offer, store: Store) -> Runnable | None:  # noqa: ARG002 - the Protocol's
        """By its configuration's digest."""
        there = _inspect(offer.name.full)
        return there if there is not None and there.identity == offer.image.content_id.removeprefix("sha256:") else None

    def take(self, offer: Offer, store: Store, progress: Progress) -> Runnable:
        """Load the image under its name, without the layers that podman has, unless that is what it is already."""
        there = _inspect(offer.name.full)
        if there is None or there.identity != offer.image.content_id.removeprefix("sha256:"):
            others = [there, *(_inspect(one.full) for one in offer.relatives)]
            _load(offer, [one.diff_ids for one in others if one is not None], store, progress)
        return self._known(offer.name.full)

    def find(self, name: str, store: Store, progress: Progress) -> Runnable:  # noqa: ARG002 - the Protocol's
        """An image that podman has, or that it can pull."""
        if _podman("image", "exists", name).returncode:
            progress.say(f"pulling {name}")
            done = _podman("pull", "--quiet", name)
            if done.returncode:
                raise EngineError(self.name, f"{name} is not here and cannot be pulled: {_words(done)}")
        return self._known(name)

    def _known(self, name: str) -> Runnable:
        found = _inspect(name)
        if found is None:
            raise EngineError(self.name, f"image {name}: podman does not know it any more")
        return found


class _Loaded(Inspected):
    """An image in podman's storage."""

    @contextmanager
    def start(self, launch: Launch) -> Iterator[Container]:
        launch.gate()
        name = f"cog-oci-{secrets.token_hex(6)}"
        stdin, stdout = launch.pipes or (
            None if launch.attached else subprocess.DEVNULL,
            None if launch.attached else 2,
        )
        try:
            process = subprocess.Popen(
                ["podman", "run", "--rm", "--name", name, *self._options(launch), self.identity, *launch.command],
                stdin=stdin,
                stdout=stdout,
                start_new_session=not launch.attached,
                env={**os.environ, **_unlisted(launch)},
            )
        finally:
            for descriptor in launch.pipes or ():
                os.close(descriptor)
        try:
            yield _Program(process)
        finally:
            if process.poll() is None:
                _podman("stop", "--time", "10", name)
                _podman("rm", "--force", "--ignore", name)  # one that has ended is gone by --rm
            process.wait()

    def _options(self, launch: Launch) -> Iterator[str]:
        if launch.attached or launch.pipes:
            yield "--interactive"
        if launch.attached and sys.stdin.isatty() and sys.stdout.isatty():
            yield "--tty"
        if launch.network is not None:
            yield f"--network={launch.network}"
        if launch.network != "host":
            yield from (f"--publish={_bracketed(port.host)}:{port.outside}:{port.inside}" for port in launch.ports)
        if launch.project is not None:
            yield f"--volume={launch.project.absolute()}:{self.folder}"
            yield "--security-opt=label=disable"  # SELinux keeps a container from folders that are not its own
        if launch.gpus is not None:
            yield from (f"--device=nvidia.com/gpu={device}" for device in _gpus(launch.gpus))
        # A name alone takes podman's own value: what is secret is in no list of processes.
        unlisted = _unlisted(launch)
        yield from (f"--env={name}" + ("" if name in unlisted else f"={value}") for name, value in launch.env.items())


class _Program:
    """`podman run` as a Container: it ends with the status of what it runs."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def poll(self) -> int | None:
        return self._process.poll()

    def wait(self) -> int:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # podman passes it on
        try:
            return self._process.wait()
        finally:
            signal.signal(signal.SIGINT, before)

    def over(self) -> None:
        with suppress(subprocess.TimeoutExpired):  # podman removes the container when it has ended
            self._process.wait(_END_SECONDS)


def _bracketed(address: str) -> str:
    """An address before a colon (RFC 3986 §3.2.2)."""
    return f"[{address}]" if ":" in address else address


def _gpus(text: str) -> Sequence[str]:
    """`--gpus` as `docker run` takes it, by the names that CDI has: it knows devices, and not how many."""
    kind, _, devices = text.strip('"').partition("=")
    if kind == "device" and devices:
        return devices.split(",")
    if text != "all" and not text.isdecimal():
        raise EngineError("podman", f"--gpus {text} is none of all, a number, device=0,1")
    return [text] if text == "all" else [str(number) for number in range(int(text))]


def _unlisted(launch: Launch) -> dict[str, str]:
    """The variables of the container that podman itself may have, because they mean nothing to it."""
    return {name: value for name, value in launch.env.items() if not _PODMANS.fullmatch(name)}


def _inspect(name: str) -> _Loaded | None:
    """What podman has under this name."""
    done = _podman("image", "inspect", name)
    return None if done.returncode else _Loaded.parse(json.loads(done.stdout)[0])


def _load(offer: Offer, there: Sequence[Sequence[str]], store: Store, progress: Progress) -> None:
    """What podman has need not be in the archive: it looks for each layer by its digest before it looks there."""
    from cog_oci.transports.archive import Archive  # noqa: PLC0415 - only where there is something to load

    whole = Archive([offer.image.stored()], offer.name)
    sparse = whole.beyond(*there)
    if sum(blob.size for blob in sparse.blobs) > _MUCH:
        sparse = whole.beyond(*there, *_others())
    failure = _load_archive(sparse, store, progress)
    if failure is not None and sparse.left_out:
        sparse, failure = whole, _load_archive(whole, store, progress)
    if failure is not None:
        raise EngineError("podman", f"the image cannot be loaded: {failure}")
    sent = sum(blob.size for blob in sparse.blobs)
    progress.say(f"loaded {offer.name.familiar}: {sent / 1e6:.1f} MB of layers were new to podman")


def _others() -> list[tuple[str, ...]]:
    """The layers of every image with a label of Cog's."""
    done = _podman("images", "--quiet", "--no-trunc", "--filter", "label=run.cog.config")
    names = list(dict.fromkeys(done.stdout.decode().split()))
    inspected = _podman("image", "inspect", *names) if names else done
    if not names or inspected.returncode:
        return []  # then more is sent than need be
    return [_Loaded.parse(one).diff_ids for one in json.loads(inspected.stdout)]


def _load_archive(archive: Archive, store: Store, progress: Progress) -> str | None:
    """What podman had to say against it."""
    with subprocess.Popen(
        ["podman", "load", "--quiet"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        broken = _give(process.stdin, archive, store, progress)
        said = process.stderr.read().decode("utf-8", "replace") if process.stderr else ""
    return (said.strip() or "podman load took only a part") if process.returncode or broken else None


def _give(sink: IO[bytes] | None, whole: Archive, store: Store, progress: Progress) -> bool:
    """Whether podman had enough before the end; then it has said why."""
    from cog_oci.transports import archive  # noqa: PLC0415 - see _load

    assert sink is not None
    try:
        archive.write(sink, whole, store, progress)  # type: ignore[arg-type]  # a sink is all it needs
        sink.close()
    except BrokenPipeError:
        return True
    return False


def _podman(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["podman", *arguments], stdin=subprocess.DEVNULL, capture_output=True, check=False)


def _words(done: subprocess.CompletedProcess[bytes]) -> str:
    return done.stderr.decode("utf-8", "replace").strip() or f"it ended with {done.returncode}"
