"""Where indexes and archives are on this machine: configuration, asked of the tools that hold it, and never locked.

A lock says `index: default` and `archive: debian`; here those names get addresses. The default index is the one uv is
configured with, Debian's mirror the one in the host's apt sources, and snapshot.debian.org knows every past state.
Archives of others are where cog.yaml says.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urldefrag, urljoin

from packaging.utils import canonicalize_name

from cog_oci import shipped
from cog_oci.apt import DEBIAN, Archives
from cog_oci.errors import CogError
from cog_oci.fetch import NotFoundError
from cog_oci.indexes import DEFAULT, Indexes, with_login_of
from cog_oci.lock import Deb, InterpreterArchive, Wheel

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from cog_oci.fetch import Fetcher
    from cog_oci.lock import Artifact

__all__ = ["Listed", "Origins", "VanishedError", "uv"]

_SIMPLE = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01"
_INDEX_PAGE_LIMIT = 64 << 20
_SNAPSHOT = "https://snapshot.debian.org/archive"
_PLAIN = "/~+:@!$&'()*,;="  # what a path may hold as it is (RFC 3986 §3.3)


class VanishedError(CogError):
    """A deb that its archive has no more, where no snapshot service keeps the past."""

    def __init__(self, deb: Deb) -> None:
        self.deb = deb
        super().__init__(
            f"the archive {deb.archive} does not have {deb.file} any more, which is locked as {deb.name} {deb.version}",
            hint=f"`cog-oci lock -P {deb.name}` takes the version that it has now; or bring the file from a machine "
            "that built with it: `cog-oci store export` there, `cog-oci store import` here",
        )


_FINDING = threading.Lock()


def uv() -> str:
    """The path of the uv program that came with us."""
    with _FINDING:  # it asks sysconfig, which another thread would find half-made while it is being made
        return _find_uv()


@cache
def _find_uv() -> str:
    from uv import find_uv_bin  # noqa: PLC0415 - only lock and a fetch of wheels need it

    return str(find_uv_bin())


@dataclass(frozen=True, slots=True)
class Listed:
    """A file on an index page: its name, its address, and what PEP 691 says of it besides."""

    file: str
    address: str
    row: Mapping[str, Any]


class Origins:
    """The addresses behind the names in a lock made `as_of` a time.

    `earlier` are times at which Debian packages were locked that have been kept since: mirrors drop what was replaced.
    The `fetcher` trusts the hosts that the `indexes` say.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        as_of: datetime,
        *,
        earlier: Sequence[datetime] = (),
        indexes: Indexes = Indexes(),  # noqa: B008 - a frozen value
        archives: Archives = Archives(),  # noqa: B008 - likewise
        apt: Path = Path("/etc/apt"),
    ) -> None:
        self._fetcher = fetcher
        fetcher.trust(indexes.trusted)
        self._indexes = indexes
        self._archives = archives
        self._times = tuple(dict.fromkeys((as_of, *earlier)))
        self._apt = apt
        self._asking = threading.Lock()

    def locate(self, artifact: Artifact) -> Iterable[str]:
        """The addresses at which an artifact may be found, best first, found out only as far as they are asked for."""
        match artifact:
            case Wheel():
                yield self._wheel(artifact)
            case Deb():
                for base in self.archive(artifact.archive):
                    yield f"{base.rstrip('/')}/{quote(artifact.file, safe=_PLAIN)}"
                if artifact.archive not in DEBIAN:
                    raise VanishedError(artifact)
            case InterpreterArchive():
                yield f"{interpreters()}/{quote(artifact.file)}"
            case _:
                raise CogError(f"{artifact.file} has no known source")

    def archive(self, name: str) -> list[str]:
        """Base addresses of a Debian archive (`debian`, `debian-security`): mirrors first, the snapshot last.

        `COG_MIRROR_DEBIAN` and `COG_MIRROR_DEBIAN_SECURITY` come before what apt says. An archive of others has one
        address, that of cog.yaml or `COG_APT_NAME`; a CogError for one that has none.
        """
        if name not in DEBIAN:
            return [self._archives.address(name, _nvidia(name))]
        variable = "COG_MIRROR_" + name.upper().replace("-", "_")
        if configured := os.environ.get(variable):
            return [configured]
        found = [uri for uri in _apt_uris(self._apt) if uri.rstrip("/").endswith(f"/{name}")]
        return [*dict.fromkeys(found), *(f"{_SNAPSHOT}/{name}/{time:%Y%m%dT%H%M%SZ}" for time in self._times)]

    def file_of(self, package: str, index: str, file: str) -> str:
        """The address of a file that an index lists for a package; NotFoundError when it does not, any more."""
        for listed in self.listed(package, index):
            if listed.file == file:
                return listed.address
        page = f"{self._index(index)}/{canonicalize_name(package)}/"
        raise NotFoundError(file, page, "the index does not list this file any more")

    def listed(self, package: str, index: str) -> list[Listed]:
        """Every file that an index, by its name, has of a package. Raises what `Fetcher.get` raises."""
        page = f"{self._index(index)}/{canonicalize_name(package)}/"
        body = self._fetcher.get(page, limit=_INDEX_PAGE_LIMIT, accept=_SIMPLE, name=f"the index page of {package}")
        return [replace(one, address=with_login_of(one.address, page)) for one in _listed(body, page)]

    def _wheel(self, wheel: Wheel) -> str:
        if wheel.source is not None and wheel.source.url and not wheel.built:
            return self.direct(wheel.source.url)
        if wheel.source is not None:
            raise CogError(
                f"no index has {wheel.file}: it is {'built from source' if wheel.built else wheel.source.path}",
                hint="run `cog-oci fetch` in its project, or bring it with `cog-oci store export` and `store import`",
            )
        return self.file_of(wheel.name, wheel.index, wheel.file)

    def direct(self, address: str) -> str:
        """An address of a lock as this project has it, which may be with a login."""
        return self._indexes.direct.get(address, address)

    def _index(self, name: str) -> str:
        if name != DEFAULT:
            return self._indexes.with_login(name)
        with self._asking:  # several downloads begin at once, and uv need be asked by one of them only
            return default_index().rstrip("/")


def _nvidia(name: str) -> str:
    """Where NVIDIA's archive of this name is; empty for a name that is none of theirs."""
    if not name.startswith("nvidia-"):
        return ""
    from cog_oci.cuda_index import cuda_index  # noqa: PLC0415 - few images have packages of NVIDIA's

    index = cuda_index()
    return next((f"{index.nvidia}/{row.folder}" for row in index.archives if row.name == name), "")


def interpreters() -> str:
    """The address below which python-build-standalone's archives are: `BUILD/FILE`, as on its page of releases.

    `COG_PYTHON_MIRROR`, else uv's own `UV_PYTHON_INSTALL_MIRROR`, else where the project keeps them.
    """
    configured = os.environ.get("COG_PYTHON_MIRROR") or os.environ.get("UV_PYTHON_INSTALL_MIRROR")
    if not configured:
        configured = json.loads(shipped.lockfile("python-build-standalone.json").read_bytes())["releases"]
    return str(configured).rstrip("/")


@cache
def default_index() -> str:
    """The address of the index that uv is configured with (environment, uv.toml), asked of uv itself."""
    command = [uv(), "pip", "compile", "-", "--emit-index-url", "--no-header", "--quiet", "--offline"]
    answer = subprocess.run(command, input="", capture_output=True, text=True, check=False)
    match = re.search(r"^--index-url (\S+)", answer.stdout, re.MULTILINE)
    if not match:
        raise CogError("uv does not say which package index it uses: " + answer.stderr.strip())
    return match[1]


def _listed(body: bytes, page: str) -> Iterator[Listed]:
    """Each file on a page of the simple repository API (PEP 691, else PEP 503 with PEP 592, 629 and 714)."""
    if body.lstrip()[:1] == b"{":
        for file in json.loads(body)["files"]:
            yield Listed(file["filename"], urljoin(page, file["url"]), file)
        return
    for text, said in _anchors(body.decode("utf-8", "replace")):
        address, fragment = urldefrag(urljoin(page, said.get("href") or ""))
        row: dict[str, Any] = {
            key: said[f"data-{key}"] for key in ("requires-python", "yanked") if said.get(f"data-{key}") is not None
        }
        if match := re.search(r"(?:^|&)sha256=([0-9a-f]{64})", fragment):
            row["hashes"] = {"sha256": match[1]}
        if "data-core-metadata" in said or "data-dist-info-metadata" in said:
            row["core-metadata"] = True
        yield Listed(text, address, row)


def _anchors(page: str) -> list[tuple[str, dict[str, str | None]]]:
    """The text and the attributes of each link on a page in HTML."""
    from html.parser import HTMLParser  # noqa: PLC0415 - most indexes answer in JSON

    links: list[tuple[str, dict[str, str | None]]] = []

    class Anchors(HTMLParser):
        said: dict[str, str | None] | None = None

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag == "a":
                self.said = dict(attrs)

        def handle_data(self, data: str) -> None:
            if self.said is not None and self.said.get("href"):
                links.append((data.strip(), self.said))
            self.said = None

    Anchors().feed(page)
    return links


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
