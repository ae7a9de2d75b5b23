"""The shared MIME database that update-mime-database makes of packages' XML files.

Shared MIME-info Database specification 0.21. Order, errors and what a file holds beyond the specification are those of
shared-mime-info 2.2 (bookworm) and 2.4 (trixie), which differ in nothing but the version that they write.
"""

from __future__ import annotations

import os
import posixpath
from typing import TYPE_CHECKING

from cog_oci.layers._tar import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cog_oci.layers._deb import Package
    from cog_oci.layers._effects.tree import Tree

__all__ = ["mime_database", "mime_files"]

_PACKAGE = "shared-mime-info"
_FOLDER = "usr/share/mime"
_OVERRIDE = b"Override.xml"


def mime_database(tree: Tree, packages: Mapping[str, Package]) -> Iterator[Entry]:
    """Everything below usr/share/mime but the XML files of packages, which it is made of."""
    if _PACKAGE not in packages:
        return
    paths = {name: f"{_FOLDER}/packages/{name}" for name in tree.children(f"{_FOLDER}/packages")}
    found = {name: path for name, path in paths.items() if name.endswith(".xml") and tree.content(path) is not None}
    sources = {os.fsencode(name): tree.read(path) for name, path in found.items()}
    if not sources:
        return
    version = packages[_PACKAGE].fields["Version"].rpartition("-")[0].rpartition(":")[2]
    for path, data in mime_files(sources, version).items():
        # A type may be `../name`.
        yield Entry.file(posixpath.normpath(f"{_FOLDER}/{path}"), data)


def mime_files(sources: Mapping[bytes, bytes], version: str) -> dict[str, bytes]:
    """The files that a database has, by path below its folder; `sources` are packages' XML files by name.

    A file that is no XML is left out, and so is a type's own document where a file is in its way; of a type with an
    error, what comes before it counts. Elements of the internal document type's entities are taken as their text.
    """
    from cog_oci.layers._effects.mime.database import Database, read  # noqa: PLC0415 - most images have no such types
    from cog_oci.layers._effects.mime.lists import lists  # noqa: PLC0415 - likewise
    from cog_oci.layers._effects.mime.mime_cache import mime_cache  # noqa: PLC0415 - likewise

    database = Database()
    for name in sorted(sources, key=lambda name: (name == _OVERRIDE, name)):
        read(sources[name], database)
    documents = {
        posixpath.normpath(f"{os.fsdecode(name.lower())}.xml".lstrip("/")): data
        for name, data in database.documents().items()
    }
    own = {**lists(database), "mime.cache": mime_cache(database), "version": f"{version}\n".encode()}
    files = {**documents, **own}
    return {path: data for path, data in files.items() if path.rpartition("/")[0] not in files}
