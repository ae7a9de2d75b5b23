"""What a change of a lock means, in words: packages, inputs, and the layers that it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cog_oci.cli._diff_words import lock_lines
from cog_oci.cli._words import human, plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cog_oci.lock import Lock
    from cog_oci.upkeep.layers import LayersMoved

__all__ = ["change_document", "change_lines"]


def change_document(before: Lock, after: Lock) -> dict[str, Any]:
    """The same as a value for JSON: what `cog-oci diff --json` says of two locks, and the layers."""
    from dataclasses import asdict

    from cog_oci.difference import compare_locks
    from cog_oci.upkeep.layers import moved_layers

    found = compare_locks(before, after)
    layers = {
        name: asdict(moved_layers(before.platforms.get(name), parts)) for name, parts in sorted(after.platforms.items())
    }
    return {"equal": found.equal, **asdict(found), "layers": layers}


def change_lines(before: Lock, after: Lock) -> Iterator[str]:
    """How `after` differs from `before`: what moved, and for each platform that did, which layers are to be made."""
    from cog_oci.difference import compare_locks
    from cog_oci.upkeep.layers import moved_layers

    yield from lock_lines(compare_locks(before, after), None)
    for name, parts in sorted(after.platforms.items()):
        moved = moved_layers(before.platforms.get(name), parts)
        if moved.new or moved.gone:
            yield ""
            yield f"layers of {name}: {plural(moved.kept, 'layer')} as before, {_cost(moved)}"
            yield from (f"  + {layer}" for layer in moved.new)
            yield from (f"  - {layer}" for layer in moved.gone if layer not in moved.new)


def _cost(moved: LayersMoved) -> str:
    if not moved.new:
        return "none to make"
    return f"{len(moved.new):,} to make, from {human(moved.material)}: about what a push sends"
