"""The worker as a process of the operating system: how it is started, and how it ends.

Imports little, so that the worker is on its way before the server has loaded the rest of itself: no dataclasses, which
bring `inspect`, and no pathlib.
"""

# pathlib would be a fifth of what there is to import before the worker is on its way.
# ruff: noqa: PTH112, PTH118, PTH119, PTH120, PTH208

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING, NamedTuple

import cog_oci

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["WorkerProcess", "environment_of", "spawn"]

_PIPE_BYTES = 1 << 20
_OURS = frozenset({"COG_AUTH_TOKEN"})
"""Variables that the model has no need to know."""
_SET_PIPE_SIZE = getattr(fcntl, "F_SETPIPE_SZ", None)

# The SDK comes before everything; the project's folder is added when all that the worker itself needs is imported, so
# that a file named like a module of the standard library does no harm.
_PROGRAM = """\
import sys
sys.path[0] = sys.argv[1]
from cog._worker import main
import os
sys.path.insert(1, os.getcwd())
arguments, sys.argv = sys.argv[2:], sys.argv[:1]
main(*arguments[:2], *map(int, arguments[2:6]), arguments[6])
"""


class WorkerProcess(NamedTuple):
    """A worker that has been started; it leads a process group of its own."""

    started: float
    """Seconds since 1970."""
    popen: subprocess.Popen[bytes]
    work: socket.socket
    """Predictions, and everything that the worker says."""
    orders: socket.socket
    """Cancellations and health checks, which must not wait behind a prediction."""
    stdout: int
    stderr: int
    folder: str

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to the worker and to everything that it has started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.popen.pid, number)

    def last_words(self) -> bytes:
        """What has been printed and not been read, by a worker that did not live to do it."""
        words = b""
        for fd in (self.stdout, self.stderr):
            with contextlib.suppress(BlockingIOError):
                while data := os.read(fd, 1 << 16):
                    words += data
        return words

    def end(self) -> str:
        """Make sure that nothing of the worker remains, no process and no file, and say how it ended. Once only."""
        self.kill()
        code = self.popen.wait()
        self.work.close()
        self.orders.close()
        os.close(self.stdout)
        os.close(self.stderr)
        shutil.rmtree(self.folder, ignore_errors=True)
        return _describe(code)


def spawn(reference: str, environment: Mapping[str, str], *, train: bool = False) -> WorkerProcess:
    """Start a worker for the model that `reference` names, or for its training, in the current directory.

    Raises OSError when the interpreter cannot be started.
    """
    work, their_work = socket.socketpair()
    orders, their_orders = socket.socketpair()
    stdout_read, stdout_write = _pipe()
    stderr_read, stderr_write = _pipe()
    folder = tempfile.mkdtemp(prefix="cog-")
    started = time.time()
    mode = "train" if train else "predict"
    passed = (their_work.fileno(), their_orders.fileno(), stdout_read, stderr_read)
    try:
        popen = subprocess.Popen(
            [_interpreter(environment), "-c", _PROGRAM, _sdk(), reference, mode, *map(str, passed), folder],
            stdin=subprocess.DEVNULL,
            stdout=stdout_write,
            stderr=stderr_write,
            pass_fds=passed,
            env={name: value for name, value in environment.items() if name not in _OURS} | {"PYTHONUNBUFFERED": "1"},
            start_new_session=True,
        )
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    finally:
        their_work.close()
        their_orders.close()
        os.close(stdout_write)
        os.close(stderr_write)
    work.setblocking(False)
    orders.setblocking(False)
    return WorkerProcess(started, popen, work, orders, stdout_read, stderr_read, folder)


def environment_of(number: int, count: int, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of worker `number` of `count`: of several, each sees one of the GPUs that there are, in turn."""
    own = dict(environment)
    gpus = _gpus(environment) if count > 1 else []
    if gpus:
        own["CUDA_VISIBLE_DEVICES"] = gpus[number % len(gpus)]
    return own


def _gpus(environment: Mapping[str, str]) -> list[str]:
    """What CUDA_VISIBLE_DEVICES lists, or the devices of this machine."""
    listed = environment.get("CUDA_VISIBLE_DEVICES")
    if listed is not None:
        return [name for each in listed.split(",") if (name := each.strip())]
    devices = [name for name in os.listdir("/dev") if name.startswith("nvidia") and name[6:7].isdecimal()]
    return [str(number) for number in range(len(devices))]


def _pipe() -> tuple[int, int]:
    """A pipe with room: native code may print a lot while it keeps Python, and thus its reader, from running."""
    read, write = os.pipe()
    os.set_blocking(read, False)
    if _SET_PIPE_SIZE is not None:
        with contextlib.suppress(OSError):  # the user's quota may be lower; then it is the usual 64 KiB
            fcntl.fcntl(write, _SET_PIPE_SIZE, _PIPE_BYTES)
    return read, write


def _interpreter(environment: Mapping[str, str]) -> str:
    """The model's own Python."""
    if chosen := environment.get("COG_OCI_PYTHON"):
        return chosen
    image = "/opt/venv/bin/python"
    return image if os.access(image, os.X_OK) else shutil.which("python") or sys.executable


def _sdk() -> str:
    """The folder that holds `cog`: in an image `sdk` beside the server's folder, else the one in this package."""
    package = os.path.dirname(os.path.realpath(cog_oci.__file__))
    holding = os.path.dirname(package)
    image = os.path.join(os.path.dirname(holding), "sdk")
    is_there = os.path.basename(holding) == "server" and os.path.isdir(os.path.join(image, "cog"))
    return image if is_there else os.path.join(package, "sdk")


def _describe(code: int) -> str:
    if code >= 0:
        return f"exit status {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"killed by {name}" + (", as the kernel does when memory runs out" if code == -signal.SIGKILL else "")
