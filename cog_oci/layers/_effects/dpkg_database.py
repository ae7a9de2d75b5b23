"""dpkg's database: what `dpkg -l`, `dpkg -L`, `dpkg -V` and vulnerability scanners read.

Written as dpkg itself writes it (dpkg's lib/dpkg/parse.c has the order of the fields), so that dpkg can go on from it.
Files that were left out to be slim stay listed, as with dpkg's own path-exclude.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from cog_oci.layers._tar import Bytes, Entry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cog_oci.layers._deb import Package
    from cog_oci.layers._effects.tree import Tree
    from cog_oci.layers._tar import Content
    from cog_oci.layers._unpack import Unpacked

__all__ = ["dpkg_database", "dpkg_database_above"]

_ADMIN = "var/lib/dpkg"
_FIRST = (
    *("Package", "Essential", "Protected", "Status", "Priority", "Section", "Installed-Size", "Origin", "Maintainer"),
    *("Bugs", "Architecture", "Multi-Arch", "Source", "Version", "Replaces", "Provides", "Depends", "Pre-Depends"),
    *("Recommends", "Suggests", "Breaks", "Conflicts", "Enhances", "Conffiles", "Description"),
)
_RELATIONS = frozenset(
    ("Replaces", "Provides", "Depends", "Pre-Depends", "Recommends", "Suggests", "Breaks", "Conflicts", "Enhances")
)
_TRIGGER = re.compile(r"^\s*interest(-await|-noawait)?\s+(\S+)", re.MULTILINE)


def dpkg_database(unpacked: Sequence[Unpacked]) -> Iterator[Entry]:
    """The status of every package, what dpkg keeps of each, and who is interested in which trigger."""
    ordered = sorted(unpacked, key=lambda one: one.package.qualified)
    yield Entry.file(f"{_ADMIN}/status", "\n".join(_status(one) for one in ordered).encode("utf-8", "surrogateescape"))
    yield Entry.file(f"{_ADMIN}/info/format", b"1\n")
    for name in ("updates", "parts"):
        yield Entry.directory(f"{_ADMIN}/{name}")
    for one in ordered:
        yield from _info(one)
    yield from _triggers([one.package for one in ordered])


def dpkg_database_above(unpacked: Sequence[Unpacked], tree: Tree) -> Iterator[Entry]:
    """The same for packages that are added to those in the database of a tree, of which nothing is lost."""
    for entry in dpkg_database(unpacked):
        if entry.kind == "directory" or entry.path not in tree:
            yield entry
        elif entry.path == f"{_ADMIN}/status":
            names = {one.package.name.encode() for one in unpacked}
            rows = [row for row in tree.read(entry.path).strip(b"\n").split(b"\n\n") if _named(row) not in names]
            yield Entry.file(entry.path, b"\n\n".join([*rows, b"".join(_content(entry))]))
        elif entry.path.startswith(f"{_ADMIN}/triggers/"):
            yield Entry.file(entry.path, tree.read(entry.path) + b"".join(_content(entry)))
        elif entry.path != f"{_ADMIN}/info/format":
            yield entry


def _named(paragraph: bytes) -> bytes:
    found = re.search(rb"^Package: *(\S+)", paragraph, re.MULTILINE)
    return found[1] if found else b""


def _content(entry: Entry) -> Iterator[bytes | memoryview]:
    return iter(()) if entry.content is None else entry.content.chunks()


def _info(one: Unpacked) -> Iterator[Entry]:
    prefix = f"{_ADMIN}/info/{one.package.qualified}"
    paths = "".join(f"/{entry.path or '.'}\n" for entry in one.entries)
    yield Entry.file(f"{prefix}.list", paths.encode("utf-8", "surrogateescape"))
    for name, file in one.package.files.items():
        if name != "control":
            yield Entry(path=f"{prefix}.{name}", mode=file.mode, content=Bytes(file.data))
    if "md5sums" not in one.package.files:
        # dpkg makes up for packages that bring none; `dpkg --audit` complains when it is missing.
        ours = set(one.package.script("conffiles").split("\n"))
        rows = (
            f"{_md5(entry.content)}  {entry.path}\n"
            for entry in one.entries
            if entry.content is not None and f"/{entry.path}" not in ours
        )
        yield Entry.file(f"{prefix}.md5sums", "".join(rows).encode("utf-8", "surrogateescape"))


def _status(one: Unpacked) -> str:
    fields = dict(one.package.fields)
    fields["Status"] = "install ok installed"
    if conffiles := _conffiles(one):
        fields["Conffiles"] = "".join(f"\n {path} {digest}" for path, digest in conffiles)
    names = [*(name for name in _FIRST if name in fields), *(name for name in fields if name not in _FIRST)]
    return "".join(f"{name}:{_value(name, fields[name])}\n" for name in names)


def _value(name: str, value: str) -> str:
    if name in _RELATIONS:
        value = re.sub(r"\s+", " ", value)
        value = re.sub(r" ?\( ?([<>=]+) ?([^ )]+) ?\)", r" (\1 \2)", value)
        value = re.sub(r" ?([,|]) ?", lambda found: ", " if found[1] == "," else " | ", value)
    return value if value.startswith("\n") else f" {value}"


def _conffiles(one: Unpacked) -> list[tuple[str, str]]:
    """Configuration files and the MD5 of their contents as shipped, by which dpkg sees a user's changes.

    One that is to be removed on an upgrade is in no package (deb-conffiles(5)): dpkg notes that it has seen it.
    """
    contents = {f"/{entry.path}": entry.content for entry in one.entries if entry.content is not None}
    found = []
    for row in one.package.script("conffiles").split("\n"):
        flag, blank, path = row.partition(" ")
        if row in contents:
            found.append((row, _md5(contents[row])))
        elif blank and flag == "remove-on-upgrade":
            found.append((path.strip(), "newconffile remove-on-upgrade"))
    return found


def _md5(content: Content) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    for chunk in content.chunks():
        digest.update(chunk)
    return digest.hexdigest()


def _triggers(packages: Sequence[Package]) -> Iterator[Entry]:
    """Interests (deb-triggers(5)): in files in one file, in named triggers in a file for each."""
    in_files: list[str] = []
    named: dict[str, list[str]] = {}
    for package in packages:
        for kind, name in _TRIGGER.findall(package.script("triggers")):
            row = package.qualified + ("/noawait" if kind == "-noawait" else "")
            if name.startswith("/"):
                in_files.append(f"{name} {row}\n")
            else:
                named.setdefault(name, []).append(f"{row}\n")
    yield Entry.file(f"{_ADMIN}/triggers/File", "".join(in_files))
    yield Entry.file(f"{_ADMIN}/triggers/Unincorp", b"")
    for name, rows in sorted(named.items()):
        yield Entry.file(f"{_ADMIN}/triggers/{name}", "".join(rows))
