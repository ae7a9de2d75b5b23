"""GLib's key files (GKeyFile): groups of keys with values, as in desktop entries and overrides of settings."""

from __future__ import annotations

import re

__all__ = ["KeyFileError", "read_key_file", "unescaped"]

_SPACE = " \t\n\f\r"
_GROUP = re.compile(r"\[([^\[\]\x00-\x1f\x7f]+)\][ \t]*")
_PAIR = re.compile(r"([^=\[\]]*[^=\[\] \t\n\f\r](?:\[[^=\]]*\])?)[ \t\n\f\r]*=[ \t\n\f\r]*(.*)", re.DOTALL)
_ESCAPES = {"s": " ", "n": "\n", "t": "\t", "r": "\r", "\\": "\\"}


class KeyFileError(ValueError):
    """A line that is neither a comment nor a group nor a key with its value: GLib then takes nothing from the file."""


def read_key_file(data: bytes) -> dict[str, dict[str, str]]:
    """Values by group and key, a translated key with its `[locale]`; of equal keys the last. Raises KeyFileError."""
    groups: dict[str, dict[str, str]] = {}
    group: dict[str, str] | None = None
    for row in data.decode("utf-8", "surrogateescape").split("\n"):
        line = row.removesuffix("\r").lstrip(_SPACE)
        if not line or line.startswith("#"):
            continue
        if found := _GROUP.fullmatch(line):
            group = groups.setdefault(found[1], {})
        elif (pair := _PAIR.fullmatch(line)) and group is not None:
            group[pair[1]] = pair[2]
        else:
            raise KeyFileError(line)
    return groups


def unescaped(value: str) -> str | None:
    """A value as a string; None when it has an escape that is not one, or is not UTF-8."""
    try:
        value.encode()
        return re.sub(r"\\(.?)", lambda found: _ESCAPES[found[1]], value)
    except (UnicodeEncodeError, KeyError):
        return None
