"""How much the server's log says. Imports nothing: it is read before the worker is started, `logging` later."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["read_level"]

_INFO = 20
_LEVELS = {"trace": 10, "debug": 10, "info": _INFO, "warn": 30, "warning": 30, "error": 40, "off": 51}
"""As `logging` counts them; beyond `CRITICAL` nothing is said."""


def read_level(environment: Mapping[str, str]) -> int:
    """`logging`'s number of the level that COG_LOG_LEVEL asks for, or else RUST_LOG; info if neither does.

    Cog's users may have said it in either. RUST_LOG is a list of `level` and `target=level`; what it says of Cog counts
    more than what it says of everything.
    """
    chosen = _LEVELS.get(environment.get("COG_LOG_LEVEL", "").strip().lower())
    if chosen is not None:
        return chosen
    general = _INFO
    for directive in environment.get("RUST_LOG", "").lower().split(","):
        target, _, name = directive.strip().rpartition("=")
        if name not in _LEVELS:
            continue
        if target in {"cog", "coglet", "cog_oci"}:
            return _LEVELS[name]
        if not target:
            general = _LEVELS[name]
    return general
