"""`scripts/bench build`: what a build costs, by itself, against BuildKit, and against the floor of one wheel."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import commands
import engine
import floor
import measure
import versus
from subject import example
from wheelhouse import large_wheel

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from subject import Subject

__all__ = ["PARTS", "bench"]

PARTS = ("commands", "ocr", "bytecode", "wheel", "large")


def bench(folder: Path, parts: Sequence[str], runs: int) -> None:
    """Take the figures of these parts, everything below `folder`."""
    if "commands" in parts:
        commands.figures(folder, runs)
    subject = example("ocr", folder)
    for part in ("ocr", "bytecode"):
        if part in parts:
            subject.lock(bytecode=part == "bytecode")
            _against(subject, folder / f"engine-{part}", runs)
    if "wheel" in parts:
        found = large_wheel(folder)
        floor.figures(found.path, found.subject.store, runs)
    if "large" in parts:
        _against(large_wheel(folder).subject, folder / "engine-large", runs)


def _against(subject: Subject, folder: Path, runs: int) -> None:
    if why := engine.lacking():
        versus.alone(subject, runs, why)
        return
    folder.mkdir()
    with ExitStack() as stack:
        try:
            daemon = stack.enter_context(engine.started(folder))
        except TimeoutError as error:
            versus.alone(subject, runs, str(error))
            return
        measure.say(f"{subject.name}: against {daemon('version', '--format', 'dockerd {{.Server.Version}}')}")
        versus.figures(subject, daemon, runs)
