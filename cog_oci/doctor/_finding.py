"""What the doctor finds: what is wrong, where, what to do about it, and the edits that would do it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from cog_oci.errors import Problem

__all__ = ["Change", "Edit", "Finding", "Fix"]


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """Bytes `start` to `end` of a file give way to `text`."""

    start: int
    end: int
    text: bytes


@dataclass(frozen=True, slots=True)
class Change:
    """Edits of one file of the project, which do not overlap, and its new name if it gets one.

    Names are relative to the project's folder. `source` is what the file held when the edits were worked out.
    """

    file: str
    source: bytes
    edits: tuple[Edit, ...]
    renamed: str | None = None

    @property
    def result(self) -> bytes:
        """The file with the edits made."""
        pieces: list[bytes] = []
        done = 0
        for edit in sorted(self.edits):
            pieces += (self.source[done : edit.start], edit.text)
            done = edit.end
        return b"".join([*pieces, self.source[done:]])


@dataclass(frozen=True, slots=True)
class Fix:
    """Changes that belong together: all of them are made, or none."""

    description: str
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong (`error`), or will be (`warning`), or may be wanted and cannot be told (`note`).

    `place` is where in the project, for what is in it; `fix` is there when the doctor can repair it; `check` is the
    name of the check, which the table of checks fills in.
    """

    level: Literal["error", "warning", "note"]
    message: str
    remedy: str
    place: Problem | None = None
    fix: Fix | None = None
    check: str = ""
