"""The ids of a user namespace, given to it from outside while its first process waits: no program is started for that.

It begins without any (`unshare --user --keep-caps`), says by one pipe that it is there, and waits at another. Who may
have several ids there, as root or by /etc/subuid, gets them; else its root is the user, and there is nobody else.
"""

from __future__ import annotations

import os
import select
import subprocess
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cog_oci.sandbox._identities import wished

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cog_oci.sandbox._identities import Identities

__all__ = ["Users", "users"]


class Users:
    """Who there is going to be in the namespace of a process; the pipes of `folder` are how it hears of it."""

    def __init__(self, folder: Path, wanted: Identities, stack: ExitStack) -> None:
        self._wanted = wanted
        for name in ("entered", "mapped"):
            os.mkfifo(folder / name, 0o600)
        self._entered = os.open(folder / "entered", os.O_RDONLY | os.O_NONBLOCK)
        stack.callback(os.close, self._entered)
        self._mapped = os.open(folder / "mapped", os.O_RDWR)  # so that it can be written to before anybody reads
        stack.callback(os.close, self._mapped)

    def give(self, process: subprocess.Popen[bytes]) -> None:
        """Returns at once when the process has ended instead of waiting for them."""
        ended = os.pidfd_open(process.pid)
        try:
            there, _, _ = select.select([self._entered, ended], [], [])
        finally:
            os.close(ended)
        if self._entered in there:
            self._map(process.pid)
            os.write(self._mapped, b"\n")

    def _map(self, process: int) -> None:
        rows = {"uid": self._wanted.uids, "gid": self._wanted.gids}
        try:
            for kind, table in rows.items():
                if self._wanted.how == "newuidmap":
                    words = table.replace(",", " ").split()
                    subprocess.run([f"new{kind}map", str(process), *words], capture_output=True, check=True)
                else:
                    _write(process, f"{kind}_map", table.replace(",", "\n") + "\n")
        except (OSError, subprocess.CalledProcessError):
            # As `unshare --map-root-user` does it; a map that is written is written for good.
            if not _table(process, "uid"):
                _write(process, "uid_map", f"0 {os.geteuid()} 1\n")
            if not _table(process, "gid"):
                _write(process, "setgroups", "deny")
                _write(process, "gid_map", f"0 {os.getegid()} 1\n")


@contextmanager
def users(folder: Path) -> Iterator[Users | None]:
    """Those that this user may have; None where that is root alone."""
    wanted = wished()
    with ExitStack() as stack:
        yield Users(folder, wanted, stack) if wanted else None


def _table(process: int, kind: str) -> str:
    return Path(f"/proc/{process}/{kind}_map").read_text(encoding="ascii")


def _write(process: int, name: str, text: str) -> None:
    Path(f"/proc/{process}/{name}").write_text(text, encoding="ascii")
