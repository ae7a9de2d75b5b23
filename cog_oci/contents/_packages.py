"""Whose files those are: Python distributions by their RECORD, Debian packages by dpkg's database.

Sources: "Recording installed projects" of the Python packaging specifications; dpkg's /var/lib/dpkg (dpkg(1), FILES),
and the same in one file a package, as images without dpkg keep it (/var/lib/dpkg/status.d).
"""

from __future__ import annotations

import csv
import posixpath
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from cog_oci.contents._root import Root

__all__ = ["Package", "find_packages", "is_record"]

_RECORD = re.compile(r"(?P<folder>(?:.*/)?)(?P<name>[^/-]+)-(?P<version>[^/]+)\.dist-info/RECORD")
_DPKG = "var/lib/dpkg/"
_DPKG_RECORD = re.compile(_DPKG + r"(?:status|info/[^/]+\.list|status\.d/[^/]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A package that is installed in an image; `folder` is where, for Python. `files` are paths as in Member."""

    kind: Literal["python", "debian"]
    name: str
    version: str
    folder: str
    files: tuple[str, ...]


def is_record(path: str) -> bool:
    """Whether the file at this path says what a package has installed."""
    return _RECORD.fullmatch(path) is not None or _DPKG_RECORD.fullmatch(path) is not None


def find_packages(records: Mapping[str, bytes], root: Root) -> list[Package]:
    """Every package that these records of the root name, by kind and name."""
    found = [*_python(records, root), *_debian(records, root), *_debian_without_dpkg(records, root)]
    return sorted(found, key=lambda one: (one.kind, one.name, one.folder, one.version))


def _python(records: Mapping[str, bytes], root: Root) -> Iterator[Package]:
    for path, data in records.items():
        if match := _RECORD.fullmatch(path):
            folder = match["folder"].rstrip("/")
            yield Package(
                kind="python",
                name=canonicalize_name(match["name"]),
                version=match["version"],
                folder=f"/{folder}",
                files=_there((posixpath.join("/", folder, file) for file in _recorded(data)), root),
            )


def _recorded(record: bytes) -> Iterator[str]:
    """The first column of a RECORD, as far as it is what it should be."""
    try:
        yield from (row[0] for row in csv.reader(_text(record).splitlines()) if row)
    except csv.Error:
        return


def _debian(records: Mapping[str, bytes], root: Root) -> Iterator[Package]:
    own: defaultdict[str, list[str]] = defaultdict(list)  # what dpkg keeps of each package
    for path in root:
        if path.startswith(_DPKG + "info/"):
            own[path.removeprefix(_DPKG + "info/").rpartition(".")[0]].append(path)
    for fields in _stanzas(records.get(_DPKG + "status", b"")):
        if not fields.get("Status", "").endswith(" installed"):
            continue
        name, architecture = fields.get("Package", ""), fields.get("Architecture", "")
        paths: list[str] = []
        for qualified in (name, f"{name}:{architecture}"):
            paths += own.get(qualified, ())
            paths += _text(records.get(f"{_DPKG}info/{qualified}.list", b"")).splitlines()
        yield _deb(fields, _there(paths, root))


def _debian_without_dpkg(records: Mapping[str, bytes], root: Root) -> Iterator[Package]:
    for path, data in records.items():
        if path.startswith(_DPKG + "status.d/") and not path.endswith(".md5sums"):
            sums = _text(records.get(path + ".md5sums", b"")).splitlines()
            for fields in _stanzas(data):
                yield _deb(fields, _there((line.partition("  ")[2] for line in sums), root))


def _deb(fields: Mapping[str, str], files: tuple[str, ...]) -> Package:
    name, version = fields.get("Package", ""), fields.get("Version", "")
    return Package(kind="debian", name=name, version=version, folder="", files=files)


def _stanzas(data: bytes) -> Iterator[dict[str, str]]:
    """Deb822 paragraphs, with the first line of each field: more is not asked for here."""
    for stanza in _text(data).split("\n\n"):
        rows = (line.partition(":") for line in stanza.splitlines() if line[:1].strip())
        if fields := {name: value.strip() for name, _, value in rows}:
            yield fields


def _there(paths: Iterable[str], root: Root) -> tuple[str, ...]:
    """Those of the paths that lead to something that is not a directory, each once, as they really are."""
    found: dict[str, None] = {}
    for path in paths:
        real = posixpath.normpath("/" + path).lstrip("/")
        if root.get(real) is None:
            real = root.resolve(real)
        seen = root.get(real)
        if seen is not None and seen.member.kind != "directory":
            found[real] = None
    return tuple(found)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
