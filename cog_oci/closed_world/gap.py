"""Something that a file of an image needs and does not find."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Gap"]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Gap:
    """A library that files want and do not find, or `versions` of it that it does not have.

    `wanted_by` and `at` are absolute paths; `at` is where the library is, and without `versions` the linker does not
    look there; empty where it is nowhere. `plugin` is true when only what is loaded on demand wants it.
    """

    plugin: bool
    library: str
    wanted_by: tuple[str, ...]
    versions: tuple[str, ...] = ()
    at: str = ""

    def __str__(self) -> str:
        others = len(self.wanted_by) - 1
        wanting = f"{self.wanted_by[0]}{f' and {others} more need' if others else ' needs'}"
        if self.versions:
            return f"{wanting} {', '.join(self.versions)} of {self.library}, which {self.at} does not have"
        if self.at:
            return f"{wanting} {self.library}, and the dynamic linker does not look where it is: {self.at}"
        return f"{wanting} {self.library}, and nothing in the image brings it"
