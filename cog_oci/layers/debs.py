"""Debian packages as a layer: their files, and what configuring them would have done, without running any of it."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from cog_oci.layers import recipe

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from cog_oci.layers._tar import Entry
    from cog_oci.layers._unpack import Unpacking
    from cog_oci.lock import Deb
    from cog_oci.store import Store

__all__ = ["DebLayer", "LargeDebLayer", "check_scripts", "deb_layers"]

_VERSION = 7
_ALONE = 32 << 20  # a deb of this many bytes has a layer to itself: unpacked, it is some hundred megabytes
_MOST_ALONE = 6


class _Together:
    """The unpacking that several layers share, begun by the first that opens: one that is known opens nothing."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._unpacking: Unpacking | None = None

    def open(self) -> Unpacking:
        from cog_oci.layers._unpack import Unpacking  # noqa: PLC0415 - it needs every decompressor

        with self._lock:
            self._unpacking = self._unpacking or Unpacking()
            return self._unpacking


@dataclass(frozen=True)
class LargeDebLayer:
    """The files of one large package; what configuring it does is in the layer above."""

    deb: Deb
    without: tuple[str, ...] = ()
    together: _Together = field(default_factory=_Together, compare=False, repr=False)

    @property
    def name(self) -> str:
        """`system libcudnn9`."""
        return f"system {self.deb.name}"

    @property
    def why(self) -> str:
        """What it is, and when it changes."""
        return "one large Debian package; changes when it does"

    @property
    def artifacts(self) -> tuple[Deb, ...]:
        """The deb."""
        return (self.deb,)

    @cached_property
    def recipe(self) -> str:
        """By the deb's hash."""
        return recipe("large deb", _VERSION, deb=self.deb.sha256)

    @contextmanager
    def open(self, store: Store) -> Iterator[Iterable[Entry]]:
        """The package's files. Raises DamagedDebError and UnknownScriptError."""
        from cog_oci.layers._configure import unconfigured  # noqa: PLC0415 - a layer that is known opens nothing

        with unconfigured(self.deb, store, self.together.open(), self.without) as entries:
            yield entries


@dataclass(frozen=True)
class DebLayer:
    """The packages of a suite that are a layer, on top of the packages `below` it; `apart` are LargeDebLayers.

    The scripts of packages `without` them, by name, do nothing.
    """

    suite: str
    debs: tuple[Deb, ...]
    below: tuple[Deb, ...] = ()
    apart: tuple[Deb, ...] = ()
    without: tuple[str, ...] = ()
    together: _Together = field(default_factory=_Together, compare=False, repr=False)

    @property
    def name(self) -> str:
        """`base trixie`, or `system packages` on top of it."""
        return "system packages" if self.below else f"base {self.suite}"

    @property
    def why(self) -> str:
        """What it is, and when it changes."""
        if self.below:
            return "Debian packages that cog.yaml asks for; changes when they do"
        return "Debian and its Python; changes when the base's pins are renewed"

    @property
    def artifacts(self) -> tuple[Deb, ...]:
        """Every deb, those below included: what an effect depends on may lie in any of them."""
        return (*self.below, *self.apart, *self.debs)

    @cached_property
    def recipe(self) -> str:
        """By the debs' hashes, not by their order; and by the names of those whose scripts do nothing."""
        parts = {"debs": self.debs, "below": self.below, "apart": self.apart}
        hashes = {key: sorted(deb.sha256 for deb in debs) for key, debs in parts.items()}
        left_out = sorted({deb.name for deb in self.artifacts} & set(self.without))
        return recipe("debs", _VERSION, **hashes, **({"without": left_out} if left_out else {}))

    @contextmanager
    def open(self, store: Store) -> Iterator[Iterable[Entry]]:
        """The packages' files, and the effects that differ from those of the packages below.

        Raises DamagedDebError, FileConflictError and UnknownScriptError, each naming the package.
        """
        from cog_oci.layers._configure import configured  # noqa: PLC0415 - a layer that is known opens nothing

        with configured(self.debs, self.below, self.apart, store, self.together.open(), self.without) as entries:
            yield entries


def deb_layers(suite: str, debs: Iterable[Deb], without: tuple[str, ...] = ()) -> list[LargeDebLayer | DebLayer]:
    """The layers of these packages, bottom up: the base, each large system package, the other system packages.

    `without` are the names of packages whose scripts do nothing.
    """
    base = tuple(deb for deb in debs if deb.layer == "base")
    system = tuple(deb for deb in debs if deb.layer == "system")
    large = sorted((deb for deb in system if deb.size >= _ALONE), key=lambda deb: (-deb.size, deb.name))[:_MOST_ALONE]
    apart = tuple(sorted(large, key=lambda deb: deb.name))
    rest = tuple(deb for deb in system if deb not in apart)
    together = _Together()
    layers: list[LargeDebLayer | DebLayer] = [DebLayer(suite, base, without=without, together=together)] if base else []
    layers += [LargeDebLayer(deb, without, together) for deb in apart]
    return [*layers, DebLayer(suite, rest, base, apart, without, together)] if system else layers


def check_scripts(debs: Iterable[Deb], store: Store, without: Collection[str] = ()) -> None:
    """Raise UnknownScriptError for the first package, by name, whose scripts do what is not computed here.

    Those that cog.yaml asks for come before what they need. Packages `without` scripts are not looked at.
    """
    from cog_oci.layers._deb import read_package  # noqa: PLC0415 - only a lock asks
    from cog_oci.layers._scripts import check  # noqa: PLC0415 - likewise

    looked_at = (deb for deb in debs if deb.name not in without)
    for deb in sorted(looked_at, key=lambda deb: ("cog.yaml" not in deb.needed_by, deb.name)):
        check(read_package(store.path(deb.digest), PurePosixPath(deb.file).name))
