"""Debian packages as a layer: their files, and what configuring them would have done, without running any of it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from cog_oci.layers import recipe

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cog_oci.layers._tar import Entry
    from cog_oci.lock import Deb
    from cog_oci.store import Store

__all__ = ["DebLayer", "check_scripts"]

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
        from cog_oci.layers._configure import configured  # noqa: PLC0415 - a layer that is known opens nothing

        with configured(self.debs, self.below, store) as entries:
            yield entries


def check_scripts(debs: Iterable[Deb], store: Store) -> None:
    """Raise UnknownScriptError for the first package, by name, whose scripts do what is not computed here."""
    from cog_oci.layers._deb import read_package  # noqa: PLC0415 - only a lock asks
    from cog_oci.layers._scripts import check  # noqa: PLC0415 - likewise

    for deb in sorted(debs, key=lambda deb: deb.name):
        check(read_package(store.path(deb.digest), PurePosixPath(deb.file).name))
