"""Debian packages: names → every deb they need, each by its hash, all the way from a signature (design §3, §4).

InRelease is signed; it names the package indexes by hash; they name the debs by hash. What has to be installed together
is worked out by Debian's rules. Essential packages are not assumed: they are there when something depends on them.
Recommended ones are left out, but for those of packages that are to have them.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING

from cog_oci import shipped
from cog_oci.apt import DEBIAN
from cog_oci.errors import CogError
from cog_oci.lock import Deb
from cog_oci.resolver._deb822 import Relation
from cog_oci.resolver._debian_archive import open_suite
from cog_oci.resolver._debian_closure import Closure, Demand, solve
from cog_oci.resolver._debian_hints import Elsewhere
from cog_oci.resolver._debian_index import PackageIndex
from cog_oci.resolver._debian_installed import INSTALLED, as_index
from cog_oci.resolver._debian_keys import suite_of
from cog_oci.resolver._debian_reasons import UnknownVersionError, VirtualPackageError
from cog_oci.resolver._debian_suite import Suite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from cog_oci.fetch import Fetcher
    from cog_oci.lock import Archive
    from cog_oci.resolver._debian_archive import SuiteState
    from cog_oci.resolver._debian_index import Package
    from cog_oci.store import Store

__all__ = ["DebianResolver", "Resolution", "Suite", "others", "suite_of", "suites"]

_TAKEN = 1 << 20
"""A pin that is above every other: what is there is preferred to what there could be."""
_MOVED = "upgrade"
"""Who asks for a version that is only wanted if the package is: never in a lock."""


_RELEASES = ("bookworm", "trixie")


def suites(release: str) -> tuple[Suite, ...]:
    """What a Debian release is made of, by its code name: the release itself, its updates, its security updates.

    Each archive has keys of its own: those for the release must not sign security updates. CogError for a release whose
    keys do not ship with the tool.
    """
    debian, security = (shipped.lockfile(f"keyrings/{name}-{release}.asc") for name in DEBIAN)
    if not (debian.is_file() and security.is_file()):
        raise CogError(f"no keys for Debian {release} are in {debian.parent}", hint="use bookworm or trixie")
    return (
        Suite("debian", release, debian),
        Suite("debian", f"{release}-updates", debian),
        Suite("debian-security", f"{release}-security", security),
    )


def others(release: str) -> tuple[Suite, ...]:
    """What else Debian has whose keys ship with the tool: the release's other components, and the other releases."""
    main = suites(release)[0]
    apart = [replace(main, components=(name,)) for name in ("contrib", "non-free", "non-free-firmware")]
    return (*apart, *(suites(name)[0] for name in _RELEASES if name != release))


@dataclass(frozen=True, slots=True)
class Resolution:
    """The debs, sorted by name, and the signed states of the archives that they were found in."""

    debs: tuple[Deb, ...]
    archives: tuple[Archive, ...]


class DebianResolver:
    """Resolves against some suites as they were at `as_of`, for one architecture (`amd64`, `arm64`).

    `addresses` gives the base addresses of an archive by its name, in the order of preference. Indexes are fetched
    once, when the first resolution needs them. Suites that are `elsewhere` are asked about names that nobody has here.
    `installed` is the status of dpkg where there are packages already, which are taken as they are and are no part of
    a resolution.
    """

    def __init__(  # noqa: PLR0913 - what to resolve against, and what to fetch it with
        self,
        fetcher: Fetcher,
        store: Store,
        suites: Sequence[Suite],
        architecture: str,
        addresses: Callable[[str], Sequence[str]],
        as_of: datetime,
        elsewhere: Sequence[Suite] = (),
        *,
        installed: bytes = b"",
    ) -> None:
        self._fetcher = fetcher
        self._store = store
        self.suites = tuple(suites)
        self.architecture = architecture
        self._addresses = addresses
        self._as_of = as_of
        self.installed = installed
        self._elsewhere = Elsewhere(elsewhere, fetcher, store, addresses, as_of)

    def resolve(
        self,
        base: Sequence[str],
        system: Sequence[str],
        preferred: Iterable[Deb] = (),
        upgraded: Mapping[str, str | None] = MappingProxyType({}),
        recommending: Sequence[str] = (),
    ) -> Resolution:
        """The debs of the base, and what `system` adds to them. Both are names, or `name=version`.

        The layer of a deb is `base` when the base alone needs it. A preferred deb is taken as long as the indexes still
        list exactly that version and hash, and if it fits; otherwise the highest version is. Of a name in `upgraded`
        the version that it says is taken, None for the highest, and what has to move with it does; a name that nothing
        needs, or that no index has, is left out all the same. Names of `system` that are `recommending` bring what they
        recommend, and so does everything else that comes because of them, unless it is of the base.

        Raises UnknownPackageError, UnknownVersionError, VirtualPackageError, UnsatisfiableError; ReleaseError and
        UnavailableStateError for the archive's own troubles, and what `Fetcher` raises.
        """
        pins = {(deb.name, deb.version, deb.sha256) for deb in preferred if deb.name not in upgraded}

        def rank(package: Package) -> int:
            return 0 if (package.name, package.version, package.sha256) in pins else 1

        known = {name: wanted for name, wanted in upgraded.items() if self._index.versions(name)}
        moved = [self._demand(f"{name}={self._version(name, wanted)}", _MOVED) for name, wanted in known.items()]
        below = [self._demand(text, "base") for text in base]
        closure = alone = self._closure(below, moved, rank)
        if system:
            generous = frozenset(recommending)
            above = [
                replace(self._demand(text, "cog.yaml"), recommends=text.partition("=")[0] in generous)
                for text in system
            ]
            closure = self._closure([*below, *above], moved, rank, alone.packages)
        return Resolution(_debs(closure, alone), self.archives)

    def versions(self, name: str) -> list[str]:
        """Every version of this name, the highest first. Raises what concerns the archives in `resolve`."""
        return [package.version for package in self._index.versions(name)]

    @property
    def archives(self) -> tuple[Archive, ...]:
        """The signed states that are resolved against. Raises what concerns the archives in `resolve`."""
        # Once, though other components of a suite are a suite of their own here.
        return tuple(dict.fromkeys(state.archive for state in self._states))

    def _closure(
        self,
        demands: Sequence[Demand],
        moved: Sequence[Demand],
        rank: Callable[[Package], int],
        kept: Mapping[str, Package] = MappingProxyType({}),
    ) -> Closure:
        """The closure of the demands, with what is to be moved asked for by its version, as far as it is in there.

        Asked for, because what another package depends on is settled after that package: it would rather not move.
        """
        plain = solve(self._index, demands, rank=rank, kept=kept)
        inside = [demand for demand in moved if demand.relation.name in plain.packages]
        if all(plain.packages[one.relation.name].version == one.relation.version for one in inside):
            return plain
        left = {name: package for name, package in kept.items() if name not in {one.relation.name for one in inside}}
        found = solve(self._index, [*demands, *inside], rank=rank, kept=left)
        needed_by = {name: tuple(one for one in by if one != _MOVED) for name, by in found.needed_by.items()}
        return Closure(found.packages, needed_by)

    def _version(self, name: str, wanted: str | None) -> str:
        """The version that a name is to be moved to, which may be one that there is not."""
        return self._index.versions(name)[0].version if wanted is None else wanted

    @cached_property
    def _states(self) -> list[SuiteState]:
        def opened(suite: Suite) -> SuiteState:
            return open_suite(suite, self._addresses(suite.archive), self._fetcher, self._store, self._as_of)

        with ThreadPoolExecutor(len(self.suites), thread_name_prefix="suite") as pool:
            return list(pool.map(opened, self.suites))

    @cached_property
    def _index(self) -> PackageIndex:
        index = PackageIndex(self.architecture)
        if self.installed:
            index.add(INSTALLED, as_index(self.installed), _TAKEN)
        for state in self._states:
            for pieces in state.listings(self._fetcher, self.architecture):
                index.add(state.release.suite.archive, pieces, state.priority)
        return index

    def _demand(self, text: str, asked_by: str) -> Demand:
        """`name` or `name=version` as a relation that something meets, or the error that says what there is."""
        name, equals, version = text.partition("=")
        suite = self.suites[0].suite
        found = self._index.versions(name)
        if equals:
            if not found:
                raise self._elsewhere.unknown(name, self._index, self._states)
            if version not in {package.version for package in found}:
                raise UnknownVersionError(name, version, suite, [package.version for package in found])
            return Demand(Relation(name, "=", version), asked_by)
        if not found:
            providers = sorted({package.name for package in self._index.providers(name)})
            if not providers:
                raise self._elsewhere.unknown(name, self._index, self._states)
            if len(providers) > 1:
                raise VirtualPackageError(name, suite, providers)
        return Demand(Relation(name), asked_by)


def _debs(closure: Closure, alone: Closure) -> tuple[Deb, ...]:
    """A deb of the base is the same value whatever is added, so that the base's lines in a lock stay as they are."""
    return tuple(
        Deb(
            name=name,
            version=package.version,
            file=package.file,
            sha256=package.sha256,
            size=package.size,
            needed_by=(alone if alone.packages.get(name) is package else closure).needed_by[name],
            archive=package.archive,
            architecture=package.architecture,
            layer="base" if name in alone.packages else "system",
        )
        for name, package in closure.packages.items()
        if package.archive != INSTALLED
    )
