"""The worker as a process of the operating system: how it is started, and how it ends.

Imports little, so that the worker is on its way before the server has loaded the rest of itself.
"""

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
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cog_oci

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["WorkerProcess", "spawn"]

_PIPE_BYTES = 1 << 20
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
main(arguments[0], *map(int, arguments[1:4]), arguments[4])
"""


@dataclass(frozen=True, slots=True)
class WorkerProcess:
    """A worker that has been started; it leads a process group of its own."""

    started: float
    """Seconds since 1970."""
    popen: subprocess.Popen[bytes]
    connection: socket.socket
    stdout: int
    stderr: int
    folder: Path

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
        self.connection.close()
        os.close(self.stdout)
        os.close(self.stderr)
        shutil.rmtree(self.folder, ignore_errors=True)
        return _describe(code)


def spawn(reference: str, environment: Mapping[str, str]) -> WorkerProcess:
    """Start a worker for the model that `reference` names, in the current directory.

    Raises OSError when the interpreter cannot be started.
    """
    ours, theirs = socket.socketpair()
    stdout_read, stdout_write = _pipe()
    stderr_read, stderr_write = _pipe()
    folder = Path(tempfile.mkdtemp(prefix="cog-"))
    started = time.time()
    passed = (theirs.fileno(), stdout_read, stderr_read)
    try:
        popen = subprocess.Popen(
            [_interpreter(environment), "-c", _PROGRAM, str(_sdk()), reference, *map(str, passed), str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=stdout_write,
            stderr=stderr_write,
            pass_fds=passed,
            env={**environment, "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
        )
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    finally:
        theirs.close()
        os.close(stdout_write)
        os.close(stderr_write)
    ours.setblocking(False)
    return WorkerProcess(started, popen, ours, stdout_read, stderr_read, folder)


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


def _sdk() -> Path:
    """The folder that holds `cog`: in an image `sdk` beside the server's folder, else the one in this package."""
    package = Path(cog_oci.__file__).resolve().parent
    image = package.parents[1] / "sdk"
    return image if package.parent.name == "server" and (image / "cog").is_dir() else package / "sdk"


def _describe(code: int) -> str:
    if code >= 0:
        return f"exit status {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"killed by {name}" + (", as the kernel does when memory runs out" if code == -signal.SIGKILL else "")
