"""Which layers of an image another lock changes, before any is made."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cog_oci.plan import artifact_layers

if TYPE_CHECKING:
    from cog_oci.layers import Layer
    from cog_oci.lock import PlatformLock

__all__ = ["LayersMoved", "moved_layers"]


@dataclass(frozen=True, slots=True)
class LayersMoved:
    """The layers of artifacts, by name, bottom up: those to make anew, those that go, and how many stay as they are.

    `material` is what the new ones are made from, in bytes: about what a push of the image will send, compressed layers
    of wheels and debs being about as large as these are.
    """

    new: tuple[str, ...]
    gone: tuple[str, ...]
    kept: int
    material: int


def moved_layers(before: PlatformLock | None, after: PlatformLock) -> LayersMoved:
    """What becomes of the layers when `after` takes the place of `before`, which may be nothing."""
    old = artifact_layers(before) if before else []
    new = artifact_layers(after)
    had, has = {layer.recipe for layer in old}, {layer.recipe for layer in new}
    made = [layer for layer in new if layer.recipe not in had]
    return LayersMoved(
        new=_named(made),
        gone=_named([layer for layer in old if layer.recipe not in has]),
        kept=len(new) - len(made),
        material=_material(new, had),
    )


def _material(layers: list[Layer], kept: set[str]) -> int:
    """Bytes of what the layers that are not kept are made from, each file in the lowest layer that has it."""
    seen: set[str] = set()
    total = 0
    for layer in layers:
        here = {one.sha256: one.size for one in layer.artifacts if one.sha256 not in seen}
        seen.update(here)
        total += 0 if layer.recipe in kept else sum(here.values())
    return total


def _named(layers: list[Layer]) -> tuple[str, ...]:
    """Names, each once, with a count where several are called so."""
    counts = Counter(layer.name for layer in layers)
    return tuple(f"{name} (x{count})" if count > 1 else name for name, count in counts.items())
