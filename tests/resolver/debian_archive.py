"""A small Debian archive on loopback, signed by a key made on the spot."""

from __future__ import annotations

import gzip
import hashlib
import lzma
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import cache
from typing import TYPE_CHECKING

from pysequoia import SignatureMode, Tsk, sign

from cog_oci.resolver._debian_suite import Suite

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Site

NOW = datetime.now(UTC).replace(microsecond=0)
YESTERDAY = NOW - timedelta(days=1)


@cache
def signing_key(owner: str = "archive") -> Tsk:
    """A key of this owner: one for all tests, since it takes a while to make."""
    return Tsk.generate(f"{owner} <{owner}@example.com>")


def paragraph(name: str, version: str = "1.0", **fields: str) -> str:
    """A paragraph of a Packages file; `pre_depends` is Pre-Depends."""
    everything = {
        "Package": name,
        "Version": version,
        "Architecture": "amd64",
        "Filename": f"pool/main/{name}_{version}_amd64.deb",
        "Size": "1000",
        "SHA256": hashlib.sha256(f"{name}={version}".encode()).hexdigest(),
        **{key.replace("_", "-").title(): value for key, value in fields.items()},
    }
    return "".join(f"{key}: {value}\n" for key, value in everything.items()) + "\n"


def listed(name: str, data: bytes, file: str, version: str = "1.0", **fields: str) -> str:
    """The paragraph of a deb that is `data`, at this place of its archive."""
    text = paragraph(name, version, Filename=file, Size=str(len(data)), **fields)
    return re.sub(r"(?m)^SHA256: .*$", f"SHA256: {hashlib.sha256(data).hexdigest()}", text)


@dataclass
class Publication:
    """One state of one suite: change what you like, then `publish`."""

    site: Site
    suite: str = "trixie"
    address: str = "/debian"
    packages: str = ""
    architecture: str = "amd64"
    fields: dict[str, str] = field(
        default_factory=lambda: {"Architectures": "all amd64", "No-Support-for-Architecture-all": "Packages"}
    )
    date: datetime = YESTERDAY
    valid_until: datetime | None = None
    by_hash: bool = True
    signer: Tsk = field(default_factory=signing_key)
    suffix: str = ".xz"
    detached: bool = False
    also: dict[str, bytes] = field(default_factory=dict)
    """Other files that the suite lists, by their paths in it."""

    @property
    def url(self) -> str:
        """The archive's base address."""
        return self.site.url + self.address

    @property
    def index(self) -> bytes:
        """The compressed Packages file."""
        pack = {".xz": lzma.compress, ".gz": lambda data: gzip.compress(data, mtime=0), "": bytes}[self.suffix]
        return pack(self.packages.encode())

    @property
    def index_path(self) -> str:
        """Where it is in the suite; a suite that is a folder has it at the top."""
        if self.suite.endswith("/"):
            return f"Packages{self.suffix}"
        return f"main/binary-{self.architecture}/Packages{self.suffix}"

    @property
    def page(self) -> str:
        """Where the suite is on the site."""
        if self.suite.endswith("/"):
            return f"{self.address}/{self.suite.removeprefix('./')}".rstrip("/")
        return f"{self.address}/dists/{self.suite}"

    @property
    def by_hash_page(self) -> str:
        """Where the index is by its hash."""
        digest = hashlib.sha256(self.index).hexdigest()
        return f"{self.page}/{self.index_path.rpartition('Packages')[0]}by-hash/SHA256/{digest}"

    def text(self) -> str:
        """What gets signed."""
        codename = {} if self.suite.endswith("/") else {"Codename": self.suite}
        fields = {**codename, "Date": _date(self.date), **self.fields}
        if self.valid_until:
            fields["Valid-Until"] = _date(self.valid_until)
        if self.by_hash:
            fields["Acquire-By-Hash"] = "yes"
        rows = (
            f" {hashlib.sha256(data).hexdigest()} {len(data):>8} {path}\n"
            for path, data in {self.index_path: self.index, **self.also}.items()
        )
        return "".join(f"{key}: {value}\n" for key, value in fields.items() if value) + "SHA256:\n" + "".join(rows)

    def signed(self) -> bytes:
        """InRelease."""
        return sign(self.signer.signer(), self.text().encode(), mode=SignatureMode.CLEAR)

    def publish(self) -> Publication:
        """Put it on the site."""
        if self.detached:
            text = self.text().encode()
            self.site.pages[f"{self.page}/Release"] = text
            self.site.pages[f"{self.page}/Release.gpg"] = sign(self.signer.signer(), text, mode=SignatureMode.DETACHED)
        else:
            self.site.pages[f"{self.page}/InRelease"] = self.signed()
        self.site.pages[f"{self.page}/{self.index_path}"] = self.index
        for path, data in self.also.items():
            self.site.pages[f"{self.page}/{path}"] = data
        if self.by_hash:
            self.site.pages[self.by_hash_page] = self.index
        return self


def suite_of(folder: Path, name: str = "trixie", archive: str = "debian", priority: int | None = None) -> Suite:
    """The suite as a resolver knows it, with the certificate of the archive's own key."""
    keyring = folder / "keyring.asc"
    keyring.write_text(str(signing_key().extract_certificate()))
    return Suite(archive, name, keyring, () if name.endswith("/") else ("main",), priority=priority)


def _date(time: datetime) -> str:
    return format_datetime(time, usegmt=True).replace("GMT", "UTC")
