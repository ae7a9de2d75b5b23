"""Which Debian package brings a library: asked of the Contents files of the archives that a lock was made from.

Without a network, names are guessed by the rule that Debian gives them by (Policy §8.1), and taken if there is such a
package.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cog_oci.errors import CogError
from cog_oci.oci import Digest
from cog_oci.resolver._debian_archive import SuiteState
from cog_oci.resolver._debian_contents import holders
from cog_oci.resolver._debian_release import verify
from cog_oci.resolver.debian import suites

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from cog_oci.fetch import Fetcher
    from cog_oci.lock import Archive
    from cog_oci.store import Store

__all__ = ["bringers"]


def bringers(
    libraries: Iterable[str],
    release: str,
    archives: Sequence[Archive],
    architecture: str,
    *,
    fetcher: Fetcher,
    store: Store,
    addresses: Callable[[str], Sequence[str]],
) -> dict[str, str]:
    """For each library (`libGL.so.1`) the package that brings it (`libgl1`), as far as there is one and can be known.

    `release` is Debian's code name, `archives` the states in a lock; `addresses` gives where an archive is by its name.
    """
    wanted = set(libraries)
    found: dict[str, str] = {}
    states = list(_states(release, archives, store))
    for state in states:
        if missing := wanted - found.keys():
            found |= _listed(missing, _contents(state, architecture, fetcher, addresses))
    for state in states:
        if missing := wanted - found.keys():
            found |= _named(missing, state, architecture, fetcher)
    return found


def _states(release: str, archives: Sequence[Archive], store: Store) -> Iterator[SuiteState]:
    """The locked states of Debian's own archives whose InRelease is in the store, in the order of the lock."""
    known = {(suite.archive, suite.suite): suite for suite in suites(release)}
    for archive in archives:
        suite = known.get((archive.name, archive.suite))
        path = store.path(Digest(f"sha256:{archive.inrelease}"))
        if suite is not None and path.is_file():
            yield SuiteState(verify(path.read_bytes(), suite), "")


def _contents(
    state: SuiteState, architecture: str, fetcher: Fetcher, addresses: Callable[[str], Sequence[str]]
) -> Iterator[Path]:
    """The suite's Contents files for this architecture, from the store or fetched; those that cannot be had are not."""
    for base in addresses(state.release.suite.archive):
        there = SuiteState(state.release, f"{base.rstrip('/')}/{state.release.suite.folder}")
        try:
            yield from there.contents(fetcher, architecture)
        except CogError:  # it is not there, or another state's
            continue
        return


def _listed(libraries: Iterable[str], files: Iterable[Path]) -> dict[str, str]:
    """What Contents files say: for each library the likeliest package."""
    found: dict[str, str] = {}
    for file in files:
        try:
            holding = holders(file, *libraries)
        except OSError:  # a file that is signed for and cannot be unpacked says nothing
            continue
        found = {**{name: packages[0] for name, packages in holding.items() if packages}, **found}
    return found


def _named(libraries: Iterable[str], state: SuiteState, architecture: str, fetcher: Fetcher) -> dict[str, str]:
    """Packages of the suite that are called as Debian calls what has such a library, if its index is at hand."""
    try:
        index = [b"\n" + text for text in state.packages(fetcher, architecture)]
    except CogError:
        return {}
    guesses = ((name, package) for name in libraries for package in _policy(name))
    found: dict[str, str] = {}
    for name, package in guesses:
        if name not in found and any(b"\nPackage: %s\n" % package.encode() in text for text in index):
            found[name] = package
    return found


def _policy(library: str) -> Iterator[str]:
    """`libglib2.0-0` and `libglib2.0-0t64` for `libglib-2.0.so.0`; the likeliest first."""
    stem, dot, version = library.partition(".so.")
    if not dot:
        return
    plain = stem.lower().replace("_", "-")
    joined = f"{plain}-{version}" if plain[-1:].isdigit() else f"{plain}{version}"
    for name in dict.fromkeys((re.sub(r"-(?=\d+\.)", "", joined), joined)):
        yield name
        yield f"{name}t64"
