"""Debs unpacked and, without running anything, configured: the entries of one layer on top of another."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from cog_oci.layers._effects import effects
from cog_oci.layers._scripts import check
from cog_oci.layers._unpack import linked, merge

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from cog_oci.layers._tar import Entry
    from cog_oci.layers._unpack import Owned, Unpacking
    from cog_oci.lock import Deb
    from cog_oci.store import Store

__all__ = ["configured", "unconfigured"]


@contextmanager
def configured(
    debs: Sequence[Deb],
    below: Sequence[Deb],
    apart: Sequence[Deb],
    store: Store,
    unpacking: Unpacking,
    without: Collection[str] = (),
) -> Iterator[Iterable[Entry]]:
    """The files of `debs`, and the effects of all packages that differ from those of the packages `below` alone.

    The files of the debs `apart` are in layers of their own, between the two; their effects are here. Scripts of
    packages `without` them do nothing.
    """
    with unpacking.open((*below, *apart, *debs), store) as unpacked:
        for one in unpacked:
            if one.package.name not in without:
                check(one.package)
        under, own = unpacked[: len(below)], unpacked[len(below) :]
        elsewhere = merge(own[: len(apart)])
        before = merge(under)
        after = merge(own, before)
        known = effects(before, under, without) if under else {}
        every = effects(after, unpacked, without)
        added = {path: entry for path, entry in every.items() if known.get(path) != entry}
        there = {path: owned.entry for path, owned in (before | elsewhere).items()}
        new = {path: owned.entry for path, owned in after.items() if there.get(path) != owned.entry}
        yield linked({**_directories(new | added, after, known), **new, **added}.values())


@contextmanager
def unconfigured(
    deb: Deb, store: Store, unpacking: Unpacking, without: Collection[str] = ()
) -> Iterator[Iterable[Entry]]:
    """The files of one deb, and nothing else."""
    with unpacking.open((deb,), store) as unpacked:
        if deb.name not in without:
            check(unpacked[0].package)
        yield linked(owned.entry for owned in merge(unpacked).values())


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
