"""Where indexes and archives are on this machine: configuration, asked of the tools that hold it, and never locked.

A lock says `index: default` and `archive: debian`; here those names get addresses. The default index is the one uv is
configured with, Debian's mirror the one in the host's apt sources, and snapshot.debian.org knows every past state.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urldefrag, urljoin

from packaging.utils import canonicalize_name

from cog_oci.errors import CogError
from cog_oci.fetch import NotFoundError
from cog_oci.lock import Deb, Wheel

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from cog_oci.fetch import Fetcher
    from cog_oci.lock import Artifact

__all__ = ["Origins", "uv"]

_SIMPLE = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01"
_INDEX_PAGE_LIMIT = 64 << 20
_SNAPSHOT = "https://snapshot.debian.org/archive"


@cache
def uv() -> str:
    """The path of the uv program that came with us."""
    from uv import find_uv_bin  # noqa: PLC0415 - only lock and a fetch of wheels need it

    return str(find_uv_bin())


class Origins:
    """The addresses behind the names in a lock made `as_of` a time."""

    def __init__(self, fetcher: Fetcher, as_of: datetime, *, apt: Path = Path("/etc/apt")) -> None:
        self._fetcher = fetcher
        self._as_of = as_of
        self._apt = apt

    def locate(self, artifact: Artifact) -> Iterable[str]:
        """The addresses at which an artifact may be found, best first, found out only as far as they are asked for."""
        match artifact:
            case Wheel():
                yield self._wheel(artifact)
            case Deb():
                for base in self.archive(artifact.archive):
                    yield f"{base.rstrip('/')}/{artifact.file}"
            case _:
                raise CogError(f"{artifact.file} has no known source")

    def archive(self, name: str) -> list[str]:
        """Base addresses of a Debian archive (`debian`, `debian-security`): mirrors first, the snapshot last.

        `COG_MIRROR_DEBIAN` and `COG_MIRROR_DEBIAN_SECURITY` come before what apt says.
        """
        variable = "COG_MIRROR_" + name.upper().replace("-", "_")
        if configured := os.environ.get(variable):
            return [configured]
        found = [uri for uri in _apt_uris(self._apt) if uri.rstrip("/").endswith(f"/{name}")]
        return [*dict.fromkeys(found), f"{_SNAPSHOT}/{name}/{self._as_of:%Y%m%dT%H%M%SZ}"]

    def _wheel(self, wheel: Wheel) -> str:
        if wheel.index != "default":
            raise CogError(
                f"{wheel.file} is locked from the index {wheel.index!r}, which is not configured on this machine"
            )
        page = f"{default_index().rstrip('/')}/{canonicalize_name(wheel.name)}/"
        body = self._fetcher.get(page, limit=_INDEX_PAGE_LIMIT, accept=_SIMPLE, name=f"the index page of {wheel.name}")
        for file, address in _links(body, page):
            if file == wheel.file:
                return address
        raise NotFoundError(wheel.file, page, "the index does not list this file any more")


@cache
def default_index() -> str:
    """The address of the index that uv is configured with (environment, uv.toml), asked of uv itself."""
    command = [uv(), "pip", "compile", "-", "--emit-index-url", "--no-header", "--quiet", "--offline"]
    answer = subprocess.run(command, input="", capture_output=True, text=True, check=False)
    match = re.search(r"^--index-url (\S+)", answer.stdout, re.MULTILINE)
    if not match:
        raise CogError("uv does not say which package index it uses: " + answer.stderr.strip())
    return match[1]


def _links(body: bytes, page: str) -> Iterator[tuple[str, str]]:
    """(file name, address) of each link on a page of the simple repository API (PEP 691, else PEP 503)."""
    if body.lstrip()[:1] == b"{":
        for file in json.loads(body)["files"]:
            yield file["filename"], urljoin(page, file["url"])
        return
    parser = _Anchors()
    parser.feed(body.decode("utf-8", "replace"))
    for text, href in parser.links:
        yield text, urldefrag(urljoin(page, href)).url


class _Anchors(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[tuple[str, str]] = []
        self._href: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self._href = dict(attrs).get("href")

    def handle_data(self, data: str) -> None:
        if self._href is not None:
            self.links.append((data.strip(), self._href))
            self._href = None


def _apt_uris(apt: Path) -> Iterator[str]:
    """The addresses in sources.list and sources.list.d, one-line and deb822 (sources.list(5)), enabled ones only."""
    for path in [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*"))]:
        try:
            text = path.read_text(encoding="utf-8")
        except OSError:
            continue
        if path.suffix == ".sources":
            yield from _deb822_uris(text)
        elif path.suffix == ".list":
            for match in re.finditer(r"^\s*deb\s+(?:\[[^\]]*\]\s*)?(\S+)", text, re.MULTILINE):
                yield match[1]


def _deb822_uris(text: str) -> Iterator[str]:
    uncommented = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for stanza in re.split(r"\n\s*\n", uncommented):
        fields = {
            match[1].lower(): match[2].split()
            for match in re.finditer(r"^([A-Za-z-]+):((?:.*)(?:\n[ \t].*)*)", stanza, re.MULTILINE)
        }
        if "deb" in fields.get("types", []) and fields.get("enabled") != ["no"]:
            yield from fields.get("uris", [])
