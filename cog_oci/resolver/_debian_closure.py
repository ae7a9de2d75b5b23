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
    """A package that is asked for by name, and by whom (`base`, `cog.yaml`)."""

    relation: Relation
    asked_by: str


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
    """The closure of the demands. Among versions of a name the lowest rank wins, then the highest version.

    `kept` are packages that should stay if they can: their versions, and the choices that fall on them, come first.
    Equal demands in another order give the same closure. Raises UnsatisfiableError when nothing fits.
    """
    history = History()
    rules = Rules(index, history, rank, kept or {})
    # By name, so that the order in which someone lists packages is no input.
    ordered = sorted(demands, key=lambda demand: (demand.asked_by, str(demand.relation)))
    roots: dict[Need | Choice, str] = {}
    for demand in ordered:
        roots.setdefault(rules.requirement((demand.relation,)), demand.asked_by)
    try:
        # The resolution without resolvelib's graph of it: that walks back to the roots recursively, and without end
        # where packages of a way that was given up depend on each other. `_reached` walks forward.
        state = Resolution(rules, history).resolve(roots, max_rounds=_ROUNDS)
    except ResolutionImpossible as error:
        raise UnsatisfiableError(explain(error.causes, history.first, roots, index)) from None  # type: ignore[arg-type]  # a Mapping is invariant in its keys; every key is one of the three
    except ResolutionTooDeep:
        raise CogError(
            f"found no set of Debian packages that fits in {_ROUNDS} steps",
            hint="pin some of build.system_packages as name=version, or ask for fewer",
        ) from None
    return _reached(rules, roots, state.mapping)


def _reached(rules: Rules, roots: Mapping[Need | Choice, str], mapping: Mapping[Key, Candidate]) -> Closure:
    """Walk from the roots: what was pinned on a way that the solver gave up is left behind."""

    def target(requirement: Need | Choice) -> Package:
        if isinstance(requirement, Choice):
            pick = mapping[requirement]
            assert isinstance(pick, Pick)
            requirement = pick.need
        package = mapping[requirement.key]
        assert isinstance(package, Package)
        return package

    packages: dict[str, Package] = {}
    needed_by: dict[str, set[str]] = {}
    waiting = [(target(root), asked_by) for root, asked_by in roots.items()]
    while waiting:
        package, needing = waiting.pop()
        needed_by.setdefault(package.name, set()).add(needing)
        if package.name not in packages:
            packages[package.name] = package
            waiting += [(target(rules.requirement(dependency)), package.name) for dependency in package.depends]
    return Closure(
        packages=dict(sorted(packages.items())),
        needed_by={name: tuple(sorted(needing - {name})) for name, needing in sorted(needed_by.items())},
    )
