"""What is asked of uv beside the requirements: what is to stay, and what it is given in their place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from cog_oci.resolver._explanations import ResolutionError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from packaging.pylock import PackageWheel

    from cog_oci.lock import Source, Wheel

__all__ = ["ALONE", "NOTHING", "Complete", "Given", "Keep"]


@dataclass(frozen=True, slots=True)
class Keep:
    """Wheels whose versions are taken again where they still fit, but for `upgraded`: `name`, or `name==version`."""

    wheels: Sequence[Wheel] = ()
    upgraded: Sequence[str] = ()


NOTHING = Keep()


class Complete(Protocol):
    """Finds out what an index does not say of a wheel."""

    def __call__(self, wheel: PackageWheel, *, linked: bool) -> tuple[str, int, Source | None]:
        """Its sha256, its size in bytes, and where it comes from if it is `linked` and on no index."""


def _refuse(wheel: PackageWheel, *, linked: bool) -> tuple[str, int, Source | None]:  # noqa: ARG001 - Complete's
    raise ResolutionError(f"the index does not give the size and the sha256 of {wheel.filename}", asked=wheel.filename)


@dataclass(frozen=True, slots=True)
class Given:
    """What uv is given in place of a requirements file that says more than uv may read, or than it understands.

    `wheels` are what packages are that come from no index; `links` are the places, as addresses, that are looked
    through besides the indexes; `before` the address of an index that is asked first.
    """

    file: Path | None = None
    arguments: tuple[str, ...] = ()
    wheels: Mapping[str, Wheel] = field(default_factory=dict)
    links: frozenset[str] = frozenset()
    before: str = ""
    complete: Complete = _refuse


ALONE = Given()
