"""Why a set of Debian packages cannot be had, as errors with their facts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cog_oci.errors import CogError, RequestError
from cog_oci.resolver._debian_index import Package
from cog_oci.resolver._debian_rules import Exclusion, Need

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from resolvelib.structs import RequirementInformation

    from cog_oci.resolver._debian_index import PackageIndex
    from cog_oci.resolver._debian_rules import Candidate, Key, Requirement

__all__ = [
    "Trace",
    "UnknownPackageError",
    "UnknownVersionError",
    "UnsatisfiableError",
    "VirtualPackageError",
    "explain",
]


@dataclass(frozen=True, slots=True)
class Trace:
    """Another suite that has a name, or other components of the same one; `here` are names that took its place here."""

    suite: str
    components: tuple[str, ...]
    version: str
    here: tuple[str, ...] = ()


class UnknownPackageError(RequestError):
    """A name that no index lists. `near` are names that do exist, the nearest first; `traces` are where it is known."""

    def __init__(self, name: str, suite: str, near: Sequence[str], traces: Sequence[Trace] = ()) -> None:
        self.name, self.suite, self.near, self.traces = name, suite, tuple(near), tuple(traces)
        told = "".join(f"; {_where(trace, suite)}" for trace in traces) + (f"; near: {', '.join(near)}" if near else "")
        super().__init__(f"{name} does not exist in {suite}{told}", asked=name, hint=_other_name(suite, traces))


class FileNameError(RequestError):
    """A file where a package should be. `holders` are packages that have it, `near` some that are called alike."""

    def __init__(self, name: str, suite: str, holders: Sequence[str], near: Sequence[str]) -> None:
        self.name, self.suite, self.holders, self.near = name, suite, tuple(holders), tuple(near)
        told = f"; it is in {' and in '.join(holders)}" if holders else f"; near: {', '.join(near)}" if near else ""
        super().__init__(
            f"{name} is a file, not a package of {suite}{told}", asked=name, hint="name the package that has the file"
        )


def _where(trace: Trace, suite: str) -> str:
    if trace.suite == suite:
        return f"it is in {', '.join(trace.components)}, which {suite} is not read with"
    stands_for = f", where it only stands for {' and '.join(trace.here)}" if trace.here else ""
    return f"{trace.suite} has {trace.version}{stands_for}"


def _other_name(suite: str, traces: Sequence[Trace]) -> str:
    for trace in traces:
        if trace.suite == suite:
            components = ", ".join(trace.components)
            return f"add it to build.apt: {{name: debian, suite: {suite}, components: [{components}]}}"
        if trace.here:
            return f"name {' and '.join(trace.here)} in its place"
    return "check the spelling, and that this release of Debian has it"


class VirtualPackageError(RequestError):
    """A name that several packages provide and none bears."""

    def __init__(self, name: str, suite: str, providers: Sequence[str]) -> None:
        self.name, self.suite, self.providers = name, suite, tuple(providers)
        super().__init__(
            f"{name} is a virtual package in {suite}, provided by {', '.join(providers)}",
            asked=name,
            hint="name one of them",
        )


class UnknownVersionError(RequestError):
    """A pin on a version that no index lists."""

    def __init__(self, name: str, version: str, suite: str, available: Sequence[str]) -> None:
        self.name, self.version, self.suite, self.available = name, version, suite, tuple(available)
        super().__init__(
            f"{name}={version} does not exist in {suite}, which has {' and '.join(available)}",
            asked=f"{name}={version}",
            hint="pin one of those, or lock with an earlier --as-of that still had it",
        )


class UnsatisfiableError(CogError):
    """Packages that exist and do not go together. `reasons` has a line for each side of the disagreement."""

    def __init__(self, reasons: Sequence[str]) -> None:
        self.reasons = tuple(reasons)
        super().__init__(
            "these Debian packages do not go together:\n" + "\n".join(f"  {reason}" for reason in reasons),
            hint="leave out or pin one of the packages at the left",
        )


def explain(
    causes: Iterable[RequirementInformation[Requirement, Candidate]],
    first: Mapping[Key, tuple[Requirement, Candidate | None]],
    asked: Mapping[Requirement, str],
    index: PackageIndex,
) -> list[str]:
    """A line for each cause: who asked at first, the way from there, and what is wanted or refused.

    `first` says by which requirement each key came in, `asked` who asked for what no package asks for.
    """
    return sorted({_chain(cause.requirement, cause.parent, first, asked, index) for cause in causes})


def _chain(
    requirement: Requirement,
    parent: Candidate | None,
    first: Mapping[Key, tuple[Requirement, Candidate | None]],
    asked: Mapping[Requirement, str],
    index: PackageIndex,
) -> str:
    way: list[str] = []
    top = requirement
    while parent is not None:
        if isinstance(parent, Package):
            way.append(str(parent))
        top, parent = first[parent.name if isinstance(parent, Package) else parent.key]
    verb = "refuses" if isinstance(requirement, Exclusion) else "needs"
    text = " → ".join([asked[top], *reversed(way)]) + f" {verb} {requirement.said}"
    if isinstance(requirement, Need) and not requirement.allowed:
        available = [str(package) for package in index.versions(requirement.key)]
        text += f", and there is {'only ' + ' and '.join(available) if available else 'none'}"
    return text
