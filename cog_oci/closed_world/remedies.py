"""What to do about a gap: the Debian package that would close it, or else where to look."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cog_oci.errors import CogError
from cog_oci.memory import Memory, Question
from cog_oci.oci import canonical_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cog_oci.closed_world.gap import Gap
    from cog_oci.lock import Lock
    from cog_oci.oci import Platform
    from cog_oci.store import Store

__all__ = ["packages_for", "remedy"]

_RULES = Path(__file__).parents[1] / "resolver" / "bringers.py"


def packages_for(
    gaps: Iterable[Gap], lock: Lock, platform: Platform, store: Store, *, offline: bool = False
) -> dict[str, str]:
    """The Debian package that brings each library that is nowhere, as far as that can be known; asked for once.

    Unless `offline`, the list of everything in Debian's archive is fetched for it: some 10 MB, once for a lock.
    """
    libraries = sorted({gap.library for gap in gaps if not gap.at})
    if not libraries:
        return {}
    parts = lock.platform(platform)
    states = [archive.inrelease for archive in parts.archives]
    question = Question(canonical_json([libraries, states, platform.architecture]), _RULES)
    memory = Memory(store.root / "checked")
    if (known := memory.recall(question)) is not None:
        return dict(known)
    from cog_oci.fetch import Fetcher  # noqa: PLC0415 - what was asked before needs no network
    from cog_oci.origins import Origins  # noqa: PLC0415 - likewise
    from cog_oci.resolver.bringers import bringers  # noqa: PLC0415 - likewise

    fetcher = Fetcher(store, offline=offline)
    as_of, *earlier = lock.moments(platform)
    origins = Origins(fetcher, as_of, earlier=earlier)
    try:
        found = bringers(
            libraries,
            parts.interpreter.suite,
            parts.archives,
            platform.architecture,
            fetcher=fetcher,
            store=store,
            addresses=origins.archive,
        )
    except CogError:  # a hint is all that is missing
        return {}
    if not offline:
        memory.keep(question, found)
    return found


def remedy(gap: Gap, packages: dict[str, str]) -> str:
    """What to do about it, as the rest of a sentence that begins with a verb."""
    if gap.versions:
        return (
            "it was made for a newer system: take an older version of the package that it is from, or a newer Debian "
            "with another build.python_version"
        )
    if gap.at:
        folder = gap.at.rpartition("/")[0]
        return f"name {folder} in a file below /etc/ld.so.conf.d and run ldconfig, in a step of build.run"
    if package := packages.get(gap.library):
        return f"add it to cog.yaml, `build.system_packages: - {package}`"
    return "add the Debian package that has it to build.system_packages, or use a wheel that brings its own copy"
