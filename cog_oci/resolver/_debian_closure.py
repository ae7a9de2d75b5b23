"""The packages that have to be installed together for some that are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from resolvelib.resolvers import Resolution, ResolutionImpossible, ResolutionTooDeep

from cog_oci.errors import CogError
from cog_oci.resolver._debian_index import Package
from cog_oci.resolver._debian_reasons import UnsatisfiableError, explain
from cog_oci.resolver._debian_rules import Choice, History, Pick, Rules

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cog_oci.resolver._deb822 import Relation
    from cog_oci.resolver._debian_index import PackageIndex
    from cog_oci.resolver._debian_rules import Candidate, Key, Need

__all__ = ["Closure", "Demand", "solve"]

_ROUNDS = 20_000  # a closure of 1,000 packages takes about 2,000


@dataclass(frozen=True, slots=True)
class Demand:
    """A package that is asked for by name, and by whom (`base`, `cog.yaml`); with what it recommends, or not."""

    relation: Relation
    asked_by: str
    recommends: bool = False


@dataclass(frozen=True, slots=True)
class Closure:
    """Packages by name, and for each who needs it: packages that depend on it and who asked for it, sorted."""

    packages: Mapping[str, Package]
    needed_by: Mapping[str, tuple[str, ...]]


def solve(
    index: PackageIndex,
    demands: Sequence[Demand],
    *,
    rank: Callable[[Package], int] = lambda _: 0,
    kept: Mapping[str, Package] | None = None,
) -> Closure:
    """The closure of the demands. Among versions of a name the highest pin wins, the lowest rank, the highest version.

    `kept` are packages that should stay if they can: their versions, and the choices that fall on them, come first.
    A demand that has recommendations has those of all that it brings besides what is kept, as with apt. Equal demands
    in another order give the same closure. Raises UnsatisfiableError when nothing fits.
    """
    kept = kept or {}
    # By name, so that the order in which someone lists packages is no input.
    ordered = sorted(demands, key=lambda demand: (demand.asked_by, str(demand.relation)))
    if not (generous := [demand for demand in ordered if demand.recommends]):
        return _Search(index, rank, kept, lambda _: False).closure(ordered)[0]
    # Who has recommendations depends on the closure, which depends on that. What they bring when they are alone is
    # nearly always what they bring beside others.
    _, names = _Search(index, rank, kept, lambda name: name not in kept).closure(generous)
    while True:
        on = frozenset(names - kept.keys())
        closure, found = _Search(index, rank, kept, on.__contains__).closure(ordered)
        if found - kept.keys() <= on:
            return closure
        names |= found


class _Search:
    """One resolution: some packages have recommendations, by their name, the others have none."""

    def __init__(
        self,
        index: PackageIndex,
        rank: Callable[[Package], int],
        kept: Mapping[str, Package],
        recommending: Callable[[str], bool],
    ) -> None:
        self._index = index
        self._history = History()
        self._rules = Rules(index, self._history, rank, kept, recommending)

    def closure(self, demands: Sequence[Demand]) -> tuple[Closure, set[str]]:
        """The closure, and the names in it that came because of the demands that have recommendations."""
        roots: dict[Need | Choice, str] = {}
        for demand in demands:
            roots.setdefault(self._rules.requirement((demand.relation,)), demand.asked_by)
        mapping = self._resolved(roots)
        generous = [self._rules.requirement((demand.relation,)) for demand in demands if demand.recommends]
        return self._reached(roots, mapping), {*self._reached(dict.fromkeys(generous, ""), mapping).packages}

    def _resolved(self, roots: Mapping[Need | Choice, str]) -> Mapping[Key, Candidate]:
        try:
            # The resolution without resolvelib's graph of it: that walks back to the roots recursively, and without end
            # where packages of a way that was given up depend on each other. `_reached` walks forward.
            return Resolution(self._rules, self._history).resolve(roots, max_rounds=_ROUNDS).mapping
        except ResolutionImpossible as error:
            raise UnsatisfiableError(explain(error.causes, self._history.first, roots, self._index)) from None  # type: ignore[arg-type]  # a Mapping is invariant in its keys; every key is one of the three
        except ResolutionTooDeep:
            raise CogError(
                f"found no set of Debian packages that fits in {_ROUNDS} steps",
                hint="pin some of build.system_packages as name=version, or ask for fewer",
            ) from None

    def _reached(self, roots: Mapping[Need | Choice, str], mapping: Mapping[Key, Candidate]) -> Closure:
        """Walk from the roots: what was pinned on a way that the solver gave up is left behind."""
        packages: dict[str, Package] = {}
        needed_by: dict[str, set[str]] = {}
        waiting = [(_target(root, mapping), asked_by) for root, asked_by in roots.items()]
        while waiting:
            package, needing = waiting.pop()
            if package is None:
                continue
            needed_by.setdefault(package.name, set()).add(needing)
            if package.name not in packages:
                packages[package.name] = package
                wanted = [*map(self._rules.requirement, package.depends), *self._rules.recommendations(package)]
                waiting += [(_target(one, mapping), package.name) for one in wanted]
        return Closure(
            packages=dict(sorted(packages.items())),
            needed_by={name: tuple(sorted(needing - {name})) for name, needing in sorted(needed_by.items())},
        )


def _target(requirement: Need | Choice, mapping: Mapping[Key, Candidate]) -> Package | None:
    """The package that meets a requirement; None where a choice was left unmade."""
    if isinstance(requirement, Choice):
        pick = mapping[requirement]
        assert isinstance(pick, Pick)
        if pick.need is None:
            return None
        requirement = pick.need
    package = mapping[requirement.key]
    assert isinstance(package, Package)
    return package
