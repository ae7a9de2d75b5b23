"""Why a package is not at another version: who says so, as far as the files are here that say it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cog_oci.declared import requirements
from cog_oci.errors import CogError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cog_oci.reasons import Locked, Reasons
    from cog_oci.resolver.target import Target
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


def verdicts(
    reasons: Reasons,
    locked: Locked,
    version: str,
    store: Store,
    target: Target,
    asked: Sequence[tuple[str, str]] = (),
) -> list[Verdict]:
    """What each that asked for `locked` says of `version`; those that refuse it first.

    `asked` are the requirements of the project itself: who has it (`cog.yaml`, or a file that only constrains), and as
    it is written. What is for another Python or platform than the `target` does not count. Raises CogError for what is
    no version.
    """
    question = _Question(locked, version, target)
    found = [verdict for asker in reasons.askers(locked) for verdict in question.of(asker, reasons, store)]
    own = [one for asker, written in asked for one in question.verdict(asker, written)]
    if any(one.asker == "cog.yaml" for one in own):
        found = [one for one in found if one.asker != "cog.yaml"]
    order = {False: 0, None: 1, True: 2}
    return sorted([*found, *own], key=lambda one: (order[one.admits], one.asker, one.written))


@dataclass(frozen=True, slots=True)
class _Question:
    """Whether a package may be at this version."""

    locked: Locked
    version: str
    target: Target

    def of(self, asker: str, reasons: Reasons, store: Store) -> Iterator[Verdict]:
        """What a package says, or that it is not known."""
        package = next((one for one in reasons.find(asker) if one.kind == self.locked.kind), None)
        if package is None or not store.has(package.artifact.digest, package.artifact.size):
            yield Verdict(asker if package is None else str(package), "", None)
            return
        for written in requirements(package.artifact, store):
            yield from self.verdict(str(package), written)

    def verdict(self, asker: str, written: str) -> Iterator[Verdict]:
        """What a requirement says; nothing when it is about something else."""
        debian = self.locked.kind == "debian"
        admits = _debian(written, self.locked.artifact.name, self.version) if debian else self._python(written)
        if admits is not None:
            # Which extras were asked for is not in the lock: a requirement of one may not count.
            unsure = not admits and not debian and "extra" in written.partition(";")[2]
            yield Verdict(asker, written, None if unsure else admits)

    def _python(self, written: str) -> bool | None:
        """Whether a requirement (PEP 508) admits the version; None when it is about something else, or elsewhere."""
        from packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415 - only this needs it
        from packaging.utils import canonicalize_name  # noqa: PLC0415 - likewise
        from packaging.version import InvalidVersion, Version  # noqa: PLC0415 - likewise

        try:
            wanted = Version(self.version)
        except InvalidVersion:
            raise CogError(f"{self.version!r} is not a version of a Python package (PEP 440)") from None
        try:
            requirement = Requirement(written)
        except InvalidRequirement:
            return None
        if canonicalize_name(requirement.name) != self.locked.artifact.name:
            return None
        if requirement.marker is not None:
            here = dict(self.target.environment())
            extras = re.findall(r"extra\s*==\s*['\"]([^'\"]+)", str(requirement.marker)) or [""]
            if not any(requirement.marker.evaluate({**here, "extra": extra}) for extra in extras):  # type: ignore[dict-item]  # a TypedDict is a dict
                return None
        # What is at an address is what it is.
        return requirement.url is None and requirement.specifier.contains(wanted, prereleases=True)


def _debian(written: str, name: str, version: str) -> bool | None:
    """Whether a group of alternatives admits the version of this name; None when it is about others."""
    from cog_oci.resolver._deb822 import parse_relations  # noqa: PLC0415 - only this question needs it
    from cog_oci.resolver._debian_version import holds  # noqa: PLC0415 - likewise

    relations = [one for group in parse_relations(written, "amd64") for one in group]
    about = [one for one in relations if one.name == name]
    if not about:
        return None
    return any(one.operator is None or holds(version, one.operator, one.version or "") for one in about)
