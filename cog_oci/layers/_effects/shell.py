"""Reading what a maintainer script says literally, without running it."""

from __future__ import annotations

import re

__all__ = ["heredoc", "logical_lines"]


def logical_lines(script: str) -> list[str]:
    """The lines that do something: continued ones joined, comments and empty lines dropped, blanks around removed.

    A backslash at the end of a comment continues nothing (POSIX.1 shell, 2.3, rule 9).
    """
    lines: list[str] = []
    continued = False
    for row in script.split("\n"):
        is_comment = row.lstrip().startswith("#")
        text = "" if is_comment else row.removesuffix("\\").strip()
        if continued:
            lines[-1] = f"{lines[-1]} {text}".rstrip()
        else:
            lines.append(text)
        continued = row.endswith("\\") and not is_comment
    return [line for line in lines if line]


def heredoc(script: str, target: str) -> bytes | None:
    """The text that `cat > target <<EOF` writes; None when the script writes no such file.

    Only for texts without variables: a `$` in one would have to be expanded.
    """
    found = re.search(
        rf"cat >\s*{re.escape(target)} << ?(-?)(['\"]?)(\w+)\2\n(.*?\n)[ \t]*\3$", script, re.DOTALL | re.MULTILINE
    )
    if found is None or "$" in found[4]:
        return None
    text = re.sub(r"^\t+", "", found[4], flags=re.MULTILINE) if found[1] else found[4]
    return text.encode("utf-8", "surrogateescape")
