"""`scripts/bench lock`: resolving torch, transformers and diffusers, beside what uv alone needs for it."""

from __future__ import annotations

import shutil
import statistics
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import measure

from cog_oci.origins import uv

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["bench"]

_REQUIREMENTS = "torch\ntransformers\ndiffusers\n"
_COG_YAML = """\
build:
  python_version: "3.13"
  python_requirements: requirements.txt
"""
_CHECKS = 9  # of a command that takes a tenth of a second


def bench(folder: Path, runs: int) -> None:
    """Both states of the caches. Nothing is downloaded but what resolving needs."""
    sides = [_Side(folder / "uv", ours=False), _Side(folder / "cog-oci", ours=True)]
    for side in sides:
        side.begin()
    for state, cold in (("cold", True), ("warm", False)):
        measure.say(f"lock: {state} caches")
        theirs, ours = measure.in_turns(sides, runs, lambda side, cold=cold: side.run(cold=cold))
        times = statistics.median(run.seconds for run in ours) / statistics.median(run.seconds for run in theirs)
        figure = f"lock torch transformers diffusers, {state} caches"
        measure.show(figure, ours, peer=theirs, times_uv=round(times, 2), target=1.5)
    measure.show("lock --check", [sides[1].check() for _ in range(_CHECKS)], target_seconds=0.3)


@dataclass(frozen=True)
class _Side:
    """One of the two programs, with a project and caches of its own: neither finds what the other has fetched."""

    folder: Path
    ours: bool

    def begin(self) -> None:
        """The project."""
        self.folder.mkdir()
        (self.folder / "cog.yaml").write_text(_COG_YAML)
        (self.folder / "requirements.txt").write_text(_REQUIREMENTS)

    def run(self, *, cold: bool) -> measure.Run:
        """A first lock; `cold` with nothing in any cache, otherwise with what the run before has left there."""
        for made in ("cog.lock", "requirements.lock"):
            (self.folder / made).unlink(missing_ok=True)
        if cold:
            for cache in ("store", "uv"):
                shutil.rmtree(self.folder / cache, ignore_errors=True)
        if self.ours:
            return self._measured("cog-oci", "lock", "--no-bytecode")
        return self._measured(
            *(uv(), "pip", "compile", "requirements.txt", "--output-file", "requirements.lock", "--quiet"),
            *("--python", sys.executable),  # it would look for a 3.13 elsewhere first
            *("--python-version", "3.13", "--python-platform", "x86_64-manylinux_2_40", "--only-binary", ":all:"),
        )

    def check(self) -> measure.Run:
        """Whether the lock fits, which it does."""
        return self._measured("cog-oci", "lock", "--check")

    def _measured(self, *words: str) -> measure.Run:
        env = {"COG_CACHE_DIR": str(self.folder / "store"), "UV_CACHE_DIR": str(self.folder / "uv")}
        return measure.command(*words, cwd=self.folder, env=env)
