"""Making a fix: edits of bytes, written so that no file is ever half of what it was and half of what it will be."""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cog_oci.errors import CogError

if TYPE_CHECKING:
    from pathlib import Path

    from cog_oci.doctor._finding import Change, Fix

__all__ = ["Repaired", "apply"]


@dataclass(frozen=True, slots=True)
class Repaired:
    """A fix that was made, and the name of the check that asked for it."""

    check: str
    fix: Fix


def apply(fix: Fix, folder: Path) -> None:
    """Make the changes of a fix in a project's folder.

    Files keep their mode. What gets a new name is there under both until everything else is written, so that the
    project works at any time. Raises CogError, with nothing changed, when a file is no longer what it was when the fix
    was worked out, or when there is something of a new name already.
    """
    for change in fix.changes:
        if (folder / change.file).read_bytes() != change.source:
            raise CogError(f"{change.file} was changed meanwhile", hint="run `cog-oci doctor --fix` again")
    renamed = [change for change in fix.changes if change.renamed is not None]
    with ExitStack() as undo:
        for change in renamed:
            undo.callback(_create(change, folder).unlink)
        for change in fix.changes:
            if change.renamed is None:
                _replace(change, folder)
        undo.pop_all()
    for change in renamed:
        (folder / change.file).unlink()


def _create(change: Change, folder: Path) -> Path:
    path = folder / (change.renamed or change.file)
    try:
        with path.open("xb") as file:
            file.write(change.result)
    except FileExistsError:
        raise CogError(f"{path.name} already exists", hint="nothing was changed") from None
    path.chmod((folder / change.file).stat().st_mode & 0o7777)
    return path


def _replace(change: Change, folder: Path) -> None:
    path = folder / change.file
    unfinished = path.with_name(f".cog-oci-{os.getpid()}-{path.name}")
    try:
        unfinished.write_bytes(change.result)
        unfinished.chmod(path.stat().st_mode & 0o7777)
        unfinished.replace(path)
    finally:
        with suppress(FileNotFoundError):
            unfinished.unlink()
