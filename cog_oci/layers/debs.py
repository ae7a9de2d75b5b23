"""Debian packages as a layer: their files, and what configuring them would have done, without running any of it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from cog_oci.layers import recipe
from cog_oci.layers._deb import read_package
from cog_oci.layers._effects import effects
from cog_oci.layers._scripts import UnknownScriptError, check
from cog_oci.layers._unpack import linked, merge, unpack_all

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cog_oci.layers._tar import Entry
    from cog_oci.layers._unpack import Owned
    from cog_oci.lock import Deb
    from cog_oci.store import Store

__all__ = ["DebLayer", "UnknownScriptError", "check_scripts"]

_VERSION = 1


@dataclass(frozen=True)
class DebLayer:
    """The packages of a suite that are a layer, on top of the packages `below` it."""

    suite: str
    debs: tuple[Deb, ...]
    below: tuple[Deb, ...] = ()

    @property
    def name(self) -> str:
        """`base trixie`, or `system packages` on top of it."""
        return "system packages" if self.below else f"base {self.suite}"

    @property
    def artifacts(self) -> tuple[Deb, ...]:
        """Every deb, those below included: what an effect depends on may lie in any of them."""
        return (*self.below, *self.debs)

    @cached_property
    def recipe(self) -> str:
        """By the debs' hashes; not by their order."""
        return recipe(
            "debs",
            _VERSION,
            debs=sorted(deb.sha256 for deb in self.debs),
            below=sorted(deb.sha256 for deb in self.below),
        )

    @contextmanager
    def open(self, store: Store) -> Iterator[Iterable[Entry]]:
        """The packages' files, and the effects that differ from those of the packages below.

        Raises DamagedDebError, FileConflictError and UnknownScriptError, each naming the package.
        """
        with unpack_all(self.artifacts, store) as unpacked:
            for one in unpacked:
                check(one.package)
            below, own = unpacked[: len(self.below)], unpacked[len(self.below) :]
            before = merge(below)
            after = merge(own, before)
            known = effects(before, below) if below else {}
            added = {path: entry for path, entry in effects(after, unpacked).items() if known.get(path) != entry}
            new = {path: owned.entry for path, owned in after.items() if before.get(path) is not owned}
            yield linked({**_directories(new | added, after, known), **new, **added}.values())


def check_scripts(debs: Iterable[Deb], store: Store) -> None:
    """Raise UnknownScriptError for the first package, by name, whose scripts do what is not computed here."""
    for deb in sorted(debs, key=lambda deb: deb.name):
        check(read_package(store.path(deb.digest), PurePosixPath(deb.file).name))


def _directories(new: Iterable[str], after: dict[str, Owned], known: dict[str, Entry]) -> dict[str, Entry]:
    """The directories above these paths that lie below this layer: without them here, their modes would be lost."""
    found: dict[str, Entry] = {}
    for path in new:
        for parent in PurePosixPath(path).parents:
            above = str(parent)
            if above in known:
                found[above] = known[above]
            elif above in after:
                found[above] = after[above].entry
    return found
