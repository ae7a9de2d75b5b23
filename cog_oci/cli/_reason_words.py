"""Packages of a lock by name, for the commands that explain them."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from cog_oci.errors import RequestError

if TYPE_CHECKING:
    from cog_oci.reasons import Locked, Reasons

__all__ = ["found", "name_of"]

_KINDS = {
    "python": "a Python package",
    "debian": "a Debian package",
    "server": "a Python package of the server",
    "interpreter": "the interpreter",
    "builder": "a Python package that others are built with, and in no image",
}


def found(reasons: Reasons, name: str) -> list[Locked]:
    """The packages of this name, or a RequestError with those that are near."""
    if packages := reasons.find(name):
        return packages
    near = difflib.get_close_matches(name.lower(), reasons.names(), n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else "nothing asks for it; `cog-oci tree` shows what is there"
    raise RequestError(f"the lock has no package {name}", asked=name, hint=hint)


def name_of(package: Locked) -> str:
    """`torch 2.5.1 (a Python package)`."""
    return f"{package} ({_KINDS[package.kind]})"
