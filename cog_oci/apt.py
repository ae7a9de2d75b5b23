"""Debian archives of others by name: what cog.yaml says of them, and where each is on this machine.

A lock says `archive: company`; cog.yaml says where that is, and `COG_APT_COMPANY` where it is on a machine that reaches
it by another way, such as a mirror. A login comes from netrc: never from cog.yaml.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cog_oci.errors import CogError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DEBIAN", "AptArchive", "Archives", "fingerprint_of"]

DEBIAN = ("debian", "debian-security")
"""The names of Debian's own archives, which mirrors and snapshot.debian.org have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AptArchive:
    """One suite of an archive, as `build.apt` has it (sources.list(5)).

    A `suite` that ends in a slash is a folder with everything in it (a flat repository) and has no components. `key` is
    a file of the project or an address; `fingerprint` that of the key which counts, in small letters. Debian's own has
    neither of these nor a `url`: the tool knows. `priority` is apt's pin priority (apt_preferences(5)), None for what
    the archive says of itself.
    """

    name: str
    url: str = ""
    suite: str
    components: tuple[str, ...] = ()
    key: str = ""
    fingerprint: str | None = None
    priority: int | None = None

    @property
    def key_file(self) -> str | None:
        """The key's path in the project; None where it has an address, or ships with the tool."""
        return None if "://" in self.key or not self.key else self.key

    def lock_input(self) -> dict[str, object]:
        """What decides a lock. Where it is does not: a mirror serves the same."""
        return {
            "name": self.name,
            "suite": self.suite,
            "components": self.components,
            "key": self.key_file,
            "fingerprint": self.fingerprint,
            "priority": self.priority,
        }


@dataclass(frozen=True, slots=True)
class Archives:
    """Where the archives are that have names: `configured` as cog.yaml has them."""

    configured: Mapping[str, str] = field(default_factory=dict)

    def address(self, name: str, otherwise: str = "") -> str:
        """The base address, without a slash at its end, `otherwise` where nobody says it; a CogError for neither."""
        if found := os.environ.get(variable := "COG_APT_" + name.upper().replace("-", "_")):
            return found.rstrip("/")
        if found := self.configured.get(name) or otherwise:
            return found.rstrip("/")
        raise CogError(
            f"the lock has packages from the archive {name!r}, which is not known on this machine",
            hint=f"add it to build.apt in cog.yaml, or set {variable} to its address",
        )


def fingerprint_of(text: str) -> str | None:
    """A fingerprint as people write them, with blanks and in any case → 40 or 64 small digits, else None."""
    bare = re.sub(r"[\s:]", "", text).lower().removeprefix("0x")
    return bare if re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", bare) else None
