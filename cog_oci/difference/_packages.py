"""Packages, before and after."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Installed", "PackageChange", "compare_packages"]


@dataclass(frozen=True, slots=True, order=True)
class Installed:
    """A package on one side: `kind` says whose it is (`python`, `debian`, `server`), `size` is in bytes.

    `identity` tells apart what has one version and was made twice, where that is known.
    """

    kind: str
    name: str
    version: str
    size: int = 0
    identity: str = ""


@dataclass(frozen=True, slots=True)
class PackageChange:
    """A package that came, went or changed: its versions, None where it is not, and how many bytes more it is.

    Equal versions mean that the same version was made again.
    """

    kind: str
    name: str
    before: str | None
    after: str | None
    size: int


def compare_packages(before: Iterable[Installed], after: Iterable[Installed]) -> tuple[PackageChange, ...]:
    """Every package that differs, by kind and name."""
    sides = _by_name(before), _by_name(after)
    changes = []
    for kind, name in sorted({*sides[0], *sides[1]}):
        old, new = (side.get((kind, name), []) for side in sides)
        gone = [one for one in old if not any(_same(one, other) for other in new)]
        come = [one for one in new if not any(_same(one, other) for other in old)]
        changes += [_change(kind, name, one, other) for one, other in zip_longest(gone, come)]
    return tuple(changes)


def _by_name(packages: Iterable[Installed]) -> dict[tuple[str, str], list[Installed]]:
    found: defaultdict[tuple[str, str], list[Installed]] = defaultdict(list)
    for package in sorted(packages):
        found[package.kind, package.name].append(package)
    return dict(found)


def _same(one: Installed, other: Installed) -> bool:
    return (one.version, one.identity) == (other.version, other.identity)


def _change(kind: str, name: str, before: Installed | None, after: Installed | None) -> PackageChange:
    size = (after.size if after else 0) - (before.size if before else 0)
    return PackageChange(kind, name, before.version if before else None, after.version if after else None, size)
