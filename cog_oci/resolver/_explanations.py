"""What uv says when nothing fits, as errors: its own words, at the line of the file that they are about."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from cog_oci.errors import CogError, Problem, RequestError, SourceError
from cog_oci.indexes import without_logins
from cog_oci.requirement_lines import shown

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from cog_oci.requirement_lines import Line, RequirementLines

__all__ = ["NoWheelError", "ResolutionError", "explained"]


class ResolutionError(RequestError):
    """uv found no set of packages that fits; its explanation is the message."""


class NoWheelError(ResolutionError):
    """A package has no wheel for the target; `names` are those of which that is said."""

    def __init__(self, message: str, *, asked: str, hint: str | None = None, names: Iterable[str] = ()) -> None:
        self.names = frozenset(names)
        super().__init__(message, asked=asked, hint=hint)


def explained(
    stderr: str, source: Path, said: RequirementLines, name: str, read: Path, *, written: bool, before: str = ""
) -> CogError:
    """What uv explains, with the line of the requirements file that it is about where one can be told.

    `said` is what the `source` says, and `read` the file that uv has read in its place. With `written` the source is a
    file of the user's. `before` is the address of an index that only this program knows of: no advice is about that.
    """
    if before:
        stderr = re.sub(
            rf"^hint: [^\n]*{re.escape(before)}.*?(?=^hint: |\Z)", "", stderr, flags=re.MULTILINE | re.DOTALL
        )
    text = _plain(stderr)
    text = without_logins(text.replace(str(read), name or source.name).replace(str(source), name or source.name))
    text = text.replace(f"{source.absolute().parent}/", "")  # files that are included
    if _UNREACHED.search(text):
        return ResolutionError(text, asked="", hint="see that the index can be reached, and that its login is right")
    line, column, asked = _blamed(text, said)
    names = {canonicalize_name(found) for pair in _NO_WHEEL.findall(text) for found in pair if found}
    hint = "see that the names and versions are right"
    error: ResolutionError = ResolutionError(text, asked=asked, hint=hint)
    if names:
        hint = "choose a version that has a wheel for this Python and platform, or build one and publish it"
        error = NoWheelError(text, asked=asked, hint=hint, names=names)
    problem = None
    if written and read == source and (place := _PLACE.fullmatch(text)):
        problem = Problem(place[2], int(place[3]), int(place[4]), place[1])
    elif written and line is not None:
        problem = Problem(shown(line.file, name or source.name), line.number, column, text)
    if problem is not None:
        located = SourceError([problem], hint=hint)
        located.__cause__ = error
        return located
    return error


def _plain(stderr: str) -> str:
    """What uv says, as one line without its drawing and without what it only warns of."""
    text = re.sub(r"^warning: .*\n?", "", stderr.strip(), flags=re.MULTILINE)
    text = re.sub(r"^\s*[\u00d7\u2500-\u259f\u25b6]+\s*", "", text, flags=re.MULTILINE)
    text = re.sub(r"\s*\n\s*\^+\s*$", "", text)
    text = re.sub(r"\s*\n\s+", " ", text.strip()).removeprefix("error: ")
    return text.replace(" cause: Because", ": because").replace(" cause: ", ": ").replace(":: ", ": ")


_UNREACHED = re.compile(
    r"^(?:Request failed|Failed to (?:fetch|download)|error sending request)"
    r"|: (?:error sending request for url|HTTP status (?:client|server) error)"
)
_PLACE = re.compile(r"(.*): (\S+):([0-9]+):([0-9]+)")
_NO_WHEEL = re.compile(
    r"([A-Za-z0-9][A-Za-z0-9._-]*[A-Za-z0-9]|[A-Za-z0-9])(?:[=<>!~]\S*)? (?:has|have) no (?:usable )?wheels"
    r"|Wheels are required for `([^`]+)`"
)


def _blamed(text: str, said: RequirementLines) -> tuple[Line | None, int, str]:
    """The first requirement that the explanation names: its line, its column, and what stands there."""
    subjects = {canonicalize_name(subject) for subject in re.findall(r"[A-Za-z0-9][A-Za-z0-9._-]*[A-Za-z0-9]", text)}
    line = next((line for line in said.lines if line.name in subjects), None)
    if line is None:
        return None, 0, ""
    row = line.file.read_text(encoding="utf-8", errors="replace").splitlines()[line.number - 1]
    return line, len(row) - len(row.lstrip()) + 1, line.text
