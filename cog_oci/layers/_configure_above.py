"""Debs on top of somebody else's Debian: unpacked and, without running anything, configured as dpkg would there."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from cog_oci.layers._deb import ControlFile, Package
from cog_oci.layers._effects import effects_above
from cog_oci.layers._effects.tree import Tree
from cog_oci.layers._image_files import image_files
from cog_oci.layers._scripts import check
from cog_oci.layers._unpack import linked, merge, unpack_all

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from cog_oci.layers._tar import Entry
    from cog_oci.lock import BaseLayer, Deb
    from cog_oci.store import Store

__all__ = ["configured_above"]

_STATUS = "var/lib/dpkg/status"


@contextmanager
def configured_above(
    layers: Sequence[BaseLayer], debs: Sequence[Deb], store: Store, without: Collection[str] = ()
) -> Iterator[Iterable[Entry]]:
    """The files of `debs` on these layers, and what configuring them changes there.

    Raises DamagedDebError, FileConflictError and UnknownScriptError, each naming the package.
    """
    with image_files(layers, store) as below, unpack_all(debs, store) as unpacked:
        for one in unpacked:
            if one.package.name not in without:
                check(one.package)
        tree = Tree(below)
        own = _placed((owned.entry for owned in merge(unpacked).values()), tree)
        installed = _installed(tree.read(_STATUS) if _STATUS in tree else b"")
        added = effects_above({**below, **own}, unpacked, installed, without)
        new = {path: entry for path, entry in {**own, **added}.items() if not _same(below.get(path), entry)}
        yield linked({**_directories(new, below), **new}.values())


def _placed(entries: Iterable[Entry], tree: Tree) -> dict[str, Entry]:
    """Where dpkg would put them: through links to directories that are there; such directories stay as they are."""
    found: dict[str, Entry] = {}
    for entry in entries:
        folder, _, name = entry.path.rpartition("/")
        real = tree.resolve(folder) if folder in tree else folder
        path = f"{real}/{name}" if real else name
        there = tree.at(tree.resolve(path) or path)
        if entry.kind == "directory" and there is not None and there.kind == "directory":
            continue
        found[path] = replace(entry, path=path)
    return found


def _installed(status: bytes) -> dict[str, Package]:
    """The packages of dpkg's database that are there, with what they say of themselves and without their scripts."""
    found = {}
    for paragraph in status.strip(b"\n").split(b"\n\n"):
        if re.search(rb"^Status:.* installed$", paragraph, re.MULTILINE):
            package = Package("", {"control": ControlFile(paragraph, 0o644)})
            found[package.name] = package
    return found


def _same(there: Entry | None, entry: Entry) -> bool:
    if there is None or (there.kind, there.target) != (entry.kind, entry.target):
        return False
    if entry.kind == "symlink":
        return True
    if (there.mode, there.uid, there.gid, there.xattrs) != (entry.mode, entry.uid, entry.gid, entry.xattrs):
        return False
    one, other = there.content, entry.content
    if one is None or other is None:
        return one is other
    return one.size == other.size and b"".join(one.chunks()) == b"".join(other.chunks())


def _directories(new: Iterable[str], below: Mapping[str, Entry]) -> dict[str, Entry]:
    """The directories above these paths that lie below this layer: without them here, their modes would be lost."""
    above = {str(parent) for path in new for parent in PurePosixPath(path).parents}
    return {path: below[path] for path in above if path in below and below[path].kind == "directory"}
