"""The `Prefer` request header (RFC 7240), as far as predictions are concerned."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["NO_PREFERENCE", "Preference", "parse_prefer"]

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # noqa: S105 - RFC 9110's token, not a secret
_WORD = rf'(?:{_TOKEN}|"(?:[^"\\]|\\.)*")'
_PREFERENCE = re.compile(rf"({_TOKEN})(?:\s*=\s*({_WORD})?)?(?:\s*;[^,]*)?")


@dataclass(frozen=True, slots=True)
class Preference:
    """`respond-async`, and for how many seconds (`wait`) the client would rather have the result itself."""

    respond_async: bool = False
    wait: float | None = None


NO_PREFERENCE = Preference()


def parse_prefer(headers: Iterable[str]) -> Preference:
    """Names are case-insensitive, several may stand in one header or in several; of two the first counts (§2)."""
    found: dict[str, str] = {}
    for header in headers:
        for part in _PREFERENCE.finditer(header):
            found.setdefault(part[1].lower(), (part[2] or "").strip('"'))
    wait = found.get("wait", "")
    seconds = float(wait) if wait.isascii() and wait.isdecimal() and len(wait) < 10 else None
    return Preference("respond-async" in found, seconds)
