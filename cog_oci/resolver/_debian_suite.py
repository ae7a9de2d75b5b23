"""A suite of a Debian archive: what it is called, who may sign for it, how much it counts; and what can be wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cog_oci.apt import DEBIAN
from cog_oci.errors import CogError

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

__all__ = ["ExpiredReleaseError", "ReleaseError", "SignatureError", "Suite", "WrongSuiteError"]


@dataclass(frozen=True, slots=True)
class Suite:
    """One suite of one archive, and the certificates that may sign for it (a file, binary or armored).

    With a `fingerprint` only that certificate of the file counts. A `suite` that ends in a slash is a folder below the
    archive's address that has its index at the top (a flat repository): it has no components. `priority` is apt's pin
    priority, None for what the archive says of itself.
    """

    archive: str
    suite: str
    keyring: Path
    components: tuple[str, ...] = ("main",)
    fingerprint: str | None = None
    priority: int | None = None

    @property
    def flat(self) -> bool:
        """Whether everything is in one folder (sources.list(5): an exact path as the suite)."""
        return self.suite.endswith("/")

    @property
    def folder(self) -> str:
        """Where its InRelease is, below the archive's address; empty for the top."""
        if not self.flat:
            return f"dists/{self.suite}"
        return self.suite.removeprefix("./").strip("/")

    @property
    def foreign(self) -> bool:
        """Whether it is none of Debian's own, so that no snapshot has its past."""
        return self.archive not in DEBIAN

    def __str__(self) -> str:
        return f"{self.archive} {self.suite}"


class ReleaseError(CogError):
    """An InRelease that cannot be used, and whose it is."""

    def __init__(self, suite: Suite, problem: str, *, hint: str | None = None) -> None:
        self.suite = suite
        super().__init__(f"InRelease of {suite}: {problem}", hint=hint)


class SignatureError(ReleaseError):
    """No signature, or none by a key we know. `signers` are the fingerprints or key IDs that the file names."""

    def __init__(self, suite: Suite, problem: str, signers: tuple[str, ...] = ()) -> None:
        self.signers = signers
        super().__init__(suite, problem, hint=_signature_hint(suite))


class WrongSuiteError(ReleaseError):
    """A well signed file of another suite: someone renamed it, or the mirror is confused."""

    def __init__(self, suite: Suite, found: tuple[str, ...]) -> None:
        self.found = found
        hint = "write one of those as its suite, or use another mirror" if suite.foreign else "use another mirror"
        super().__init__(suite, f"it is the one of {' or '.join(found) or 'no suite at all'}", hint=hint)


class ExpiredReleaseError(ReleaseError):
    """Valid-Until has passed: the mirror is stale, or someone replays an old state that lacks security updates."""

    def __init__(self, suite: Suite, valid_until: datetime, at: datetime) -> None:
        self.valid_until, self.at = valid_until, at
        super().__init__(
            suite,
            f"it was valid until {valid_until:%Y-%m-%d %H:%M} UTC, and it is {at:%Y-%m-%d %H:%M}",
            hint="use another mirror, and check this machine's clock",
        )


def _signature_hint(suite: Suite) -> str:
    if suite.foreign:
        return (
            f"ask whoever runs {suite.archive} which key signs it, by another way than this one, and name that in "
            "build.apt; if the key is right, someone else is answering at this address"
        )
    return "the mirror, or something on the way to it, is not serving what Debian signed; use another mirror"
