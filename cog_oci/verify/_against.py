"""Two images that exist, held against each other; nothing is built."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from cog_oci.compare import compare_configs, compare_layers
from cog_oci.verify._report import Report, Verdict, first
from cog_oci.verify._stored import Damage, locate, opened_plain, plain_diff_id, spooled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cog_oci.oci import StoredImage, StoredLayer
    from cog_oci.transports.sources import Source

__all__ = ["compare_images"]


def compare_images(expected: StoredImage, expected_at: Source, actual: StoredImage, actual_at: Source) -> Report:
    """What differs in the second image from the first: each layer, whatever its envelope, and the configuration.

    Layers are put beside each other by what they are, then by their names.
    """
    partners = _partners(expected.layers, actual.layers)
    verdicts = [
        _missing(layer)
        if (other := partners.get(id(layer))) is None
        else _compared(layer, expected_at, other, actual_at)
        for layer in expected.layers
    ]
    known = {id(other) for other in partners.values()}
    verdicts += (
        Verdict(layer.name, layer.diff_id, "differs", ("the layer is not expected",))
        for layer in actual.layers
        if id(layer) not in known
    )
    problems = compare_configs(expected.config_json, actual.config_json)
    return Report(actual_at.name, actual.platform, actual.descriptor.digest, tuple(verdicts), first(problems))


def _partners(expected: Sequence[StoredLayer], actual: Sequence[StoredLayer]) -> dict[int, StoredLayer]:
    """For each layer of the one side, by its `id`, the one of the other side that it is compared with."""
    left = list(actual)
    partners: dict[int, StoredLayer] = {}
    for attribute in ("diff_id", "name"):
        for layer in expected:
            other = next((one for one in left if getattr(one, attribute) == getattr(layer, attribute)), None)
            if id(layer) not in partners and other is not None:
                partners[id(layer)] = other
                left.remove(other)
    return partners


def _missing(layer: StoredLayer) -> Verdict:
    return Verdict(layer.name, layer.diff_id, "differs", ("the layer is missing",))


def _compared(expected: StoredLayer, expected_at: Source, actual: StoredLayer, actual_at: Source) -> Verdict:
    damaged = partial(Verdict, actual.name, actual.diff_id, "damaged")
    sides = ((expected, expected_at), (actual, actual_at))
    found = [plain_diff_id(source, layer) for layer, source in sides]
    for (layer, source), held, (other, there), beside in zip(sides, found, sides[::-1], found[::-1], strict=True):
        if isinstance(held, Damage):
            # The same blob, whole, in the other place shows where this one is damaged.
            is_same = other.descriptor.digest == layer.descriptor.digest and not isinstance(beside, Damage)
            where = locate(source, layer, partial(spooled, there, other) if is_same else None)
            return damaged((f"in {source.name}: {held.reason}", *where))
        if held != layer.diff_id:
            names = f"the configuration names diff ID {layer.diff_id}, and the layer is {held}"
            return damaged((f"in {source.name}: {names}",))
    if found[0] == found[1]:
        return Verdict(actual.name, actual.diff_id, "the same")
    with opened_plain(expected_at, expected) as one, opened_plain(actual_at, actual) as another:
        return Verdict(actual.name, actual.diff_id, "differs", first(compare_layers(one, another)))
