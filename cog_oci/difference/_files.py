"""The files of two images, as a container of each sees them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from cog_oci.contents import Contents, Member

__all__ = ["FileChange", "FilesDifference", "compare_files"]

What = Literal["type", "content", "target", "mode", "owner", "attributes"]


@dataclass(frozen=True, slots=True)
class FileChange:
    """A path that differs, and in what: nothing when it came or went. `package` is whose it is, or empty."""

    path: str
    before: Member | None
    after: Member | None
    what: tuple[What, ...]
    package: str

    @property
    def size(self) -> int:
        """How many bytes of content more."""
        return (self.after.size if self.after else 0) - (self.before.size if self.before else 0)


@dataclass(frozen=True, slots=True)
class FilesDifference:
    """The paths that differ, sorted; and how many differ in nothing but their time stamp."""

    changes: tuple[FileChange, ...]
    touched: int


def compare_files(before: Contents, after: Contents) -> FilesDifference:
    """How the files of `after` differ from those of `before`."""
    changes = []
    touched = 0
    for path in sorted({*before.root, *after.root}):
        old, new = (_member(contents, path) for contents in (before, after))
        what: tuple[What, ...] = ()
        if old is not None and new is not None:
            what = _what(old, new)
            if not what:
                touched += old.mtime != new.mtime
                continue
        owner = after.owners.get(path) or before.owners.get(path)
        changes.append(FileChange(path, old, new, what, owner.name if owner else ""))
    return FilesDifference(tuple(changes), touched)


def _member(contents: Contents, path: str) -> Member | None:
    seen = contents.root.get(path)
    return seen.member if seen else None


def _what(before: Member, after: Member) -> tuple[What, ...]:
    found: list[What] = []
    if before.kind != after.kind:
        found.append("type")
    elif (before.sha256, before.size) != (after.sha256, after.size):
        found.append("content")
    elif before.target != after.target:
        found.append("target")
    # Whether a symbolic link has a mode depends on who wrote the layer; Linux gives it none.
    if before.mode != after.mode and "symlink" not in {before.kind, after.kind}:
        found.append("mode")
    if (before.uid, before.gid) != (after.uid, after.gid):
        found.append("owner")
    if before.attributes != after.attributes:
        found.append("attributes")
    return tuple(found)
