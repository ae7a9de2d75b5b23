"""Measuring whole commands, and showing what came out: one JSON line a figure."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

__all__ = ["Run", "command", "in_turns", "median", "say", "show", "skip", "tree", "written"]

_TICK = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")

S = TypeVar("S")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one run cost.

    `seconds` by the wall, `cpu_seconds` of all its processes, `peak_mb` the largest resident size of any one of them,
    `written_mb` what it gave the kernel to write to a disk (`write_bytes` of proc(5)), in 10^6 bytes.
    """

    seconds: float
    cpu_seconds: float
    peak_mb: float
    written_mb: float

    def __add__(self, later: Run) -> Run:
        """Two steps, one after the other."""
        return Run(
            seconds=self.seconds + later.seconds,
            cpu_seconds=self.cpu_seconds + later.cpu_seconds,
            peak_mb=max(self.peak_mb, later.peak_mb),
            written_mb=self.written_mb + later.written_mb,
        )


def command(
    *words: str,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    output: Path | None = None,
    servers: Sequence[int] = (),
) -> Run:
    """Run a command to its end, its standard output to a file or nowhere; exits, with its words, when it fails.

    What the processes `servers`, and those below them, do meanwhile is part of the cost.
    """
    # Whoever installs cog-oci has its bytecode: the first run makes what a checkout lacks.
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryFile() as errors, Path(output or os.devnull).open("wb") as sink:
        before = _usage(servers)
        start = time.perf_counter()
        process = subprocess.Popen(words, cwd=cwd, env={**inherited, **(env or {})}, stdout=sink, stderr=errors)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        seconds = time.perf_counter() - start
        out = written(process.pid)  # of a process that has ended and was not waited for yet
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            sys.exit(f"{' '.join(words)}: {errors.read().decode(errors='replace')[-4000:]}")
    after = _usage(servers)
    return Run(
        seconds=seconds,
        cpu_seconds=used.ru_utime + used.ru_stime + after.cpu_seconds - before.cpu_seconds,
        peak_mb=used.ru_maxrss * 1024 / 1e6,
        written_mb=out / 1e6 + after.written_mb - before.written_mb,
    )


def show(
    figure: str, runs: Sequence[Run], *, peer: Sequence[Run] = (), floor: Sequence[Run] = (), **more: object
) -> None:
    """Print the figure: medians, and the worst memory.

    `ratio` is how many times our seconds the peer's are: more is better. `times_floor` is how many times the floor's
    seconds ours are: no less than 1 can be expected.
    """
    middle = median(runs)
    line: dict[str, object] = {"figure": figure, **_fields(middle), "peak_mb": round(max(r.peak_mb for r in runs), 1)}
    if peer:
        theirs = median(peer)
        line |= {f"peer_{name}": value for name, value in _fields(theirs).items() if name != "peak_mb"}
        line["ratio"] = round(theirs.seconds / middle.seconds, 2)
    if floor:
        least = median(floor).seconds
        line |= {"floor_seconds": round(least, 3), "times_floor": round(middle.seconds / least, 3)}
    print(json.dumps({**line, "runs": len(runs), **more}), flush=True)


def skip(figure: str, why: str) -> None:
    """Print that a figure is not taken, and what it lacks."""
    print(json.dumps({"figure": figure, "skipped": why}), flush=True)


def say(text: str) -> None:
    """A line for whoever waits, on standard error."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


def in_turns(sides: Sequence[S], runs: int, take: Callable[[S], T]) -> list[list[T]]:
    """`runs` of each side, so that all meet the same machine; who was last in one turn is first in the next."""
    taken: list[list[T]] = [[] for _ in sides]
    for number in range(runs):
        for index in range(len(sides))[:: 1 if number % 2 == 0 else -1]:
            taken[index].append(take(sides[index]))
    return taken


def median(runs: Sequence[Run]) -> Run:
    """The median of each field by itself."""
    names = ("seconds", "cpu_seconds", "peak_mb", "written_mb")
    return replace(runs[0], **{name: statistics.median(getattr(run, name) for run in runs) for name in names})


def _fields(run: Run) -> dict[str, float]:
    return {
        "seconds": round(run.seconds, 3),
        "cpu_seconds": round(run.cpu_seconds, 3),
        "peak_mb": round(run.peak_mb, 1),
        "written_mb": round(run.written_mb, 1),
    }


def _usage(pids: Sequence[int]) -> Run:
    """What these processes and all below them have cost so far, children that have ended included."""
    cpu = out = 0.0
    for pid in pids:
        for one in tree(pid):
            try:
                # After the name, which may hold anything: utime, stime, cutime and cstime are fields 14 to 17.
                fields = (_PROC / str(one) / "stat").read_text().rpartition(")")[2].split()
                cpu += sum(map(int, fields[11:15])) / _TICK
                out += written(one) / 1e6
            except (FileNotFoundError, ProcessLookupError):
                continue  # it has ended since; its parent has its sums
    return Run(seconds=0, cpu_seconds=cpu, peak_mb=0, written_mb=out)


def tree(pid: int) -> Iterator[int]:
    """A process and all below it."""
    yield pid
    for task in (_PROC / str(pid) / "task").glob("*/children"):
        for child in task.read_text().split():
            yield from tree(int(child))


def written(pid: int | str) -> int:
    """What a process, by its id or `self`, gave the kernel to write so far, in bytes; its ended children included."""
    counters = dict(line.split(": ") for line in (_PROC / str(pid) / "io").read_text().splitlines())
    return int(counters["write_bytes"])
