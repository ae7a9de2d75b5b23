"""The files of somebody else's image, as layers upon each other make them, to be read while a layer is made on top.

The rules are those of image-spec's layer.md, "applying changesets". Contents lie in files without names, one a layer.
"""

from __future__ import annotations

import posixpath
import shutil
import tarfile
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from cog_oci.blobs import open_plain
from cog_oci.layers._deb import Slice
from cog_oci.layers._tar import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import IO

    from cog_oci.lock import BaseLayer
    from cog_oci.store import Store

__all__ = ["image_files"]

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"


@contextmanager
def image_files(layers: Sequence[BaseLayer], store: Store) -> Iterator[dict[str, Entry]]:
    """Entries by path; contents can be read while the context is open. Devices and pipes are left out."""
    folder = store.root / "tmp"
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        files: dict[str, Entry] = {}
        for layer in layers:
            spool = stack.enter_context(tempfile.TemporaryFile(dir=folder))
            with store.path(layer.digest).open("rb") as blob:
                shutil.copyfileobj(open_plain(blob, layer.media_type), spool, 1 << 20)
            spool.flush()
            files = _applied(files, _members(spool), spool.fileno())
        yield files


def _members(spool: IO[bytes]) -> list[tuple[str, tarfile.TarInfo]]:
    spool.seek(0)
    with tarfile.open(fileobj=spool, mode="r:", encoding="utf-8", errors="surrogateescape") as archive:
        return [(_path(member.name), member) for member in archive]


def _applied(
    below: dict[str, Entry], members: Sequence[tuple[str, tarfile.TarInfo]], descriptor: int
) -> dict[str, Entry]:
    # A layer's whiteouts are about the layers below it, wherever in its tar they are.
    gone, emptied = set(), set()
    for path, member in members:
        folder, _, name = path.rpartition("/")
        if name == _OPAQUE:
            emptied.add(folder)
        elif name.startswith(_WHITEOUT):
            gone.add(posixpath.join(folder, name.removeprefix(_WHITEOUT)))
        elif path in below and below[path].kind == "directory" and not member.isdir():
            emptied.add(path)
    files = below if not (gone or emptied) else {p: e for p, e in below.items() if not _is_gone(p, gone, emptied)}
    for path, member in members:
        if path and not posixpath.basename(path).startswith(_WHITEOUT):
            entry = _entry(path, member, descriptor, files)
            if entry is not None:
                _make_folders(path, files)
                files[path] = entry
    return files


def _make_folders(path: str, files: dict[str, Entry]) -> None:
    """The directories that lead to a path, made as engines make them where no layer has them."""
    folder = path.rpartition("/")[0]
    while folder and folder not in files:
        files[folder] = Entry.directory(folder)
        folder = folder.rpartition("/")[0]


def _is_gone(path: str, gone: set[str], emptied: set[str]) -> bool:
    if path in gone:
        return True
    above = path
    while above:
        above = above.rpartition("/")[0]
        if above in gone or above in emptied:
            return True
    return False


def _entry(path: str, member: tarfile.TarInfo, descriptor: int, files: dict[str, Entry]) -> Entry | None:
    mode = member.mode & 0o7777
    if member.isdir():
        return Entry(path=path, kind="directory", mode=mode, uid=member.uid, gid=member.gid)
    if member.issym():
        return Entry.symlink(path, member.linkname)
    if member.islnk():
        linked = files.get(_path(member.linkname))
        return replace(linked, path=path) if linked is not None else None
    if not member.isreg():
        return None
    content = Slice(descriptor, member.offset_data, member.size)
    return Entry(path=path, mode=mode, uid=member.uid, gid=member.gid, content=content)


def _path(name: str) -> str:
    return posixpath.normpath("/" + name).lstrip("/")
