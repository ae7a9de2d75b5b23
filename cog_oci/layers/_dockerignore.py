"""`.dockerignore` as Docker reads it: order, `!`, `**`, directories (Docker's build documentation, "dockerignore")."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass

__all__ = ["Ignore"]


@dataclass(frozen=True, slots=True)
class _Pattern:
    matches: re.Pattern[str]
    negated: bool


class Ignore:
    """Which paths a `.dockerignore` leaves out. Paths are relative, with `/`, without a leading `./`."""

    def __init__(self, text: str) -> None:
        self._patterns = [pattern for line in text.removeprefix("\ufeff").splitlines() if (pattern := _parse(line))]

    @property
    def has_exceptions(self) -> bool:
        """Whether something below an ignored folder may still be wanted, so that it must be walked."""
        return any(pattern.negated for pattern in self._patterns)

    def excludes(self, path: str) -> bool:
        """The last pattern that matches the path or a folder above it decides."""
        parts = path.split("/")
        prefixes = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
        excluded = False
        for pattern in self._patterns:
            if any(pattern.matches.fullmatch(prefix) for prefix in prefixes):
                excluded = not pattern.negated
        return excluded


def _parse(line: str) -> _Pattern | None:
    if line.startswith("#"):
        return None
    line = line.strip()
    negated = line.startswith("!")
    line = line.removeprefix("!").strip()
    if not line:
        return None
    clean = posixpath.normpath(line).lstrip("/")
    return None if clean in {"", "."} else _Pattern(re.compile(_translate(clean), re.DOTALL), negated)


def _translate(pattern: str) -> str:
    """Go's filepath.Match, with `**` for any number of folders."""
    out, at = [], 0
    while at < len(pattern):
        char = pattern[at]
        if pattern.startswith("**", at):
            at += 2
            if pattern.startswith("/", at):
                at += 1
                out.append("(?:.*/)?")
            else:
                out.append(".*")
            continue
        if char == "*":
            out.append("[^/]*")
        elif char == "?":
            out.append("[^/]")
        elif char == "[" and (end := pattern.find("]", at + 2)) > 0:
            body = pattern[at + 1 : end]
            body = "^" + body[1:] if body[0] in "^!" else body
            out.append(f"[{body}]")
            at = end
        elif char == "\\" and at + 1 < len(pattern):
            at += 1
            out.append(re.escape(pattern[at]))
        else:
            out.append(re.escape(char))
        at += 1
    return "".join(out)
