"""An image's root, and programs started in it.

Each layer is unpacked once, under its diff ID; a run stacks them with an overlay whose upper side is in memory, so a
second start unpacks nothing and nothing that runs can change the store. The network is the host's, or none.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cog_oci.errors import CogError
from cog_oci.sandbox._enter import ENTER
from cog_oci.sandbox._users import users
from cog_oci.store import HALF_MADE, in_use

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cog_oci.oci import Image, LayerBlob
    from cog_oci.sandbox._users import Users
    from cog_oci.store import Store

__all__ = ["Keeping", "Sandbox", "SandboxUnavailableError", "unavailable"]


_HERE = Path(__file__).parent
_START_SECONDS = 3.0
"""After so many, a program that does not listen to signals is taken for one that never will."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """What becomes of the changes that a command makes in the root: kept, where nothing else keeps any.

    `folder` is an empty one in the store, where they are written; a file system that cannot be an overlay's upper side
    is passed over for memory. `enter` are the words that make the user namespace, before the rest of the command line.
    When the command has ended well, `after`, a Python program, is run in the same namespaces on the host's root with
    the folder of the changes (overlayfs, with its marks), that of the root as it was, a file that lists what was
    mounted (as `_places` has it), and `result`. Beside `result`, an empty file `.entered` says that the command was
    started. `hostname` is what the machine calls itself there.
    """

    folder: Path
    enter: tuple[str, ...]
    after: Path
    result: Path
    hostname: str


class SandboxUnavailableError(CogError):
    """This machine cannot make the namespaces."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"the sandbox cannot start: {reason}",
            hint="it needs Linux, util-linux's unshare, and user namespaces (sysctl user.max_user_namespaces above 0)",
        )


class Sandbox:
    """Starts programs in the root of one image."""

    def __init__(self, image: Image, store: Store) -> None:
        self._image = image
        self._store = store

    @contextmanager
    def start(  # noqa: PLR0913 - what may be said of a process
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        stdin: int = subprocess.DEVNULL,
        stdout: int | None = None,
        mounts: Mapping[str, Path] | None = None,
        foreground: bool = False,
        network: bool = True,
        working_dir: str | None = None,
        files: Mapping[str, tuple[int, bytes]] | None = None,
        keeping: Keeping | None = None,
    ) -> Iterator[subprocess.Popen[bytes]]:
        """The command under way, with the image's environment and working folder; ended when the context is.

        `stdin` and `stdout` are as subprocess.Popen takes them; `mounts` are folders of this machine by their place in
        the root, where they can be written to; in the `foreground` the command has our terminal. With `network` it has
        the host's, without it a loopback of its own and nothing else. `files` are in the root for this command only, by
        their place: mode and content. They come through standard input, so the command has none then, nor when what
        it changes is kept (`keeping`); its errors then go where its output goes. Raises SandboxUnavailableError when
        namespaces cannot be made here.
        """
        if reason := unavailable():
            raise SandboxUnavailableError(reason)
        who = "" if keeping or _is_root(self._image.config.user) else self._image.config.user
        home = {} if who else {"HOME": "/root"}
        environment = {**self._image.config.env, **home, **(env or {})}
        asked = {"env": environment, "files": _encoded(files or {})} if files or keeping else None
        inside = _utf8(shlex.join(f"{name}={value}" for name, value in environment.items())) if not keeping else ""
        folder = working_dir or self._image.config.working_dir
        with tempfile.TemporaryDirectory(prefix="cog-oci-root-") as scratch, ExitStack() as held:
            lower = [held.enter_context(self._unpacked(layer)) for layer in self._image.layers]
            enter = ("/bin/sh", "-c", ENTER, "sandbox", scratch, ":".join(reversed(lower)), _utf8(folder))
            several = None if keeping else held.enter_context(users(Path(scratch)))
            process = subprocess.Popen(
                [*self._namespaces(network, keeping, several), *enter, *map(_utf8, command)],
                # Relative names keep the overlay's options under the page that the kernel reads of them.
                cwd=self._folder,
                # What the command is told is not among these words: they stay in the list of processes.
                env={
                    **self._variables(network, mounts or {}, keeping, asked=asked is not None),
                    "INSIDE": inside,
                    "WHO": who,
                    "WAIT": "yes" if several else "",
                },
                stdin=subprocess.PIPE if asked else stdin,
                stdout=stdout,
                stderr=subprocess.STDOUT if keeping else None,
                # Ctrl-C is for us: we end the sandbox in order. Only who has the terminal hears of it.
                start_new_session=not foreground,
            )
            try:
                if several:
                    several.give(process)
                if asked and process.stdin:
                    with suppress(BrokenPipeError), process.stdin as pipe:  # it may have ended, as its status says
                        pipe.write(json.dumps(asked).encode())
                yield process
            finally:
                if keeping:
                    _kill(process)
                else:
                    _end(process)

    def _namespaces(self, network: bool, keeping: Keeping | None, several: Users | None) -> list[str]:
        hostname = keeping.hostname if keeping else ""
        settle = (sys.executable, "-I", "-S", str(_HERE / "_settle.py"), hostname, "host" if network else "none")
        return [
            *((*keeping.enter, "unshare") if keeping else ("unshare", "--user")),
            *(("--keep-caps",) if several else () if keeping else ("--map-root-user",)),
            *("--mount", "--pid", "--ipc", "--uts", *(() if network else ("--net",))),
            *("--fork", "--kill-child=SIGKILL", "--", *(settle if keeping or not network else ())),
        ]

    def _variables(
        self, network: bool, mounts: Mapping[str, Path], keeping: Keeping | None, *, asked: bool
    ) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/usr/bin:/sbin:/bin",
            "PYTHON": sys.executable,
            "PLACES": str(_HERE / "_places.py"),
            "PIVOT": str(_HERE / "_pivot.py"),
            "BECOME": str(_HERE / "_become.py"),
            "NETWORK": "host" if network else "none",
            "NAMED": keeping.hostname if keeping else "",
            # Bytes of this machine, as `_places` reads them.
            "MOUNTS": json.dumps(
                [
                    (os.fsencode(folder.absolute()).decode("utf-8", "surrogateescape"), place)
                    for place, folder in mounts.items()
                ]
            ),
            "ASKED": "yes" if asked else "",
            "KEEP": os.path.relpath(keeping.folder, self._folder) if keeping else "",
            "AFTER": str(keeping.after) if keeping else "",
            "RESULT": str(keeping.result) if keeping else "",
        }

    @property
    def _folder(self) -> Path:
        return self._store.root / "unpacked"

    @contextmanager
    def _unpacked(self, layer: LayerBlob) -> Iterator[str]:
        """The layer as a folder, by its name; nobody clears it away while the context is open."""
        final = self._store.unpacked(layer.diff_id)
        while True:
            if not final.is_dir():
                self._make(layer, final)
            with in_use(final) as is_there:
                if not is_there:
                    continue
                with suppress(OSError):  # somebody else's store can be read, too
                    os.utime(final)  # when it was last used
                yield final.name
                return

    def _make(self, layer: LayerBlob, final: Path) -> None:
        """Unpack it beside its place and rename it into it, so that it is whole."""
        self._folder.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(dir=self._folder, prefix=HALF_MADE))
        partial.chmod(0o755)
        try:
            with in_use(partial):
                _unpack(self._store.path(layer.descriptor.digest), layer.descriptor.media_type, partial)
                partial.rename(final)
        except OSError:
            if not final.is_dir():  # another process was first
                raise
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def unavailable() -> str | None:
    """Why nothing can be run here in a sandbox; None when it can."""
    if shutil.which("unshare") is None:
        return "there is no `unshare` on PATH"
    probe = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "true"], capture_output=True, text=True, check=False
    )
    return (probe.stderr.strip() or f"unshare ended with {probe.returncode}") if probe.returncode else None


def _unpack(blob: Path, media_type: str, folder: Path) -> None:
    from cog_oci.blobs import open_plain  # noqa: PLC0415 - only the first start of an image unpacks
    from cog_oci.unpacked import unpack  # noqa: PLC0415 - likewise

    with blob.open("rb") as stored:
        unpack(open_plain(stored, media_type), folder)


def _end(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM to what runs inside, then, when it does not heed it, SIGKILL to the namespace."""
    # The first process of a namespace does not get what it has no handler for (pid_namespaces(7)): one that is only
    # starting is told when it has begun to listen.
    limit = time.monotonic() + _START_SECONDS
    while process.poll() is None:
        children = _children(process.pid)
        if any(map(_listens, children)) or time.monotonic() > limit:
            for child in children:
                with suppress(ProcessLookupError):
                    os.kill(child, signal.SIGTERM)
            break
        time.sleep(0.01)  # nothing announces a handler
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL to the namespace; it is gone, with all that ran in it, when this returns."""
    watched = []
    for child in _children(process.pid):
        with suppress(ProcessLookupError):
            watched.append(os.pidfd_open(child))
    process.kill()
    process.wait()
    for descriptor in watched:  # the first process of a namespace ends when all others of it have ended
        select.select([descriptor], [], [])
        os.close(descriptor)


def _is_root(user: str) -> bool:
    name, _, group = user.partition(":")
    return not name or (name in {"0", "root"} and group in {"", "0", "root"})


def _encoded(files: Mapping[str, tuple[int, bytes]]) -> dict[str, tuple[int, str]]:
    return {path: (mode, base64.b64encode(data).decode()) for path, (mode, data) in files.items()}


def _utf8(text: str) -> str:
    """What is passed on as the same bytes in every locale."""
    return os.fsdecode(text.encode("utf-8", "surrogateescape"))


def _children(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    except OSError:
        return []
    return [int(word) for word in text.split()]


def _listens(pid: int) -> bool:
    """Whether it handles SIGTERM, or has blocked it to wait for it, as tini has (proc_pid_status(5)).

    Who blocks the signals of its own mistakes as well is a C library at the instant of a fork: that passes.
    """
    try:
        rows = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return False
    masks = {row[:6]: int(row.split()[1], 16) for row in rows if row.startswith(("SigBlk:", "SigCgt:"))}

    def has(mask: str, number: signal.Signals) -> bool:
        return bool(masks.get(mask, 0) >> (number - 1) & 1)

    return has("SigCgt", signal.SIGTERM) or (has("SigBlk", signal.SIGTERM) and not has("SigBlk", signal.SIGSEGV))
