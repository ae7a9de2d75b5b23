"""Maintainer scripts, judged: those whose effect on a fresh system is computed or nothing, and all others.

A script is known when everything that it may reach on a fresh system is a command whose effect is computed, or when
its package is in a table, where a person has read it, with what it does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cog_oci.layers._effects.scripts import SCRIPTS, look_at
from cog_oci.layers._effects.unknown import UnknownScriptError

if TYPE_CHECKING:
    from cog_oci.layers._deb import Package

__all__ = ["UnknownScriptError", "check"]


def check(package: Package) -> None:
    """Raise UnknownScriptError when the package's preinst or postinst is not known.

    Its `config` script only asks questions, whose defaults count; `triggers` are the business of interested packages.
    """
    for name in SCRIPTS:
        if package.script(name):
            look_at(package, name)
