"""The two servers that are compared, as programs: how each is started, when it is ready, what it occupies."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import measure
import surroundings

from cog_oci.schema import read_schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Memory", "Product", "Server", "cog", "ours"]

_ROOT = Path(__file__).parents[2]
_MODELS = Path(__file__).parent / "models"
_LAUNCH = "import sys; sys.path.insert(0, sys.argv.pop(1)); from cog_oci.server.__main__ import main; main()"
_READY_SECONDS = 30
_ANSWER_SECONDS = 5
_STOP_SECONDS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Of all processes together, in 10^6 bytes: `pss` counts a page that n processes share as 1/n, `rss` in each."""

    pss: float
    rss: float


@dataclass(frozen=True, slots=True)
class Server:
    """One that runs and was READY `seconds` after its process had been started."""

    process: subprocess.Popen[bytes]
    port: int
    seconds: float

    def answers(self) -> bool:
        """Whether a prediction succeeds within some seconds, however often it is refused for want of a slot."""
        end = time.monotonic() + _ANSWER_SECONDS
        while time.monotonic() < end:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if _ask(self.port, "POST", "/predictions", b'{"input": {}}').get("status") == "succeeded":
                    return True
            time.sleep(0.01)  # a slot is on its way back
        return False

    def memory(self) -> Memory:
        """What its processes occupy now."""
        rolled = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in measure.tree(self.process.pid)]
        return Memory(pss=sum(_field(text, "Pss") for text in rolled), rss=sum(_field(text, "Rss") for text in rolled))

    def stop(self) -> None:
        """End it, by force where it does not end of itself."""
        pids = list(measure.tree(self.process.pid))
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.wait()


@dataclass(frozen=True, slots=True)
class Product:
    """A server program."""

    name: str
    command: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    @contextlib.contextmanager
    def running(self, model: str, **environment: str) -> Iterator[Server]:
        """A server of one of the bench's models, for the time of the block."""
        server = self.start(model, **environment)
        try:
            yield server
        finally:
            server.stop()

    def start(self, model: str, **environment: str) -> Server:
        """A server that is READY; exits when it never is."""
        project, temporary = self.folder / model, self.folder / "tmp"
        if not project.exists():
            _project(model, project)
        temporary.mkdir(exist_ok=True)
        port = _free_port()
        start = time.perf_counter()
        process = subprocess.Popen(
            [*self.command, "--host", "127.0.0.1"],
            cwd=project,
            env={
                "PATH": os.environ["PATH"],
                "TMPDIR": str(temporary),
                "PORT": str(port),
                "COG_LOG_LEVEL": "error",
                "COG_PREDICT_TYPE_STUB": "run.py:Runner",
                **self.environment,
                **environment,
            },
            stderr=(self.folder / "log").open("ab"),
        )
        while _status(port) != "READY":
            if process.poll() is not None or time.perf_counter() - start > _READY_SECONDS:
                process.kill()
                words = (self.folder / "log").read_text(errors="replace")
                sys.exit(f"bench: {self.name} does not get ready with the model {model}: {words[-4000:]}")
            time.sleep(0.001)  # a state is asked for, not announced
        return Server(process, port, time.perf_counter() - start)


def ours(folder: Path) -> Product:
    """The server of this checkout with the packages of an image; everything that it writes is below `folder`."""
    python = surroundings.environment(folder / "our-python", surroundings.server_requirements())
    return Product(
        "cog-oci",
        (str(python), "-I", "-c", _LAUNCH, str(_ROOT)),
        _made(folder / "ours"),
        {"COG_OCI_PYTHON": str(surroundings.interpreter())},
    )


def cog(folder: Path) -> Product | None:
    """Cog's own, in an environment of the same interpreter; None where it cannot be installed."""
    try:
        python = surroundings.environment(folder / "their-python", (_ROOT / "requirements-oracle.txt").read_text())
    except subprocess.CalledProcessError:
        return None
    return Product(
        "coglet",
        (str(python), "-m", "cog.server.http"),
        _made(folder / "theirs"),
        {"PATH": f"{python.parent}:{os.environ['PATH']}"},  # its worker is the `python` that is found there
    )


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _project(model: str, target: Path) -> None:
    """A copy of a model with its schema, as it lies in an image."""
    shutil.copytree(_MODELS / model, target, ignore=shutil.ignore_patterns("__pycache__"))
    (target / ".cog").mkdir()
    (target / ".cog/openapi_schema.json").write_bytes(read_schema(target, "run.py:Runner").to_bytes())


def _status(port: int) -> str:
    try:
        return str(_ask(port, "GET", "/health-check")["status"])
    except (OSError, http.client.HTTPException):
        return "none"


def _ask(port: int, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_ANSWER_SECONDS)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
        answer: dict[str, Any] = json.loads(connection.getresponse().read())
        return answer
    finally:
        connection.close()


def _field(rolled: str, name: str) -> float:
    return next(int(line.split()[1]) * 1024 / 1e6 for line in rolled.splitlines() if line.startswith(f"{name}:"))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
