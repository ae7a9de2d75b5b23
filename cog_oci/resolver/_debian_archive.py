"""A suite's package indexes, as they were at a time: which address has that state, and every file of it verified."""

from __future__ import annotations

import lzma
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, BinaryIO

from isal import igzip, isal_zlib

from cog_oci.apt import DEBIAN
from cog_oci.errors import CogError
from cog_oci.fetch import FetchError, NotFoundError, redacted
from cog_oci.lock import Archive
from cog_oci.resolver._debian_release import verify
from cog_oci.resolver._debian_suite import ReleaseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from io import BufferedIOBase
    from pathlib import Path

    from cog_oci.fetch import Fetcher
    from cog_oci.resolver._debian_release import Release
    from cog_oci.resolver._debian_suite import Suite
    from cog_oci.store import Store

__all__ = ["SuiteState", "UnavailableStateError", "open_suite"]

_INRELEASE_LIMIT = 8 << 20
_SNAPSHOT = re.compile(r"/\d{8}T\d{6}Z/?$")
_INDEX_LIMIT = 1 << 30  # Debian's largest is 60 MB
_PIECE = 1 << 18  # bytes: stays in a processor's cache until it is read
# The preferred one first: a third larger to fetch than xz, and unpacked in a fifth of the time: half a second less.
_OPENERS: dict[str, Callable[[BinaryIO], BufferedIOBase | BinaryIO]] = {
    ".gz": lambda file: igzip.IGzipFile(fileobj=file),  # type: ignore[no-untyped-call]  # isal has no types
    ".xz": lzma.LZMAFile,
    "": lambda file: file,
}


class UnavailableStateError(CogError):
    """No address has the suite as it was at `as_of`. `reasons` is what each one had instead."""

    def __init__(self, suite: Suite, as_of: datetime, reasons: Sequence[str]) -> None:
        self.suite, self.as_of, self.reasons = suite, as_of, tuple(reasons)
        told = "; ".join(reasons) or "no address is known for it"
        super().__init__(
            f"no address has {suite} as of {as_of:%Y-%m-%d %H:%M:%S} UTC: {told}", hint=_where_else(suite.archive)
        )


def _where_else(archive: str) -> str:
    name = archive.upper().replace("-", "_")
    if archive not in DEBIAN:
        return (
            "check the network; an archive of others has only its present state: lock with a later --as-of, or name a "
            f"copy of that time with COG_APT_{name}"
        )
    return f"check the network, lock with a later --as-of, or name a mirror that has this state with COG_MIRROR_{name}"


@dataclass(frozen=True, slots=True)
class SuiteState:
    """One state of a suite, at the address that has it."""

    release: Release
    address: str

    @property
    def archive(self) -> Archive:
        """How a lock names this state."""
        suite = self.release.suite
        return Archive(
            name=suite.archive,
            suite=suite.suite,
            date=self.release.date.isoformat().replace("+00:00", "Z"),
            inrelease=self.release.digest.removeprefix("sha256:"),
            key=self.release.signed_by if suite.foreign else "",
        )

    @property
    def priority(self) -> int:
        """The pin priority of what is in it, as apt has it."""
        said = self.release.suite.priority
        return self.release.priority if said is None else said

    def packages(self, fetcher: Fetcher, architecture: str) -> Iterator[bytes]:
        """The text of each Packages file that this architecture needs, one a component (two where `all` is apart).

        Raises what `listings` does.
        """
        yield from map(b"".join, self.listings(fetcher, architecture))

    def listings(self, fetcher: Fetcher, architecture: str) -> Iterator[Iterator[bytes]]:
        """As `packages`, each file in pieces, which are unpacked as they are asked for.

        Raises ReleaseError when the suite lists none, FetchError and DigestMismatchError as `Fetcher.blob` does.
        """
        if self.release.suite.flat:
            yield self._index(fetcher, "Packages")
        for component in self.release.suite.components:
            yield self._index(fetcher, f"{component}/binary-{architecture}/Packages")
            if self.release.all_apart:
                yield self._index(fetcher, f"{component}/binary-all/Packages")

    def contents(self, fetcher: Fetcher, architecture: str) -> Iterator[Path]:
        """The files that say which package has which path, compressed with gzip, as far as the suite lists any.

        Raises what `Fetcher.blob` does.
        """
        suite = self.release.suite
        for component in suite.components:
            listed = f"{component}/Contents-{architecture}.gz"
            if listed in self.release.files:
                yield fetcher.blob(f"{suite} {listed}", self._addresses(listed), *self.release.files[listed])

    def _index(self, fetcher: Fetcher, stem: str) -> Iterator[bytes]:
        suite = self.release.suite
        suffixes = [suffix for suffix in _OPENERS if stem + suffix in self.release.files]
        if not suffixes:
            known = ", ".join(self.release.architectures)
            raise ReleaseError(suite, f"it lists no {stem}; its architectures are {known or 'not named'}")
        absent: NotFoundError | None = None
        for suffix in suffixes:
            digest, size = self.release.files[stem + suffix]
            try:
                path = fetcher.blob(f"{suite} {stem}{suffix}", self._addresses(stem + suffix), digest, size)
            except NotFoundError as error:  # a small archive may list what it does not keep
                absent = absent or error
                continue
            return self._opened(path, stem, suffix)
        assert absent is not None
        raise absent

    def _opened(self, path: Path, stem: str, suffix: str) -> Iterator[bytes]:
        size = 0
        try:
            with path.open("rb") as packed, _OPENERS[suffix](packed) as file:
                while piece := file.read(_PIECE):
                    yield piece
                    if (size := size + len(piece)) > _INDEX_LIMIT:
                        break
        except (lzma.LZMAError, OSError, EOFError, isal_zlib.error) as error:  # type: ignore[misc]  # isal has no types
            problem = f"{stem}{suffix} is signed for, and cannot be unpacked: {error}"
            raise ReleaseError(self.release.suite, problem) from error
        if size > _INDEX_LIMIT:
            raise ReleaseError(self.release.suite, f"{stem}{suffix} unpacks to more than {_INDEX_LIMIT >> 20} MB")

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
        address = f"{base.rstrip('/')}/{suite.folder}".rstrip("/")
        try:
            data, signature = _fetched(address, suite, fetcher)
        except FetchError as error:
            reasons.append(f"{error.url}: {error.reason}")
            continue
        release = verify(data, suite, signature)
        if release.date > as_of:
            reasons.append(f"{redacted(base)} has the state of {release.date:%Y-%m-%d %H:%M:%S}, which is later")
            continue
        release.check_fresh(as_of if _SNAPSHOT.search(base) else datetime.now(UTC))
        store.add(data)
        return SuiteState(release, address)
    raise UnavailableStateError(suite, as_of, reasons)


def _fetched(address: str, suite: Suite, fetcher: Fetcher) -> tuple[bytes, bytes | None]:
    """InRelease, or Release and its signature: archives that were made long ago, or for apt of then, have no other."""

    def get(name: str) -> bytes:
        return fetcher.get(f"{address}/{name}", limit=_INRELEASE_LIMIT, name=f"{name} of {suite}")

    try:
        return get("InRelease"), None
    except FetchError as absent:
        # A bucket says 403 of what is not in it.
        if not (suite.foreign and absent.reason.startswith("HTTP 4")):
            raise
        try:
            return get("Release"), get("Release.gpg")
        except FetchError:
            raise absent from None
