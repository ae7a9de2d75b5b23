"""Debian's rules (Debian Policy §7) in resolvelib's words.

Three kinds of requirement: a name must be one of some versions (`Need`), must not be (`Exclusion`), or one of several
names must be there (`Choice`). A name that is only excluded is pinned as `Absent`, which costs nothing and can change.
What is only recommended is a choice that may be left unmade. Where the policy leaves a choice open, the order is
apt's: `apt-get -s install` is the oracle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

from resolvelib import AbstractProvider, BaseReporter

from cog_oci.resolver._debian_index import Package

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from resolvelib.structs import RequirementInformation, State

    from cog_oci.resolver._deb822 import Dependency
    from cog_oci.resolver._debian_index import PackageIndex

__all__ = ["Absent", "Candidate", "Choice", "Exclusion", "History", "Key", "Need", "Pick", "Requirement", "Rules"]


@dataclass(frozen=True, slots=True, eq=False)
class Need:
    """The package `key` must be one of these; `said` is the dependency as the index words it."""

    key: str
    allowed: frozenset[Package]
    said: str


@dataclass(frozen=True, slots=True, eq=False)
class Exclusion:
    """The package `key` must be none of these, or absent."""

    key: str
    excluded: frozenset[Package]
    said: str


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """One of these needs must be met, or should be. It is its own key: equal dependencies share one."""

    needs: tuple[Need, ...]
    said: str
    optional: bool = False

    @property
    def key(self) -> Choice:
        """What the solver knows it by."""
        return self


@dataclass(frozen=True, slots=True)
class Pick:
    """A choice made; without a need, left unmade."""

    key: Choice
    need: Need | None


@dataclass(frozen=True, slots=True)
class Absent:
    """A name that nobody needs."""

    key: str


Requirement = Need | Exclusion | Choice
Candidate = Package | Pick | Absent
Key = str | Choice

if TYPE_CHECKING:
    _Information = RequirementInformation[Requirement, Candidate]


@dataclass(slots=True)
class History(BaseReporter[Requirement, Candidate, Key]):
    """What the solver has done so far: what is pinned now, what was asked for, and how each name came in."""

    pinned: Mapping[Key, Candidate] = field(default_factory=dict)
    first: dict[Key, tuple[Requirement, Candidate | None]] = field(default_factory=dict)
    asked: dict[Key, None] = field(default_factory=dict)

    def adding_requirement(self, requirement: Requirement, parent: Candidate | None) -> None:
        """Called by resolvelib for each requirement."""
        if not isinstance(requirement, Exclusion):
            self.first.setdefault(requirement.key, (requirement, parent))
            if parent is None:
                self.asked[requirement.key] = None

    def ending_round(self, index: int, state: State[Requirement, Candidate, Key]) -> None:  # noqa: ARG002 - theirs
        """Called by resolvelib after each pin, and after each step back."""
        self.pinned = state.mapping


class _Picks(Sequence[Candidate]):
    """The ways to make a choice, put in order when they are read: what is pinned by then decides."""

    def __init__(self, picks: list[Pick], rank: Callable[[Pick], int]) -> None:
        self._picks = picks
        self._rank = rank

    def __len__(self) -> int:
        return len(self._picks)

    def __iter__(self) -> Iterator[Candidate]:
        return iter(sorted(self._picks, key=self._rank))

    @overload
    def __getitem__(self, index: int) -> Candidate: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Candidate]: ...

    def __getitem__(self, index: int | slice) -> Candidate | Sequence[Candidate]:
        return list(self)[index]


class Rules(AbstractProvider[Requirement, Candidate, Key]):
    """What a candidate asks for, and which candidates fit, best first.

    Among versions those that are `kept` come first, then the higher pin of the archive, then the lower `rank`, then the
    higher version. Among alternatives: what is kept, what is pinned already, then the order in which they are written.
    Packages that are `recommending` by their name ask for what they recommend as well.
    """

    def __init__(
        self,
        index: PackageIndex,
        history: History,
        rank: Callable[[Package], int],
        kept: Mapping[str, Package],
        recommending: Callable[[str], bool],
    ) -> None:
        self._recommending = recommending
        self._index = index
        self._history = history
        self._rank = rank
        self._kept = kept
        self._by_dependency: dict[Dependency, Requirement] = {}
        self._by_recommendation: dict[Dependency, Choice] = {}
        self._by_candidate: dict[Candidate, list[Requirement]] = {}

    def requirement(self, dependency: Dependency) -> Need | Choice:
        """What a group of alternatives asks of the solver; one object for equal groups."""
        found = self._by_dependency.get(dependency)
        if found is None:
            found = self._by_dependency[dependency] = self._requirement(dependency)
        assert not isinstance(found, Exclusion)
        return found

    def recommendations(self, package: Package) -> list[Choice]:
        """What the package recommends, as far as it exists, if it is to have that."""
        if not self._recommending(package.name):
            return []
        for dependency in package.recommends:
            if dependency not in self._by_recommendation:
                needs = tuple(self._needs(dependency))
                self._by_recommendation[dependency] = Choice(needs, _said(dependency), optional=True)
        found = [self._by_recommendation[dependency] for dependency in package.recommends]
        return [choice for choice in found if choice.needs]

    def _requirement(self, dependency: Dependency) -> Need | Choice:
        match self._needs(dependency):
            case []:
                return Need(dependency[0].name, frozenset(), _said(dependency))
            case [need]:
                return need
            case needs:
                return Choice(tuple(needs), _said(dependency))

    def _needs(self, dependency: Dependency) -> list[Need]:
        options: dict[str, set[Package]] = {}
        for relation in dependency:
            for package in self._index.meeting(relation):
                options.setdefault(package.name, set()).add(package)
        return [Need(name, frozenset(allowed), _said(dependency)) for name, allowed in options.items()]

    def _exclusions(self, package: Package) -> Iterator[Exclusion]:
        for relation in package.conflicts:
            others: dict[str, set[Package]] = {}
            for other in self._index.meeting(relation):
                # Whoever provides a name and conflicts with it means everybody else (Policy §7.6.2).
                if other.name != package.name:
                    others.setdefault(other.name, set()).add(other)
            for name, excluded in others.items():
                provided = "" if name == relation.name else f", which {name} provides"
                yield Exclusion(name, frozenset(excluded), f"{relation}{provided}")

    def identify(self, requirement_or_candidate: Requirement | Candidate) -> Key:
        """See resolvelib."""
        if isinstance(requirement_or_candidate, Package):
            return requirement_or_candidate.name
        return requirement_or_candidate.key

    def get_dependencies(self, candidate: Candidate) -> list[Requirement]:
        """See resolvelib."""
        found = self._by_candidate.get(candidate)
        if found is None:
            match candidate:
                case Package():
                    wanted = map(self.requirement, candidate.depends)
                    found = [*wanted, *self.recommendations(candidate), *self._exclusions(candidate)]
                case Pick(need=Need() as need):
                    found = [need]
                case _:
                    found = []
            self._by_candidate[candidate] = found
        return found

    def is_satisfied_by(self, requirement: Requirement, candidate: Candidate) -> bool:
        """See resolvelib."""
        match requirement:
            case Need():
                return candidate in requirement.allowed
            case Exclusion():
                return candidate not in requirement.excluded
            case Choice():
                return True

    def find_matches(
        self,
        identifier: Key,
        requirements: Mapping[Key, Iterator[Requirement]],
        incompatibilities: Mapping[Key, Iterator[Candidate]],
    ) -> Sequence[Candidate]:
        """See resolvelib."""
        gone = set(incompatibilities[identifier])
        if isinstance(identifier, Choice):
            ways = (*identifier.needs, None) if identifier.optional else identifier.needs
            picks = [pick for need in ways if (pick := Pick(identifier, need)) not in gone]
            return _Picks(picks, self._pick_rank)
        asked = list(requirements[identifier])
        if not any(isinstance(item, Need) for item in asked):
            return [] if Absent(identifier) in gone else [Absent(identifier)]
        return [
            package
            for package in sorted(self._index.versions(identifier), key=self._package_rank)
            if package not in gone and all(self.is_satisfied_by(item, package) for item in asked)
        ]

    def narrow_requirement_selection(
        self,
        identifiers: Iterable[Key],
        resolutions: Mapping[Key, Candidate],
        candidates: Mapping[Key, Iterator[Candidate]],  # noqa: ARG002 - resolvelib's names
        information: Mapping[Key, Iterator[_Information]],
        backtrack_causes: Sequence[_Information],  # noqa: ARG002 - resolvelib's names
    ) -> list[Key]:
        """The next one, as apt goes: what was asked for, then what the package pinned last depends on, in its order.

        Choices depend on what is pinned when they are made, so this order decides closures.
        """
        open_keys = dict.fromkeys(identifiers)
        # The last one first, so that the first one's dependencies are nearest to the end.
        for key in reversed(self._history.asked):
            if key in open_keys:
                return [key]
        for candidate in reversed([*resolutions.values()]):
            for requirement in self.get_dependencies(candidate):
                if requirement.key in open_keys and not isinstance(requirement, Exclusion):
                    return [requirement.key]
        for key in open_keys:
            if not all(isinstance(item.requirement, Exclusion) for item in information[key]):
                return [key]
        return [next(iter(open_keys))]

    def get_preference(self, *_: Any, **__: Any) -> int:
        """Never decides: `narrow_requirement_selection` leaves one."""
        return 0

    def _pick_rank(self, pick: Pick) -> int:
        if pick.need is None:
            return 3
        if pick.need.key in self._kept:
            return 0
        return 1 if self._history.pinned.get(pick.need.key) in pick.need.allowed else 2

    def _package_rank(self, package: Package) -> tuple[bool, int, int]:
        return self._kept.get(package.name) is not package, -package.pin, self._rank(package)


def _said(dependency: Dependency) -> str:
    return " | ".join(map(str, dependency))
