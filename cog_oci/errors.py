"""What can go wrong, as values: an error carries its facts and builds its sentence in one place."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CogError", "Problem", "RequestError", "SourceError"]


class CogError(Exception):
    """Anything the user can do something about. `hint` says what.

    Subclasses keep their facts as attributes, so that no caller ever matches a message.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class RequestError(CogError):
    """Something that was asked for and cannot be had: `asked`, as it was written or by its name; empty if unknown."""

    def __init__(self, message: str, *, asked: str, hint: str | None = None) -> None:
        self.asked = asked
        super().__init__(message, hint=hint)


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing wrong in a file that the user wrote. Lines and columns count from 1, as editors do."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.message}"


class SourceError(CogError):
    """Everything wrong in the user's files, found in one go, in the order of the files."""

    def __init__(self, problems: list[Problem], *, hint: str | None = None) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(map(str, self.problems)), hint=hint)
