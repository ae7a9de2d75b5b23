"""What may move when a lock is made again; all else stays as long as it fits."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cog_oci.errors import CogError, RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cog_oci.lock import PlatformLock

__all__ = ["KEEP", "Upgrade"]


@dataclass(frozen=True, slots=True)
class Upgrade:
    """`everything`, or packages by name: the version that is wanted, None for the newest that fits.

    A name is that of a wheel or of a Debian package, as the lock has it.
    """

    everything: bool = False
    packages: Mapping[str, str | None] = field(default_factory=dict)

    @classmethod
    def parse(cls, texts: Iterable[str], *, everything: bool = False) -> Upgrade:
        """From `NAME` and `NAME==VERSION`; a CogError for what is neither."""
        packages: dict[str, str | None] = {}
        for text in texts:
            name, equals, version = (part.strip() for part in text.partition("=="))
            if not name or bool(equals) != bool(version) or re.search(r"[\s<>=!~]", name + version):
                raise CogError(f"{text!r} is not a package to upgrade", hint="write NAME or NAME==VERSION")
            packages[name] = version or None
        return cls(everything, packages)

    def wheels(self, parts: PlatformLock) -> list[str]:
        """What uv is asked to upgrade: `name` or `name==version`."""
        locked = {wheel.name for wheel in parts.wheels}
        wanted = {_normalized(name): version for name, version in self.packages.items()}
        return [f"{name}=={wanted[name]}" if wanted[name] else name for name in sorted(locked & wanted.keys())]

    def debs(self, parts: PlatformLock) -> dict[str, str | None]:
        """Which Debian packages are to move, and where to."""
        locked = {deb.name for deb in parts.debs}
        return {name: self.packages[name] for name in sorted(locked & self.packages.keys())}

    def check(self, platforms: Iterable[PlatformLock]) -> None:
        """Raise RequestError for a name that no platform has."""
        known = {one.name for parts in platforms for one in (*parts.wheels, *parts.debs)}
        for name in self.packages:
            if name not in known and _normalized(name) not in known:
                near = difflib.get_close_matches(_normalized(name), sorted(known), n=3)
                hint = f"did you mean {' or '.join(near)}?" if near else "`cog-oci tree` shows what is"
                raise RequestError(f"the lock has no package {name}", asked=name, hint=hint)


KEEP = Upgrade()


def _normalized(name: str) -> str:
    """The name of a Python package as indexes have it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
