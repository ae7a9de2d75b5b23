"""Which users and groups there are inside: all of them for root, an ordinary user's subordinate ids, else only root."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = ["Identities", "identities", "remove_folder", "wished"]

_PROGRAM = Path(__file__).with_name("_user_namespace.py")


@dataclass(frozen=True, slots=True)
class Identities:
    """How a user namespace is made: `several` says whether it has other ids than root's."""

    how: str
    uids: str
    gids: str
    several: bool

    @property
    def enter(self) -> tuple[str, ...]:
        """The words before a command line that is to run in there."""
        return (sys.executable, "-I", "-S", str(_PROGRAM), self.how, self.uids, self.gids)


@cache
def identities() -> Identities:
    """The most that this user can have here."""
    one = wished()
    if one and not subprocess.run([*one.enter, "true"], capture_output=True, check=False).returncode:
        return one
    return Identities("direct", f"0 {os.geteuid()} 1", f"0 {os.getegid()} 1", several=False)


def remove_folder(folder: Path) -> None:
    """Remove all of it: files of whoever there is inside, and folders that nobody may write to."""
    subprocess.run([*identities().enter, "rm", "-rf", str(folder)], capture_output=True, check=False)
    shutil.rmtree(folder, ignore_errors=True)


def wished() -> Identities | None:
    """Several, as far as this machine's files promise them; None where they do not."""
    if os.geteuid() == 0:
        uids, gids = (_own(Path(f"/proc/self/{kind}_map").read_text(encoding="ascii")) for kind in ("uid", "gid"))
        return Identities("direct", uids, gids, several=True) if uids != "0 0 1" else None
    if shutil.which("newuidmap") is None or shutil.which("newgidmap") is None:
        return None
    uids, gids = _subordinate("/etc/subuid", os.geteuid()), _subordinate("/etc/subgid", os.getegid())
    return Identities("newuidmap", uids, gids, several=True) if uids and gids else None


def _own(table: str) -> str:
    """The ids that this namespace has, each as itself; user_namespaces(7)."""
    rows = (line.split() for line in table.splitlines())
    return ",".join(f"{inside} {inside} {count}" for inside, _, count in rows)


def _subordinate(file: str, own: int) -> str:
    """Root is the user; the ids above are the subordinate ones, in the order of the file (subuid(5))."""
    try:
        names = {pwd.getpwuid(os.geteuid()).pw_name, str(os.geteuid())}
        lines = Path(file).read_text(encoding="utf-8").splitlines()
    except (KeyError, OSError):
        return ""
    rows, next_id = [f"0 {own} 1"], 1
    for line in lines:
        name, _, span = line.partition(":")
        start, _, count = span.partition(":")
        if name in names and start.isdecimal() and count.isdecimal():
            rows.append(f"{next_id} {start} {count}")
            next_id += int(count)
    return ",".join(rows) if next_id > 1 else ""
