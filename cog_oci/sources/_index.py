"""An index on loopback that shows source archives to uv as if they were wheels, so that uv chooses among them.

uv is not to build anything, and so it does not consider what has no wheel. Here a version that has none for the target
is listed with one, whose metadata is that of the source: what PKG-INFO says, or what building it says. This is only for
packages that are named; uv asks the true index for all others.
"""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from packaging.version import Version

    from cog_oci.resolver.python import Target

__all__ = ["IndexedFile", "SourceIndex"]

_KIND = "application/vnd.pypi.simple.v1+json"
_TAG = "0source"  # a build tag (PEP 427), by which such a file is known again


@dataclass(frozen=True, slots=True)
class IndexedFile:
    """A file that an index lists: its name, address, and what PEP 691 has besides."""

    index: str
    file: str
    address: str
    row: Mapping[str, Any]

    @property
    def sha256(self) -> str:
        """Empty where the index does not say it."""
        return str((self.row.get("hashes") or {}).get("sha256", ""))


@dataclass
class SourceIndex:
    """`files` lists what the true index has of a package; `metadata` is that of the wheel of a source archive.

    `from_source` says of which packages no wheel is to be taken even if there is one; with `everything`, packages need
    not be named. After uv has asked, `offered` has
    the source archive behind each file name, `indexes` the true index of each package, and `failure` what went wrong.
    """

    names: frozenset[str]
    target: Target
    from_source: Callable[[str], bool]
    files: Callable[[str], list[IndexedFile]]
    metadata: Callable[[IndexedFile], bytes]
    everything: bool = False
    offered: dict[str, IndexedFile] = field(default_factory=dict)
    indexes: dict[str, str] = field(default_factory=dict)
    failure: Exception | None = None
    _making: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def served(self) -> Iterator[str]:
        """Answer while the context is open, at the address that it gives."""
        import http.server  # noqa: PLC0415 - few locks have packages without wheels

        index = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                status, kind, body = index.answer(unquote(self.path))
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, name="sources")
            thread.start()
            try:
                yield f"http://127.0.0.1:{server.server_address[1]}/simple"
            finally:
                server.shutdown()
                thread.join()

    def answer(self, path: str) -> tuple[int, str, bytes]:
        """Status, kind and body for a path."""
        place, _, name = path.strip("/").partition("/")
        try:
            if place == "simple" and (self.everything or canonicalize_name(name) in self.names):
                return 200, _KIND, self._page(canonicalize_name(name))
            if place == "files" and (source := self.offered.get(name.removesuffix(".metadata"))):
                with self._making:
                    return 200, "text/plain", self.metadata(source)
        except Exception as error:  # noqa: BLE001 - it is raised where uv was asked
            self.failure = self.failure or error
            return 403, "text/plain", b""  # which uv does not ask again
        return 404, "text/plain", b""

    def _page(self, name: str) -> bytes:
        """PEP 691: of each version the wheels for the target, else one for its source archive."""
        wheels: dict[Version, list[IndexedFile]] = {}
        sources: dict[Version, IndexedFile] = {}
        tags = frozenset(self.target.tags())
        for one in self.files(name):
            self.indexes[name] = one.index
            try:
                if one.file.endswith(".whl"):
                    _, version, _, fits = parse_wheel_filename(one.file)
                    if not fits.isdisjoint(tags):
                        wheels.setdefault(version, []).append(one)
                else:
                    sources.setdefault(parse_sdist_filename(one.file)[1], one)
            except (InvalidWheelFilename, InvalidSdistFilename):
                continue
        rows = []
        for version in {*wheels, *sources}:
            if version in wheels and not self.from_source(name):
                rows += [{**one.row, "filename": one.file, "url": one.address} for one in wheels[version]]
            elif version in sources:
                rows.append(self._offer(name, version, sources[version]))
        return json.dumps({"meta": {"api-version": "1.1"}, "name": name, "files": rows}).encode()

    def _offer(self, name: str, version: Version, source: IndexedFile) -> dict[str, Any]:
        file = f"{name.replace('-', '_')}-{str(version).replace('-', '_')}-{_TAG}-py3-none-any.whl"
        self.offered[file] = source
        said = ("requires-python", "upload-time", "yanked")
        kept: dict[str, Any] = {key: source.row[key] for key in said if key in source.row}
        # No one has this file, and uv does not ask for it; what stands in for its hash is that of the source.
        hashes = {"sha256": source.sha256 or "0" * 64}
        return {**kept, "filename": file, "url": f"/files/{file}", "core-metadata": True, "size": 0, "hashes": hashes}
