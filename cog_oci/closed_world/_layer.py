"""A layer as the dynamic linker would look at it: its tar read once, front to back, with only those facts kept."""

from __future__ import annotations

import posixpath
import struct
import tarfile
import tempfile
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from cog_oci.closed_world._elf import HEAD_SIZE, MAGIC, Elf, Want, read_elf

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["LayerFacts", "read_facts"]

_READ_AHEAD = 1 << 18
_IN_MEMORY = 32 << 20  # bytes of a file; what is larger waits on disk until all of it is there
_CACHE = "etc/ld.so.cache"
_CACHE_MAGIC = b"glibc-ld.so.cache1.1"
_CACHE_HEADER = struct.Struct("<20sI24x")
_CACHE_ENTRY = struct.Struct("<IIIIQ")
_OWN_FOLDER = "src"


@dataclass(frozen=True, slots=True)
class LayerFacts:
    """What is in a layer, paths without a slash at the beginning.

    `links` are symbolic links and where they lead, `same` hard links, `others` all other members, whiteouts included,
    folders with a slash at the end; `cache` is what ld.so.cache lists, as pairs of name and path, None when the layer
    has none.
    """

    elves: Mapping[str, Elf]
    links: Mapping[str, str]
    same: Mapping[str, str]
    others: tuple[str, ...]
    cache: tuple[tuple[str, str], ...] | None

    @property
    def inert(self) -> bool:
        """Whether nothing that is linked depends on this layer: it has only files of the user's that are no ELF."""
        if self.elves or self.links or self.same or self.cache is not None:
            return False
        return all(path.partition("/")[0] == _OWN_FOLDER and "/.wh." not in path for path in self.others)

    def to_json(self) -> dict[str, Any]:
        """Values that JSON has; `of_json` makes the facts of them again."""
        return {
            "elves": {path: astuple(elf) for path, elf in self.elves.items()},
            "links": dict(self.links),
            "same": dict(self.same),
            "others": list(self.others),
            "cache": self.cache,
        }

    @classmethod
    def of_json(cls, values: dict[str, Any]) -> Self:
        """From what `to_json` gave."""
        elves = {path: _elf(row) for path, row in values["elves"].items()}
        cache = None if values["cache"] is None else tuple((name, path) for name, path in values["cache"])
        return cls(elves, values["links"], values["same"], tuple(values["others"]), cache)


def read_facts(tar: BinaryIO, name: str, scratch: Path | None = None) -> LayerFacts:
    """The facts of a layer, from its plain tar; `name` serves for messages. Raises DamagedLayerError.

    What is too large for memory is written into the folder `scratch` for the while, None for the system's.
    """
    elves: dict[str, Elf] = {}
    links: dict[str, str] = {}
    same: dict[str, str] = {}
    others: list[str] = []
    cache: tuple[tuple[str, str], ...] | None = None
    try:
        for archive, info in _members(tar):
            path = _path(info.name)
            if info.issym():
                links[path] = info.linkname
            elif info.islnk():
                same[path] = _path(info.linkname)
            elif info.isreg() and path == _CACHE:
                cache = tuple(_cached(_content(archive, info).read()))
                others.append(path)
            elif info.isreg() and (elf := _read_elf(archive, info, scratch)) is not None:
                elves[path] = elf
            else:
                others.append(f"{path}/" if info.isdir() else path)
    except tarfile.TarError as error:
        from cog_oci.contents import DamagedLayerError  # noqa: PLC0415 - a layer that is whole needs no such error

        raise DamagedLayerError(name, str(error)) from None
    return LayerFacts(elves, links, same, tuple(others), cache)


def _members(tar: BinaryIO) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    with tarfile.open(
        fileobj=tar, mode="r|", bufsize=_READ_AHEAD, encoding="utf-8", errors="surrogateescape"
    ) as archive:
        while (info := archive.next()) is not None:
            archive.members = []  # type: ignore[attr-defined]  # left out by typeshed; it would remember every header
            yield archive, info


def _read_elf(archive: tarfile.TarFile, info: tarfile.TarInfo, scratch: Path | None) -> Elf | None:
    """The file as the linker sees it. Its parts may be anywhere in it, and the archive is read only forwards."""
    if info.size < HEAD_SIZE or info.path.startswith(("usr/lib/debug/", "./usr/lib/debug/")):
        return None
    content = _content(archive, info)
    head = content.read(HEAD_SIZE)
    if not head.startswith(MAGIC):
        return None
    with tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=None if scratch is None else str(scratch)) as file:
        file.write(head)
        while chunk := content.read(1 << 20):
            file.write(chunk)

        def read(offset: int, size: int) -> bytes:
            file.seek(offset)
            return file.read(size)

        return read_elf(read)


def _content(archive: tarfile.TarFile, info: tarfile.TarInfo) -> BinaryIO:
    file = archive.extractfile(info)
    assert file is not None, "a regular file has content"
    return file  # type: ignore[return-value]  # which reads as one does


def _cached(data: bytes) -> Iterator[tuple[str, str]]:
    """What a cache of the new format (glibc, dl-cache.h) lists, in its order, without variants for single processors.

    What cannot be read is not listed: the linker does without it, too.
    """
    if not data.startswith(_CACHE_MAGIC) or len(data) < _CACHE_HEADER.size:
        return
    _, count = _CACHE_HEADER.unpack_from(data)
    rows = data[_CACHE_HEADER.size : _CACHE_HEADER.size + count * _CACHE_ENTRY.size]
    for _, name, path, _, variant in _CACHE_ENTRY.iter_unpack(
        rows[: len(rows) // _CACHE_ENTRY.size * _CACHE_ENTRY.size]
    ):
        if not variant:
            yield _string(data, name), _string(data, path)


def _string(data: bytes, at: int) -> str:
    return data[at : max(data.find(b"\0", at), at)].decode("utf-8", "surrogateescape")


def _elf(row: list[Any]) -> Elf:
    bits, machine, interpreter, soname, needed, rpath, runpath, wants, has = row
    wanted = tuple(Want(*pair) for pair in wants)
    return Elf(bits, machine, interpreter, soname, tuple(needed), rpath, runpath, wanted, tuple(has))


def _path(name: str) -> str:
    return posixpath.normpath("/" + name).lstrip("/")
