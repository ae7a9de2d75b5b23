"""An image read whole: its layers from the bottom up, each once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from cog_oci.blobs import DamagedBlobError, open_plain
from cog_oci.contents._members import DamagedLayerError, read_layer
from cog_oci.contents._packages import find_packages, is_record
from cog_oci.contents._root import Root
from cog_oci.errors import CogError
from cog_oci.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from cog_oci.contents._members import LayerContents
    from cog_oci.contents._packages import Package
    from cog_oci.oci import DiffID, StoredImage, StoredLayer
    from cog_oci.progress import Progress
    from cog_oci.transports.sources import Source

__all__ = ["Contents", "read_contents"]

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Contents:
    """What is in each layer, bottom up, and what all of them make."""

    layers: tuple[LayerContents, ...]

    @cached_property
    def root(self) -> Root:
        """The files as a container sees them."""
        return Root(layer.members for layer in self.layers)

    @cached_property
    def packages(self) -> list[Package]:
        """The Python and Debian packages that are installed, by kind and name."""
        records = {}
        for number, layer in enumerate(self.layers):
            for path, data in layer.kept.items():
                seen = self.root.get(path)
                if seen is not None and seen.layer == number:
                    records[path] = data
        return find_packages(records, self.root)

    @cached_property
    def owners(self) -> dict[str, Package]:
        """The package of each file that has one; compiled Python belongs to whom its source belongs to."""
        owners: dict[str, Package] = {}
        for package in self.packages:
            for path in package.files:
                owners.setdefault(path, package)
        for path in self.root:
            folder, cache, name = path.rpartition("/__pycache__/")
            if cache and path not in owners and (owner := owners.get(f"{folder}/{name.partition('.')[0]}.py")):
                owners[path] = owner
        return owners


def read_contents(
    source: Source,
    image: StoredImage,
    progress: Progress = SILENT,
    known: MutableMapping[DiffID, LayerContents] | None = None,
) -> Contents:
    """Every layer of the image, read where it is; those that are `known` already are not, and those that are read are.

    Raises DamagedLayerError, or the CogError of a blob that is not what the image says.
    """
    known = {} if known is None else known
    for layer in image.layers:
        if layer.diff_id not in known:
            known[layer.diff_id] = _read(source, layer, progress)
    return Contents(tuple(known[layer.diff_id] for layer in image.layers))


def _read(source: Source, layer: StoredLayer, progress: Progress) -> LayerContents:
    with source.blob(layer.descriptor) as blob, progress.task(f"reading {layer.name}", layer.descriptor.size) as task:
        try:
            return read_layer(open_plain(blob, layer.descriptor.media_type), layer.name, is_record)
        except (DamagedBlobError, DamagedLayerError) as error:
            raise CogError(f"{source.name}: {error}", hint=error.hint) from None
        finally:
            while blob.read(_CHUNK):  # to its end, where its digest is checked: the first thing to know of damage
                pass
            task.advance(layer.descriptor.size)
