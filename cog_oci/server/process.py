"""The worker as a process of the operating system: how it is started, and how it ends.

Imports little, so that the worker is on its way before the server has loaded the rest of itself: subprocess, tempfile,
shutil, pathlib, contextlib and typing would be most of what there is to import.
"""

# ruff: noqa: PTH100, PTH102, PTH106, PTH112, PTH118, PTH119, PTH120, PTH208, SIM105

from __future__ import annotations

import fcntl
import os
import select
import signal
import socket
import sys
import time

import cog_oci

TYPE_CHECKING = False
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


class WorkerProcess:
    """A worker that has been started; it leads a process group of its own.

    `started` is in seconds since 1970. `work` is for predictions, and for everything that the worker says; `orders` for
    cancellations and health checks, which must not wait behind a prediction. `stdout` and `stderr` are file
    descriptors, what it prints is read from them; files for it may be put into `folder`.
    """

    def __init__(
        self, pid: int, work: socket.socket, orders: socket.socket, stdout: int, stderr: int, folder: str
    ) -> None:
        self.started = time.time()
        self.pid = pid
        self.work, self.orders = work, orders
        self.stdout, self.stderr = stdout, stderr
        self.folder = folder
        self._status: int | None = None

    def poll(self) -> int | None:
        """Its exit status, or the number of the signal that ended it, negative; None while it runs."""
        return self._wait(os.WNOHANG)

    def wait(self, seconds: float) -> None:
        """Until it has ended, if that takes no longer."""
        if self.poll() is not None:
            return
        try:
            pidfd = os.pidfd_open(self.pid)
        except (AttributeError, OSError):  # an old kernel, or none of Linux
            end = time.monotonic() + seconds
            while self.poll() is None and time.monotonic() < end:
                time.sleep(0.01)
            return
        select.select([pidfd], [], [], seconds)
        os.close(pidfd)

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to the worker and to everything that it has started."""
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            pass

    def last_words(self) -> bytes:
        """What has been printed and not been read, by a worker that did not live to do it."""
        words = b""
        for fd in (self.stdout, self.stderr):
            try:
                while data := os.read(fd, 1 << 16):
                    words += data
            except BlockingIOError:
                pass
        return words

    def end(self) -> str:
        """Make sure that nothing of the worker remains, no process and no file, and say how it ended. Once only."""
        self.kill()
        code = self._wait(0)
        self.work.close()
        self.orders.close()
        os.close(self.stdout)
        os.close(self.stderr)
        _remove(self.folder)
        return _describe(code or 0)

    def _wait(self, options: int) -> int | None:
        if self._status is None:
            try:
                pid, status = os.waitpid(self.pid, options)
            except ChildProcessError:  # somebody else has waited for it
                pid, status = self.pid, 0
            if pid:
                self._status = os.waitstatus_to_exitcode(status)
        return self._status


def spawn(reference: str, environment: Mapping[str, str], *, train: bool = False) -> WorkerProcess:
    """Start a worker for the model that `reference` names, or for its training, in the current directory.

    Raises OSError when the interpreter cannot be started.
    """
    work, their_work = socket.socketpair()
    orders, their_orders = socket.socketpair()
    stdout_read, stdout_write = _pipe()
    stderr_read, stderr_write = _pipe()
    folder = _folder()
    mode = "train" if train else "predict"
    passed = (their_work.fileno(), their_orders.fileno(), stdout_read, stderr_read)
    python = _interpreter(environment)
    _keep_to_ourselves()
    try:
        pid = os.posix_spawnp(
            python,
            [python, "-c", _PROGRAM, _sdk(), reference, mode, *map(str, passed), folder],
            {name: value for name, value in environment.items() if name not in _OURS} | {"PYTHONUNBUFFERED": "1"},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, stdout_write, 1),
                (os.POSIX_SPAWN_DUP2, stderr_write, 2),
                *((os.POSIX_SPAWN_DUP2, fd, fd) for fd in passed),  # which makes them ones that are inherited
            ],
            setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],  # Python ignores them; other programs expect them
            setsid=True,
        )
    except OSError:
        _remove(folder)
        raise
    finally:
        their_work.close()
        their_orders.close()
        os.close(stdout_write)
        os.close(stderr_write)
    work.setblocking(False)
    orders.setblocking(False)
    return WorkerProcess(pid, work, orders, stdout_read, stderr_read, folder)


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
        try:
            fcntl.fcntl(write, _SET_PIPE_SIZE, _PIPE_BYTES)
        except OSError:  # the user's quota may be lower; then it is the usual 64 KiB
            pass
    return read, write


def _keep_to_ourselves() -> None:
    """What was open when we were started, a lock or a pipe of whoever did it, is not for the worker."""
    try:
        names = os.listdir("/proc/self/fd")
    except OSError:  # elsewhere than on Linux
        return
    for fd in map(int, names):
        if fd > 2:  # those below are replaced
            try:
                os.set_inheritable(fd, False)
            except OSError:  # it was that of the listing itself
                pass


def _folder() -> str:
    """A new one for temporary files, for nobody else; its path is absolute, as the model may go elsewhere."""
    path = os.path.abspath(os.path.join(os.environ.get("TMPDIR") or "/tmp", f"cog-{os.urandom(8).hex()}"))  # noqa: S108 - its name is new
    try:
        os.mkdir(path, 0o700)
    except OSError:
        import tempfile  # noqa: PLC0415 - takes long to import, and knows where else there may be room

        return tempfile.mkdtemp(prefix="cog-")
    return path


def _remove(folder: str) -> None:
    try:
        os.rmdir(folder)
    except OSError:  # there is something in it
        import shutil  # noqa: PLC0415 - takes long to import

        shutil.rmtree(folder, ignore_errors=True)


def _interpreter(environment: Mapping[str, str]) -> str:
    """The model's own Python."""
    if chosen := environment.get("COG_OCI_PYTHON"):
        return chosen
    image = "/opt/venv/bin/python"
    if os.access(image, os.X_OK):
        return image
    import shutil  # noqa: PLC0415 - takes long to import, and no image gets here

    return shutil.which("python") or sys.executable


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
