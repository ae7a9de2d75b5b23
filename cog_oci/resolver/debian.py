"""Debian packages: names → every deb they need, each by its hash, all the way from a signature (design §3, §4).

InRelease is signed; it names the package indexes by hash; they name the debs by hash. What has to be installed together
is worked out by Debian's rules. Essential packages are not assumed: they are there when something depends on them.
Recommended ones are left out.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from cog_oci import shipped
from cog_oci.errors import CogError
from cog_oci.lock import Deb
from cog_oci.resolver._deb822 import Relation
from cog_oci.resolver._debian_archive import open_suite
from cog_oci.resolver._debian_closure import Demand, solve
from cog_oci.resolver._debian_index import PackageIndex
from cog_oci.resolver._debian_reasons import UnknownPackageError, UnknownVersionError, VirtualPackageError
from cog_oci.resolver._debian_release import Suite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from cog_oci.fetch import Fetcher
    from cog_oci.lock import Archive
    from cog_oci.resolver._debian_archive import SuiteState
    from cog_oci.resolver._debian_closure import Closure
    from cog_oci.resolver._debian_index import Package
    from cog_oci.store import Store

__all__ = ["DebianResolver", "Resolution", "Suite", "suites"]


def suites(release: str) -> tuple[Suite, ...]:
    """What a Debian release is made of, by its code name: the release itself, its updates, its security updates.

    Each archive has keys of its own: those for the release must not sign security updates. CogError for a release whose
    keys do not ship with the tool.
    """
    debian = shipped.lockfile(f"keyrings/debian-{release}.asc")
    security = shipped.lockfile(f"keyrings/debian-security-{release}.asc")
    if not (debian.is_file() and security.is_file()):
        raise CogError(f"no keys for Debian {release} are in {debian.parent}", hint="use bookworm or trixie")
    return (
        Suite("debian", release, debian),
        Suite("debian", f"{release}-updates", debian),
        Suite("debian-security", f"{release}-security", security),
    )


@dataclass(frozen=True, slots=True)
class Resolution:
    """The debs, sorted by name, and the signed states of the archives that they were found in."""

    debs: tuple[Deb, ...]
    archives: tuple[Archive, ...]


class DebianResolver:
    """Resolves against some suites as they were at `as_of`, for one architecture (`amd64`, `arm64`).

    `addresses` gives the base addresses of an archive by its name, in the order of preference. Indexes are fetched
    once, when the first resolution needs them.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        store: Store,
        suites: Sequence[Suite],
        architecture: str,
        addresses: Callable[[str], Sequence[str]],
        as_of: datetime,
    ) -> None:
        self._fetcher = fetcher
        self._store = store
        self._suites = tuple(suites)
        self._architecture = architecture
        self._addresses = addresses
        self._as_of = as_of

    def resolve(self, base: Sequence[str], system: Sequence[str], preferred: Iterable[Deb] = ()) -> Resolution:
        """The debs of the base, and what `system` adds to them. Both are names, or `name=version`.

        The layer of a deb is `base` when the base alone needs it. A preferred deb is taken as long as the indexes still
        list exactly that version and hash, and if it fits; otherwise the highest version is.

        Raises UnknownPackageError, UnknownVersionError, VirtualPackageError, UnsatisfiableError; ReleaseError and
        UnavailableStateError for the archive's own troubles, and what `Fetcher` raises.
        """
        pins = {(deb.name, deb.version, deb.sha256) for deb in preferred}

        def rank(package: Package) -> int:
            return 0 if (package.name, package.version, package.sha256) in pins else 1

        below = [self._demand(text, "base") for text in base]
        closure = alone = solve(self._index, below, rank=rank)
        if system:
            above = [self._demand(text, "cog.yaml") for text in system]
            closure = solve(self._index, [*below, *above], rank=rank, kept=alone.packages)
        return Resolution(_debs(closure, alone), tuple(state.archive for state in self._states))

    @cached_property
    def _states(self) -> list[SuiteState]:
        def opened(suite: Suite) -> SuiteState:
            return open_suite(suite, self._addresses(suite.archive), self._fetcher, self._store, self._as_of)

        with ThreadPoolExecutor(len(self._suites), thread_name_prefix="suite") as pool:
            return list(pool.map(opened, self._suites))

    @cached_property
    def _index(self) -> PackageIndex:
        index = PackageIndex(self._architecture)
        for state in self._states:
            for packages in state.packages(self._fetcher, self._architecture):
                index.add(state.release.suite.archive, packages)
        return index

    def _demand(self, text: str, asked_by: str) -> Demand:
        """`name` or `name=version` as a relation that something meets, or the error that says what there is."""
        name, equals, version = text.partition("=")
        suite = self._suites[0].suite
        found = self._index.versions(name)
        if equals:
            if not found:
                raise UnknownPackageError(name, suite, self._index.near(name))
            if version not in {package.version for package in found}:
                raise UnknownVersionError(name, version, suite, [package.version for package in found])
            return Demand(Relation(name, "=", version), asked_by)
        if not found:
            providers = sorted({package.name for package in self._index.providers(name)})
            if not providers:
                raise UnknownPackageError(name, suite, self._index.near(name))
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
    )
