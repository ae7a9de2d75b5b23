"""A Docker daemon and a registry of the bench's own, on this machine only and gone with it."""

from __future__ import annotations

import os
import platform
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Engine", "lacking", "started"]

_PROGRAMS = ("unshare", "dockerd", "docker", "docker-registry", "mmdebstrap", "dpkg-deb")
_DEADLINE = 60  # seconds to start in


@dataclass(frozen=True)
class Engine:
    """A daemon that runs: how to speak to it, its registry (`127.0.0.1:PORT`), and the processes of both."""

    folder: Path
    registry: str
    pids: tuple[int, ...]

    @property
    def env(self) -> dict[str, str]:
        """For the client: this daemon, BuildKit, and nothing of the user's settings."""
        return {
            "DOCKER_HOST": f"unix://{self.folder}/socket",
            "DOCKER_BUILDKIT": "1",
            "DOCKER_CONFIG": str(self.folder / "config"),
        }

    @property
    def client(self) -> str:
        """Debian's client where there is one, of the daemon's own age: a newer one may not speak to it."""
        return next(path for path in ("/usr/bin/docker", shutil.which("docker")) if path and Path(path).exists())

    def __call__(self, *words: str) -> str:
        """A command that is not measured; CalledProcessError when it fails."""
        done = subprocess.run(
            [self.client, *words], env={**os.environ, **self.env}, check=True, stdout=subprocess.PIPE, text=True
        )
        return done.stdout.strip()

    def empty_registry(self) -> None:
        """Forget every blob that was pushed; the daemon asks before it sends, and sends again."""
        shutil.rmtree(self.folder / "registry" / "docker")


def lacking() -> str:
    """Why no engine can be started here; empty when one can."""
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    missing = [program for program in _PROGRAMS if shutil.which(program, path=path) is None]
    reasons = [
        f"needs {', '.join(missing)}" if missing else "",
        "needs root, to start dockerd" if os.geteuid() else "",
        "" if platform.machine() == "x86_64" else "builds for linux/amd64, and this machine is something else",
    ]
    return "; ".join(filter(None, reasons))


@contextmanager
def started(folder: Path) -> Iterator[Engine]:
    """Start both with everything of theirs below `folder`, and end them; TimeoutError with a log when one won't."""
    with ExitStack() as stack:
        port = _free_port()
        registry = stack.enter_context(
            _running(("docker-registry", "serve", str(_registry_settings(folder, port))), folder / "registry.log")
        )
        daemon = stack.enter_context(_running(_dockerd(folder), folder / "dockerd.log"))
        engine = Engine(folder, f"127.0.0.1:{port}", (registry.pid, daemon.pid))
        _wait(lambda: _answers(f"http://{engine.registry}/v2/"), registry, folder / "registry.log")
        _wait(lambda: _speaks(engine), daemon, folder / "dockerd.log")
        yield engine


def _dockerd(folder: Path) -> tuple[str, ...]:
    return (
        # In a mount namespace of its own: what it mounts goes with it, however it ends.
        *("unshare", "--mount", "dockerd", "--data-root", str(folder / "data"), "--exec-root", str(folder / "exec")),
        *("--host", f"unix://{folder}/socket", "--pidfile", str(folder / "pid")),
        *("--iptables=false", "--bridge=none", "--storage-driver=overlay2"),
    )


def _registry_settings(folder: Path, port: int) -> Path:
    settings = folder / "registry.yml"
    settings.write_text(
        "version: 0.1\n"
        "log: {level: error, accesslog: {disabled: true}}\n"
        f"storage: {{filesystem: {{rootdirectory: {folder}/registry}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\n"
    )
    return settings


@contextmanager
def _running(words: tuple[str, ...], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as sink:
        process = subprocess.Popen(words, stdout=sink, stderr=sink)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _wait(ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _DEADLINE
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise TimeoutError(f"{process.args!r} does not start here: {log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.1)  # neither announces that it listens


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own registry on the loopback
            return bool(answer.status == 200)
    except OSError:
        return False


def _speaks(engine: Engine) -> bool:
    words = [engine.client, "version", "--format", "{{.Server.Version}}"]
    return not subprocess.run(words, env={**os.environ, **engine.env}, check=False, capture_output=True).returncode


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
