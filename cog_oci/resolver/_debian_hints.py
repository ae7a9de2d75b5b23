"""Where a name may come from that the suites at hand do not have: asked only when there is an error to explain.

Nothing here may be an error itself: what cannot be found out is left out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cog_oci.errors import CogError
from cog_oci.resolver._debian_archive import open_suite
from cog_oci.resolver._debian_contents import holders, looks_like_a_file
from cog_oci.resolver._debian_index import PackageIndex
from cog_oci.resolver._debian_reasons import FileNameError, Trace, UnknownPackageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from cog_oci.fetch import Fetcher
    from cog_oci.resolver._debian_archive import SuiteState
    from cog_oci.resolver._debian_suite import Suite
    from cog_oci.store import Store

__all__ = ["Elsewhere"]

_SHOWN = 3


class Elsewhere:
    """Other `suites` of Debian, which are asked for what the suites at hand do not have."""

    def __init__(
        self,
        suites: Sequence[Suite],
        fetcher: Fetcher,
        store: Store,
        addresses: Callable[[str], Sequence[str]],
        as_of: datetime,
    ) -> None:
        self._suites = tuple(suites)
        self._fetcher = fetcher
        self._store = store
        self._addresses = addresses
        self._as_of = as_of

    def unknown(
        self, name: str, index: PackageIndex, states: Sequence[SuiteState]
    ) -> UnknownPackageError | FileNameError:
        """The error that says all that can be known of a name which `index`, made from the `states`, does not have."""
        suite = states[0].release.suite.suite
        if looks_like_a_file(name):
            packages = dict.fromkeys(one for state in states for one in self._having(name, state, index))
            guesses = [one for one in _called_alike(name.rpartition("/")[2]) if index.versions(one)]
            return FileNameError(name, suite, list(packages)[:_SHOWN], guesses)
        return UnknownPackageError(name, suite, index.near(name), tuple(self._traces(name, index)))

    def _having(self, name: str, state: SuiteState, index: PackageIndex) -> list[str]:
        for architecture in (index.architecture, "all"):  # whose files are listed apart
            try:
                for file in state.contents(self._fetcher, architecture):
                    if found := [package for package in holders(file, name)[name] if index.versions(package)]:
                        return found
            except (CogError, OSError):
                continue
        return []

    def _traces(self, name: str, index: PackageIndex) -> Iterator[Trace]:
        for suite in self._suites:
            try:
                state = open_suite(suite, self._addresses(suite.archive), self._fetcher, self._store, self._as_of)
                other = PackageIndex(index.architecture)
                for packages in state.packages(self._fetcher, index.architecture):
                    other.add(suite.archive, packages)
                there = other.versions(name)
            except CogError:
                continue
            if there:
                # A package that only stands for others names them, and they may be here.
                stands_for = there[0].depends if there[0].transitional else ()
                here = [one.name for group in stands_for for one in group if index.versions(one.name)]
                yield Trace(suite.suite, suite.components, there[0].version, tuple(dict.fromkeys(here)))


def _called_alike(file: str) -> Iterator[str]:
    """What Debian may call the package of a command, or of a library (Policy §8.1): `libgl1` for `libGL.so.1`."""
    stem, _, version = file.partition(".so")
    if not version:
        yield file
        return
    plain = stem.lower().replace("_", "-")
    version = version.removeprefix(".")
    joined = f"{plain}-{version}" if plain[-1:].isdigit() else f"{plain}{version}"
    for name in dict.fromkeys((re.sub(r"-(?=\d+\.)", "", joined), joined)):
        yield from (name, f"{name}t64")
