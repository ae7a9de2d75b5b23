"""InRelease: what a Debian suite says about itself, believed only as far as a signature covers it.

The format is that of Debian's wiki, DebianRepository/Format; the signature is OpenPGP's in cleartext (RFC 9580 §7).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from cog_oci.oci import Digest, parse_digest, sha256
from cog_oci.resolver._deb822 import parse_fields
from cog_oci.resolver._debian_signature import signed_text
from cog_oci.resolver._debian_suite import ExpiredReleaseError, ReleaseError, WrongSuiteError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cog_oci.resolver._debian_suite import Suite

__all__ = ["Release", "verify"]


@dataclass(frozen=True, slots=True)
class Release:
    """A verified InRelease: `files` maps a path below its folder to (sha256 digest, size in bytes).

    `digest` names the InRelease itself, signature and all, or the Release whose signature is apart; `signed_by` is the
    fingerprint of the certificate; `priority` the pin priority that it has where nobody says otherwise.
    """

    suite: Suite
    digest: Digest
    signed_by: str
    date: datetime
    valid_until: datetime | None
    by_hash: bool
    architectures: tuple[str, ...]
    all_apart: bool
    priority: int
    files: Mapping[str, tuple[Digest, int]] = field(repr=False)

    def check_fresh(self, at: datetime) -> None:
        """Raise ExpiredReleaseError when Valid-Until lies before `at`."""
        if self.valid_until is not None and self.valid_until < at:
            raise ExpiredReleaseError(self.suite, self.valid_until, at)


def verify(data: bytes, suite: Suite, signature: bytes | None = None) -> Release:
    """Check the signature, inside or apart, and read what it covers, and nothing around it.

    Raises SignatureError, WrongSuiteError, and ReleaseError for a file without the fields that matter.
    """
    signed = signed_text(data, suite, signature)
    fields = parse_fields(signed.text)
    names = tuple(dict.fromkeys(fields[key] for key in ("codename", "suite") if fields.get(key)))
    # A folder may be called anything: a flat repository is known by its address and its key.
    if suite.suite not in names and not suite.flat:
        raise WrongSuiteError(suite, names)
    date = _time(suite, fields, "Date")
    if date is None:
        raise ReleaseError(suite, "it has no Date")
    architectures = tuple(fields.get("architectures", "").split())
    return Release(
        suite=suite,
        digest=sha256(data),
        signed_by=signed.by,
        date=date,
        valid_until=_time(suite, fields, "Valid-Until"),
        by_hash=fields.get("acquire-by-hash") == "yes",
        architectures=architectures,
        all_apart="all" in architectures
        and "Packages" not in fields.get("no-support-for-architecture-all", "").split(),
        priority=_priority(fields),
        files=_files(suite, fields.get("sha256", "")),
    )


def _priority(fields: Mapping[str, str]) -> int:
    """apt_preferences(5): 500, or less for a suite that wants to be asked for by name, such as backports."""
    if fields.get("notautomatic") != "yes":
        return 500
    return 100 if fields.get("butautomaticupgrades") == "yes" else 1


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
        files[match[3].removeprefix("./")] = parse_digest(f"sha256:{match[1]}"), int(match[2])
    return files
