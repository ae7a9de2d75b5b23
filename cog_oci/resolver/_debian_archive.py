"""A suite's package indexes, as they were at a time: which address has that state, and every file of it verified."""

from __future__ import annotations

import gzip
import lzma
import re
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cog_oci.errors import CogError
from cog_oci.fetch import FetchError, redacted
from cog_oci.lock import Archive
from cog_oci.resolver._debian_release import ReleaseError, verify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from cog_oci.fetch import Fetcher
    from cog_oci.resolver._debian_release import Release, Suite
    from cog_oci.store import Store

__all__ = ["SuiteState", "UnavailableStateError", "open_suite"]

_INRELEASE_LIMIT = 8 << 20
_SNAPSHOT = re.compile(r"/\d{8}T\d{6}Z/?$")
_OPENERS: dict[str, Callable[[bytes], bytes]] = {".xz": lzma.decompress, ".gz": gzip.decompress, "": bytes}


class UnavailableStateError(CogError):
    """No address has the suite as it was at `as_of`. `reasons` is what each one had instead."""

    def __init__(self, suite: Suite, as_of: datetime, reasons: Sequence[str]) -> None:
        self.suite, self.as_of, self.reasons = suite, as_of, tuple(reasons)
        told = "; ".join(reasons) or "no address is known for it"
        variable = f"COG_MIRROR_{suite.archive.upper().replace('-', '_')}"
        super().__init__(
            f"no address has {suite} as of {as_of:%Y-%m-%d %H:%M:%S} UTC: {told}",
            hint=f"check the network, lock with a later --as-of, or name a mirror that has this state with {variable}",
        )


@dataclass(frozen=True, slots=True)
class SuiteState:
    """One state of a suite, at the address that has it."""

    release: Release
    address: str

    @property
    def archive(self) -> Archive:
        """How a lock names this state."""
        return Archive(
            name=self.release.suite.archive,
            suite=self.release.suite.suite,
            date=self.release.date.isoformat().replace("+00:00", "Z"),
            inrelease=self.release.digest.removeprefix("sha256:"),
        )

    def packages(self, fetcher: Fetcher, architecture: str) -> Iterator[bytes]:
        """The text of each Packages file that this architecture needs, one a component (two where `all` is apart).

        Raises ReleaseError when the suite lists none, FetchError and DigestMismatchError as `Fetcher.blob` does.
        """
        for component in self.release.suite.components:
            yield self._index(fetcher, component, architecture)
            if self.release.all_apart:
                yield self._index(fetcher, component, "all")

    def _index(self, fetcher: Fetcher, component: str, architecture: str) -> bytes:
        suite = self.release.suite
        stem = f"{component}/binary-{architecture}/Packages"
        suffix = next((suffix for suffix in _OPENERS if stem + suffix in self.release.files), None)
        if suffix is None:
            known = ", ".join(self.release.architectures)
            raise ReleaseError(suite, f"it lists no {stem}; its architectures are {known or 'not named'}")
        digest, size = self.release.files[stem + suffix]
        path = fetcher.blob(f"{suite} {stem}{suffix}", self._addresses(stem + suffix), digest, size)
        try:
            return _OPENERS[suffix](path.read_bytes())
        except (lzma.LZMAError, OSError, EOFError, zlib.error) as error:
            raise ReleaseError(suite, f"{stem}{suffix} is signed for, and cannot be unpacked: {error}") from error

    def _addresses(self, path: str) -> list[str]:
        """By hash first: a mirror in the middle of an update then still has what its InRelease speaks of."""
        plain = f"{self.address}/{path}"
        if not self.release.by_hash:
            return [plain]
        digest, _ = self.release.files[path]
        folder = plain.rpartition("/")[0]
        return [f"{folder}/by-hash/SHA256/{digest.removeprefix('sha256:')}", plain]


def open_suite(suite: Suite, addresses: Sequence[str], fetcher: Fetcher, store: Store, as_of: datetime) -> SuiteState:
    """The suite as it was at `as_of`, from the first address that has that state; its InRelease is kept in the store.

    A live mirror has only its present state, which may be younger; an address that ends in a time stamp is a snapshot.
    What is signed wrongly, is another suite or has expired is an error at once, whatever other addresses would say:
    ReleaseError. UnavailableStateError when every address is younger than `as_of` or cannot be reached.
    """
    reasons: list[str] = []
    for base in addresses:
        address = f"{base.rstrip('/')}/dists/{suite.suite}"
        try:
            data = fetcher.get(f"{address}/InRelease", limit=_INRELEASE_LIMIT, name=f"InRelease of {suite}")
        except FetchError as error:
            reasons.append(f"{error.url}: {error.reason}")
            continue
        release = verify(data, suite)
        if release.date > as_of:
            reasons.append(f"{redacted(base)} has the state of {release.date:%Y-%m-%d %H:%M:%S}, which is later")
            continue
        release.check_fresh(as_of if _SNAPSHOT.search(base) else datetime.now(UTC))
        store.add(data)
        return SuiteState(release, address)
    raise UnavailableStateError(suite, as_of, reasons)
