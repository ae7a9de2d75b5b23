"""Debian's rules (Debian Policy §7) in resolvelib's words.

Three kinds of requirement: a name must be one of some versions (`Need`), must not be (`Exclusion`), or one of several
names must be there (`Choice`). A name that is only excluded is pinned as `Absent`, which costs nothing and can change.
Where the policy leaves a choice open, the order is apt's: `apt-get -s install` is the oracle.
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
    """One of these needs must be met. It is its own key: equal dependencies share one."""

    needs: tuple[Need, ...]
    said: str

    @property
    def key(self) -> Choice:
        """What the solver knows it by."""
        return self


@dataclass(frozen=True, slots=True)
class Pick:
    """A choice made."""

    key: Choice
    need: Need


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

    Among versions those that are `kept` come first, then the lower `rank`, then the higher version. Among alternatives:
    what is kept, what is pinned already, then the order in which they are written.
    """

    def __init__(
        self, index: PackageIndex, history: History, rank: Callable[[Package], int], kept: Mapping[str, Package]
    ) -> None:
        self._index = index
        self._history = history
        self._rank = rank
        self._kept = kept
        self._by_dependency: dict[Dependency, Requirement] = {}
        self._by_candidate: dict[Candidate, list[Requirement]] = {}

    def requirement(self, dependency: Dependency) -> Need | Choice:
        """What a group of alternatives asks of the solver; one object for equal groups."""
        found = self._by_dependency.get(dependency)
        if found is None:
            found = self._by_dependency[dependency] = self._requirement(dependency)
        assert not isinstance(found, Exclusion)
        return found

    def _requirement(self, dependency: Dependency) -> Need | Choice:
        said = " | ".join(map(str, dependency))
        options: dict[str, set[Package]] = {}
        for relation in dependency:
            for package in self._index.meeting(relation):
                options.setdefault(package.name, set()).add(package)
        needs = [Need(name, frozenset(allowed), said) for name, allowed in options.items()]
        match needs:
            case []:
                return Need(dependency[0].name, frozenset(), said)
            case [need]:
                return need
            case _:
                return Choice(tuple(needs), said)

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
                    found = [*map(self.requirement, candidate.depends), *self._exclusions(candidate)]
                case Pick():
                    found = [candidate.need]
                case Absent():
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
            picks = [pick for need in identifier.needs if (pick := Pick(identifier, need)) not in gone]
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
        if pick.need.key in self._kept:
            return 0
        return 1 if self._history.pinned.get(pick.need.key) in pick.need.allowed else 2

    def _package_rank(self, package: Package) -> tuple[bool, int]:
        return self._kept.get(package.name) is not package, self._rank(package)
