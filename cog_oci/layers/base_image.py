"""An image below ours: its layers as they are, never made here, and the program that every image of ours starts with.

A base image may be anything that has a Python and a glibc. That `tini` is linked to nothing: it runs on all of them.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from cog_oci.errors import CogError
from cog_oci.layers import recipe
from cog_oci.oci import Descriptor, DiffID, LayerBlob

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager

    from cog_oci.layers._tar import Entry
    from cog_oci.lock import BaseImage, BaseLayer, Deb
    from cog_oci.store import Store

__all__ = ["INIT", "DebsOnImageLayer", "InitLayer", "KeptLayer", "kept_layers"]

_VERSION = 1
INIT = "/opt/cog/tini"
"""What containers on a base image start with: forwards signals, and reaps what the model leaves behind."""


@dataclass(frozen=True)
class KeptLayer:
    """A layer of a base image: `number` counts from 1, bottom up."""

    layer: BaseLayer
    number: int
    count: int

    @property
    def name(self) -> str:
        """`base image 1/5`."""
        return f"base image {self.number}/{self.count}"

    @property
    def why(self) -> str:
        """What it is, and when it changes."""
        return "a layer of the base image, as it is; changes when the base image does"

    @property
    def artifacts(self) -> tuple[BaseLayer, ...]:
        """The blob itself."""
        return (self.layer,)

    @cached_property
    def recipe(self) -> str:
        """By what it is."""
        return recipe("base image layer", _VERSION, diff_id=self.layer.diff_id)

    @property
    def blob(self) -> LayerBlob:
        """What it is in every image, whatever the compression of other layers."""
        descriptor = Descriptor(self.layer.media_type, self.layer.digest, self.layer.size)
        return LayerBlob(self.name, DiffID(self.layer.diff_id), descriptor, self.layer.tar)

    def open(self, store: Store) -> AbstractContextManager[Iterable[Entry]]:
        """Raises CogError: there is nothing to make it from."""
        raise CogError(
            f"the store at {store.root} does not have {self.name}, {self.layer.file}", hint="run `cog-oci fetch`"
        )


def kept_layers(image: BaseImage) -> list[KeptLayer]:
    """The layers of a base image, bottom up."""
    return [KeptLayer(layer, number, len(image.layers)) for number, layer in enumerate(image.layers, 1)]


@dataclass(frozen=True)
class InitLayer:
    """`tini` as Debian links it statically, out of its package, and its licence."""

    deb: Deb

    @property
    def name(self) -> str:
        """`init`."""
        return "init"

    @property
    def why(self) -> str:
        """What it is, and when it changes."""
        return "tini, which every container starts with; changes with cog-oci"

    @property
    def artifacts(self) -> tuple[Deb, ...]:
        """The package."""
        return (self.deb,)

    @cached_property
    def recipe(self) -> str:
        """By the package's hash."""
        return recipe("init", _VERSION, deb=self.deb.sha256)

    @contextmanager
    def open(self, store: Store) -> Iterator[Iterable[Entry]]:
        """Two files below /opt/cog. Raises DamagedDebError, and CogError for a package without that program."""
        from cog_oci.layers._unpack import unpack_all  # noqa: PLC0415 - a layer that is known opens nothing

        places = {"usr/bin/tini-static": INIT[1:], "usr/share/doc/tini/copyright": f"{INIT[1:]}.copyright"}
        with unpack_all((self.deb,), store) as unpacked:
            found = [replace(entry, path=places[entry.path]) for entry in unpacked[0].entries if entry.path in places]
            if len(found) != len(places):
                raise CogError(f"{self.deb.file} does not have {' and '.join(sorted(places))}")
            yield found


@dataclass(frozen=True)
class DebsOnImageLayer:
    """Debian packages that a base image does not have. The scripts of those `without` them, by name, do nothing."""

    image: BaseImage
    debs: tuple[Deb, ...]
    without: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """`system packages`."""
        return "system packages"

    @property
    def why(self) -> str:
        """What it is, and when it changes."""
        return "Debian packages that cog.yaml asks for; changes when they or the base image do"

    @property
    def artifacts(self) -> tuple[BaseLayer | Deb, ...]:
        """The packages, and the layers below: what configuring them changes lies there."""
        return (*self.image.layers, *self.debs)

    @cached_property
    def recipe(self) -> str:
        """By the packages' hashes, and what the image is."""
        return recipe(
            "debs on an image",
            _VERSION,
            below=[layer.diff_id for layer in self.image.layers],
            debs=sorted(deb.sha256 for deb in self.debs),
            without=sorted({deb.name for deb in self.debs} & set(self.without)),
        )

    @contextmanager
    def open(self, store: Store) -> Iterator[Iterable[Entry]]:
        """The packages' files, and what configuring them changes. Raises as DebLayer.open does."""
        from cog_oci.layers._configure_above import configured_above  # noqa: PLC0415 - see InitLayer.open

        with configured_above(self.image.layers, self.debs, store, self.without) as entries:
            yield entries
