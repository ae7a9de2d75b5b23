"""The layers of two images, by what they are and not by the envelope that they travel in."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cog_oci.oci import StoredImage, StoredLayer

__all__ = ["LayerChange", "LayersDifference", "compare_image_layers"]

State = Literal["same", "envelope", "moved", "changed", "added", "removed"]


@dataclass(frozen=True, slots=True)
class LayerChange:
    """A layer and what became of it; sizes are of its blob, in bytes, and None where it is not.

    `envelope` is the same tar in another blob, `moved` the same tar at another place among the layers.
    """

    state: State
    name: str
    before: int | None
    after: int | None


@dataclass(frozen=True, slots=True)
class LayersDifference:
    """Every layer, bottom up. `to_move` is bytes to send to where the image before is, so that the one after is too."""

    layers: tuple[LayerChange, ...]
    to_move: int
    whole: int


def compare_image_layers(before: StoredImage, after: StoredImage) -> LayersDifference:
    """How the layers of `after` differ from those of `before`."""
    there = {layer.descriptor.digest for layer in before.layers}
    blobs = {layer.descriptor.digest: layer.descriptor.size for layer in after.layers}
    new = sum(size for digest, size in blobs.items() if digest not in there)
    return LayersDifference(
        layers=tuple(_changes(before.layers, after.layers)),
        to_move=new + _documents(after, but=before),
        whole=sum(blobs.values()) + _documents(after),
    )


def _documents(image: StoredImage, but: StoredImage | None = None) -> int:
    known = () if but is None else (but.config, but.manifest)
    return sum(len(document) for document in (image.config, image.manifest) if document not in known)


def _changes(before: tuple[StoredLayer, ...], after: tuple[StoredLayer, ...]) -> Iterator[LayerChange]:
    """Every layer of `after` from the bottom up, then those of `before` that are gone."""
    kept, new = _kept(before, after), {layer.diff_id for layer in after}
    old = [layer for number, layer in enumerate(before) if number not in kept.values()]
    for number, layer in enumerate(after):
        if number in kept:
            known = before[kept[number]]
            yield _pair("same" if known.descriptor.digest == layer.descriptor.digest else "envelope", known, layer)
        elif moved := _taken(old, [one.diff_id == layer.diff_id for one in old]):
            yield _pair("moved", moved[0], layer)
        elif changed := _taken(old, [one.name == layer.name and one.diff_id not in new for one in old]):
            yield _pair("changed", changed[0], layer)
        else:
            yield _pair("added", None, layer)
    for layer in old:
        yield _pair("removed", layer, None)


def _kept(before: tuple[StoredLayer, ...], after: tuple[StoredLayer, ...]) -> dict[int, int]:
    """Which layers of `after` are which of `before`, in the same order: as many as can be."""
    old, new = ([layer.diff_id for layer in layers] for layers in (before, after))
    blocks = SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()
    return {block.b + step: block.a + step for block in blocks for step in range(block.size)}


def _taken(layers: list[StoredLayer], fits: list[bool]) -> list[StoredLayer]:
    """The first layer that fits, if any, which is no longer among them then."""
    return [layers.pop(fits.index(True))] if True in fits else []


def _pair(state: State, before: StoredLayer | None, after: StoredLayer | None) -> LayerChange:
    layer = after or before
    assert layer is not None, "there is one on some side"
    sizes = (one.descriptor.size if one else None for one in (before, after))
    return LayerChange(state, layer.name, *sizes)
