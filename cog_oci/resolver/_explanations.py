"""What uv says when nothing fits, as errors: its own words, at the line of the file that they are about."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from cog_oci.errors import CogError, Problem, RequestError, SourceError
from cog_oci.indexes import without_logins

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["NoWheelError", "ResolutionError", "explained"]


class ResolutionError(RequestError):
    """uv found no set of packages that fits; its explanation is the message."""


class NoWheelError(ResolutionError):
    """A package has no wheel for the target; `names` are those of which that is said."""

    def __init__(self, message: str, *, asked: str, hint: str | None = None, names: Iterable[str] = ()) -> None:
        self.names = frozenset(names)
        super().__init__(message, asked=asked, hint=hint)


def explained(stderr: str, source: Path, name: str, read: Path, *, written: bool) -> CogError:
    """What uv explains, with the line of the requirements file that it is about where one can be told.

    `read` is the file that uv has read in place of the `source`.
    """
    text = re.sub(r"^\s*[\u00d7\u2500-\u259f\u25b6]+\s*", "", stderr.strip(), flags=re.MULTILINE)
    text = re.sub(r"\s*\n\s+", " ", text).removeprefix("error: ")
    text = without_logins(text.replace(str(read), name or source.name).replace(str(source), name or source.name))
    text = text.replace(" cause: Because", ": because")
    line, column, asked = _blamed(text, source)
    names = {canonicalize_name(found) for pair in _NO_WHEEL.findall(text) for found in pair if found}
    hint = "see that the names and versions are right"
    error: ResolutionError = ResolutionError(text, asked=asked, hint=hint)
    if names:
        hint = "choose a version that has a wheel for this Python and platform, or build one and publish it"
        error = NoWheelError(text, asked=asked, hint=hint, names=names)
    if written and asked:
        located = SourceError([Problem(name or source.name, line, column, text)], hint=hint)
        located.__cause__ = error
        return located
    return error


_NO_WHEEL = re.compile(
    r"([A-Za-z0-9][A-Za-z0-9._-]*[A-Za-z0-9]|[A-Za-z0-9])(?:[=<>!~]\S*)? (?:has|have) no (?:usable )?wheels"
    r"|Wheels are required for `([^`]+)`"
)


def _blamed(text: str, source: Path) -> tuple[int, int, str]:
    """The first requirement that the explanation names: its line, its column, and all that stands there."""
    subjects = {canonicalize_name(subject) for subject in re.findall(r"[A-Za-z0-9][A-Za-z0-9._-]*[A-Za-z0-9]", text)}
    for number, line in enumerate(source.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        match = re.match(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)", line)
        if match and canonicalize_name(match[1]) in subjects:
            return number, match.start(1) + 1, line
    return 0, 0, ""
