"""What a server occupies: counted before and after, to see what it does not give back."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from tests.server.live import Server


@dataclass(frozen=True, slots=True)
class Census:
    """`processes` and `descriptors`, sockets and all, of the server and of what it has started; `files` below its
    temporary folder; `megabytes` that are its processes' alone (10^6)."""

    processes: int
    descriptors: int
    sockets: int
    files: int
    megabytes: float

    def exceeds(self, before: Census, *, megabytes: float, kept: int) -> str:
        """What has grown; nothing is allowed to, but memory by so much, and sockets by connections that are kept."""
        allowed = {"processes": 0, "descriptors": kept, "sockets": kept, "files": 0, "megabytes": megabytes}
        return "; ".join(
            f"{name}: {getattr(before, name)} → {getattr(self, name)}"
            for name, more in allowed.items()
            if getattr(self, name) > getattr(before, name) + more
        )


def census(server: Server) -> Census:
    """Of this moment."""
    pids = family(server.popen.pid)
    links = [link for pid in pids for link in _descriptors(pid)]
    return Census(
        processes=len(pids),
        descriptors=len(links),
        sockets=sum(link.startswith("socket:") for link in links),
        files=sum(1 for _ in server.temporary.rglob("*")),
        megabytes=sum(map(_megabytes, pids)),
    )


def settled(server: Server, before: Census, *, megabytes: float, kept: int = 0, seconds: float = 10) -> Census:
    """The first census that does not exceed `before`; AssertionError when none does."""
    end = time.monotonic() + seconds
    while (grown := (now := census(server)).exceeds(before, megabytes=megabytes, kept=kept)) and time.monotonic() < end:
        time.sleep(0.05)
    assert not grown, grown
    return now


def family(pid: int) -> list[int]:
    """A process and all below it that have not ended.

    By the parent that each process names: /proc/PID/task/TID/children leaves out some while others end (proc(5)), and
    the threads that it is asked for may have ended in the meantime.
    """
    states: dict[int, str] = {}
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
        except (FileNotFoundError, ProcessLookupError):
            continue
        states[int(entry.name)] = state
        children.setdefault(int(parent), []).append(int(entry.name))

    def below(each: int) -> list[int]:
        found = [] if states.get(each, "Z") in "ZX" else [each]
        return found + [one for child in sorted(children.get(each, [])) for one in below(child)]

    return below(pid)


def left_behind(folder: Path) -> list[int]:
    """Processes that work in `folder`, whoever started them."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "cwd").readlink() == folder:
                found.append(int(entry.name))
        except OSError:
            continue  # it has ended, or is not ours
    return found


def _descriptors(pid: int) -> list[str]:
    links = []
    try:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            try:
                links.append(str(entry.readlink()))
            except FileNotFoundError:
                continue
    except (FileNotFoundError, ProcessLookupError):
        pass
    return links


def _megabytes(pid: int) -> float:
    try:
        rolled = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    own = [line.split()[1] for line in rolled.splitlines() if line.startswith(("Private_Clean", "Private_Dirty"))]
    return sum(map(int, own)) * 1024 / 1e6
