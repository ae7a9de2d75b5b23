"""examples/filetype: the commands that a user types, from nothing known to everything known."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import measure
from subject import example

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["figures"]


def figures(folder: Path, runs: int) -> None:
    """Lock → archive."""
    subject = example("filetype", folder)

    def images(prepare: Callable[[], None] | None = None) -> list[measure.Run]:
        taken = []
        for _ in range(runs):
            if prepare:
                prepare()
            taken.append(subject.image())
        return taken

    measure.show("lock, cold", [subject("lock")])
    measure.show("lock, again", [subject("lock")])
    shutil.rmtree(subject.cache)
    measure.show("cold store to archive", [subject.image()])
    measure.show("warm store, no layers, to archive", images(subject.forget_layers))
    measure.show("nothing changed to archive", images(), archive_mb=round(subject.archive.stat().st_size / 1e6, 1))
    measure.show("one line of code changed to archive", images(subject.add_a_line))
    measure.show("cog-oci --version", [subject("--version") for _ in range(runs)])
