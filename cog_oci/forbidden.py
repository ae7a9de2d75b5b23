"""Why a package is not at another version: who says so, as far as the files are here that say it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cog_oci.declared import requirements
from cog_oci.errors import CogError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cog_oci.reasons import Locked, Reasons
    from cog_oci.store import Store

__all__ = ["Verdict", "verdicts"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one that needs a package says of a version: its requirement as it is written, and whether that admits it.

    `admits` is None where it cannot be known here: a root has no file, and a file may not be in the store.
    """

    asker: str
    written: str
    admits: bool | None


def verdicts(reasons: Reasons, locked: Locked, version: str, store: Store, asked: Sequence[str] = ()) -> list[Verdict]:
    """What each that asked for `locked` says of `version`; those that refuse it first.

    `asked` are the requirements of the project itself. Raises CogError for what is no version.
    """
    found = [verdict for asker in reasons.askers(locked) for verdict in _of(asker, reasons, locked, version, store)]
    own = [one for written in asked for one in _verdict("cog.yaml", written, locked, version)]
    if own:
        found = [one for one in found if one.asker != "cog.yaml"] + own
    order = {False: 0, None: 1, True: 2}
    return sorted(found, key=lambda one: (order[one.admits], one.asker, one.written))


def _of(asker: str, reasons: Reasons, locked: Locked, version: str, store: Store) -> Iterator[Verdict]:
    package = next((one for one in reasons.find(asker) if one.kind == locked.kind), None)
    if package is None or not store.has(package.artifact.digest, package.artifact.size):
        yield Verdict(asker if package is None else str(package), "", None)
        return
    for written in requirements(package.artifact, store):
        yield from _verdict(str(package), written, locked, version)


def _verdict(asker: str, written: str, locked: Locked, version: str) -> Iterator[Verdict]:
    said = _debian if locked.kind == "debian" else _python
    admits = said(written, locked.artifact.name, version)
    if admits is not None:
        # Which extras were asked for is not in the lock: a requirement of one may not count.
        unsure = not admits and locked.kind != "debian" and "extra" in written.partition(";")[2]
        yield Verdict(asker, written, None if unsure else admits)


def _python(written: str, name: str, version: str) -> bool | None:
    """Whether a Requires-Dist admits the version; None when it is about something else. Markers are not looked at."""
    from packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415 - only this question needs it
    from packaging.utils import canonicalize_name  # noqa: PLC0415 - likewise
    from packaging.version import InvalidVersion, Version  # noqa: PLC0415 - likewise

    try:
        wanted = Version(version)
    except InvalidVersion:
        raise CogError(f"{version!r} is not a version of a Python package (PEP 440)") from None
    try:
        requirement = Requirement(written)
    except InvalidRequirement:
        return None
    if canonicalize_name(requirement.name) != name:
        return None
    return requirement.specifier.contains(wanted, prereleases=True)


def _debian(written: str, name: str, version: str) -> bool | None:
    """Whether a group of alternatives admits the version of this name; None when it is about others."""
    from cog_oci.resolver._deb822 import parse_relations  # noqa: PLC0415 - only this question needs it
    from cog_oci.resolver._debian_version import holds  # noqa: PLC0415 - likewise

    relations = [one for group in parse_relations(written, "amd64") for one in group]
    about = [one for one in relations if one.name == name]
    if not about:
        return None
    return any(one.operator is None or holds(version, one.operator, one.version or "") for one in about)
