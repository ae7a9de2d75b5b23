"""InRelease: what a Debian suite says about itself, believed only as far as a signature covers it.

The format is that of Debian's wiki, DebianRepository/Format; the signature is OpenPGP's in cleartext (RFC 9580 §7).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from cog_oci.errors import CogError
from cog_oci.oci import Digest, parse_digest, sha256
from cog_oci.resolver._deb822 import parse_fields

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["ExpiredReleaseError", "Release", "ReleaseError", "SignatureError", "Suite", "WrongSuiteError", "verify"]

_SIGNED = b"-----BEGIN PGP SIGNED MESSAGE-----"
_FINGERPRINTS_SHOWN = 4


@dataclass(frozen=True, slots=True)
class Suite:
    """One suite of one archive, and the certificates that may sign for it (a file, binary or armored)."""

    archive: str
    suite: str
    keyring: Path
    components: tuple[str, ...] = ("main",)

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
        super().__init__(
            suite,
            problem,
            hint="the mirror, or something on the way to it, is not serving what Debian signed; use another mirror",
        )


class WrongSuiteError(ReleaseError):
    """A well signed file of another suite: someone renamed it, or the mirror is confused."""

    def __init__(self, suite: Suite, found: tuple[str, ...]) -> None:
        self.found = found
        super().__init__(
            suite, f"it is the one of {' or '.join(found) or 'no suite at all'}", hint="use another mirror"
        )


class ExpiredReleaseError(ReleaseError):
    """Valid-Until has passed: the mirror is stale, or someone replays an old state that lacks security updates."""

    def __init__(self, suite: Suite, valid_until: datetime, at: datetime) -> None:
        self.valid_until, self.at = valid_until, at
        super().__init__(
            suite,
            f"it was valid until {valid_until:%Y-%m-%d %H:%M} UTC, and it is {at:%Y-%m-%d %H:%M}",
            hint="use another mirror, and check this machine's clock",
        )


@dataclass(frozen=True, slots=True)
class Release:
    """A verified InRelease: `files` maps a path below `dists/SUITE/` to (sha256 digest, size in bytes).

    `digest` names the InRelease itself, signature and all.
    """

    suite: Suite
    digest: Digest
    date: datetime
    valid_until: datetime | None
    by_hash: bool
    architectures: tuple[str, ...]
    all_apart: bool
    files: Mapping[str, tuple[Digest, int]] = field(repr=False)

    def check_fresh(self, at: datetime) -> None:
        """Raise ExpiredReleaseError when Valid-Until lies before `at`."""
        if self.valid_until is not None and self.valid_until < at:
            raise ExpiredReleaseError(self.suite, self.valid_until, at)


def verify(data: bytes, suite: Suite) -> Release:
    """Check the signature and read what it covers, and nothing around it.

    Raises SignatureError, WrongSuiteError, and ReleaseError for a file without the fields that matter.
    """
    fields = parse_fields(_signed_text(data, suite))
    names = tuple(dict.fromkeys(fields[key] for key in ("codename", "suite") if fields.get(key)))
    if suite.suite not in names:
        raise WrongSuiteError(suite, names)
    date = _time(suite, fields, "Date")
    if date is None:
        raise ReleaseError(suite, "it has no Date")
    architectures = tuple(fields.get("architectures", "").split())
    return Release(
        suite=suite,
        digest=sha256(data),
        date=date,
        valid_until=_time(suite, fields, "Valid-Until"),
        by_hash=fields.get("acquire-by-hash") == "yes",
        architectures=architectures,
        all_apart="all" in architectures
        and "Packages" not in fields.get("no-support-for-architecture-all", "").split(),
        files=_files(suite, fields.get("sha256", "")),
    )


def _signed_text(data: bytes, suite: Suite) -> bytes:
    """The text inside the signature; at least one of the certificates we ship must have signed it."""
    import pysequoia  # noqa: PLC0415 - a library of 13 MB that only `lock` needs

    if not data.startswith(_SIGNED):
        raise SignatureError(suite, "it is not signed")
    certificates = pysequoia.Cert.split_bytes(suite.keyring.read_bytes())
    signers: list[str] = []

    def known(identities: list[str]) -> list[pysequoia.Cert]:
        signers.extend(sorted(identities))
        return certificates

    try:
        verified = pysequoia.verify(data, known)
    except RuntimeError as error:  # the library's only class; its text ends in a stack trace
        raise _refusal(suite, tuple(signers), str(error).partition("\n")[0]) from None
    if not verified.valid_sigs or verified.bytes is None:
        raise _refusal(suite, tuple(signers), "no valid signature")
    return verified.bytes


def _refusal(suite: Suite, signers: tuple[str, ...], reason: str) -> SignatureError:
    if not signers:
        return SignatureError(suite, f"its signature cannot be read: {reason}")
    shown = ", ".join(signers[:_FINGERPRINTS_SHOWN])
    ours = _key_fingerprints(suite.keyring)
    if any(key.endswith(signer) for signer in signers for key in ours):
        return SignatureError(suite, f"the signature by {shown} is not valid: the text was changed", signers)
    return SignatureError(suite, f"it is signed by {shown}, which is not a key of {suite.archive}", signers)


def _key_fingerprints(keyring: Path) -> list[str]:
    """Those of primary keys and subkeys: signatures name the subkey that made them."""
    from pysequoia.packet import PacketPile  # noqa: PLC0415 - only for a message

    packets = PacketPile.from_bytes(keyring.read_bytes())
    return [packet.fingerprint for packet in packets if packet.fingerprint]


def _time(suite: Suite, fields: Mapping[str, str], name: str) -> datetime | None:
    text = fields.get(name.lower())
    if not text:
        return None
    try:
        parsed = parsedate_to_datetime(text)
    except ValueError:
        raise ReleaseError(suite, f"{name} is {text!r}, which is not a time") from None
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def _files(suite: Suite, table: str) -> dict[str, tuple[Digest, int]]:
    files: dict[str, tuple[Digest, int]] = {}
    for line in table.splitlines():
        if not line:
            continue
        match = re.fullmatch(r"([0-9a-f]{64})\s+(\d+)\s+(\S+)", line)
        if match is None:
            raise ReleaseError(suite, f"its table of SHA256 has the line {line!r}")
        files[match[3]] = parse_digest(f"sha256:{match[1]}"), int(match[2])
    return files
