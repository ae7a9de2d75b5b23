"""The members of a layer: its tar read once, front to back, with nothing of it kept but what describes it."""

from __future__ import annotations

import hashlib
import math
import posixpath
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Literal, Self, cast

from cog_oci.errors import CogError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["DamagedLayerError", "Kind", "LayerContents", "Member", "read_layer"]

Kind = Literal["file", "directory", "symlink", "hardlink", "character device", "block device", "pipe"]

_CHUNK = 1 << 20
_READ_AHEAD = 1 << 16  # the standard library copies what it has read ahead at every header
_KEPT_LIMIT = 32 << 20
_KINDS: dict[bytes, Kind] = {
    tarfile.LNKTYPE: "hardlink",
    tarfile.SYMTYPE: "symlink",
    tarfile.DIRTYPE: "directory",
    tarfile.CHRTYPE: "character device",
    tarfile.BLKTYPE: "block device",
    tarfile.FIFOTYPE: "pipe",
}
# An archive ends with blocks of zeros, or without; both are common.
_ENDS = (tarfile.EOFHeaderError, tarfile.EmptyHeaderError)  # type: ignore[attr-defined]  # typeshed leaves them out
_DEVICES = frozenset({"character device", "block device"})
_ATTRIBUTE = "SCHILY.xattr."  # the key of PAX records with extended attributes (image-spec, layer.md)


class DamagedLayerError(CogError):
    """A layer whose tar cannot be read; `layer` is its name in the image."""

    def __init__(self, layer: str, reason: str) -> None:
        self.layer, self.reason = layer, reason
        super().__init__(
            f"layer {layer!r} is no tar that can be read: {reason}", hint="get the image again from where it came"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One member of a layer. `path` is below the image's root, without a slash at either end; the root's is empty.

    `mode` is the permission bits with set-id and sticky. `size` is in bytes and `sha256` the hex digest of the content:
    0 and empty for all but files. `target` is where a link leads (for a hard link: a path like `path`), or a device's
    two numbers. `attributes` are the extended ones, sorted by name.
    """

    path: str
    kind: Kind
    mode: int = 0
    uid: int = 0
    gid: int = 0
    mtime: int = 0
    size: int = 0
    sha256: str = ""
    target: str = ""
    attributes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class LayerContents:
    """A layer: `size` is that of its tar, in bytes; `kept` has the content of files that were asked for, by path."""

    members: tuple[Member, ...]
    size: int
    kept: Mapping[str, bytes]


def read_layer(tar: BinaryIO, name: str, keep: Callable[[str], bool] = lambda _path: False) -> LayerContents:
    """What is in a layer, from its plain tar, which is read to its end.

    `name` serves for messages. Files whose path `keep` approves are kept, up to 32 MiB each. Memory depends on the
    number of members and not on their sizes. Raises DamagedLayerError.
    """
    counted = _Counted(tar)
    kept: dict[str, bytes] = {}
    try:
        members = tuple(_members(counted, keep, kept))
    except tarfile.TarError as error:
        raise DamagedLayerError(name, str(error)) from None
    while counted.read(_CHUNK):  # what follows the end mark; where the bytes are verified, their end is where it shows
        pass
    return LayerContents(members, counted.size, kept)


class _Counted:
    """A stream that says how many bytes were read from it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.size = 0

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self.size += len(data)
        return data


class _Strict(tarfile.TarInfo):
    """A header that holds: the standard library takes a damaged one for the end of the archive."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(archive)
        except _ENDS:
            raise
        except (tarfile.HeaderError, ValueError) as error:  # the latter for the map of a sparse file
            raise tarfile.ReadError(f"{error} at byte {archive.offset}") from None


def _members(stream: _Counted, keep: Callable[[str], bool], kept: dict[str, bytes]) -> Iterator[Member]:
    with tarfile.open(
        fileobj=cast("BinaryIO", stream),
        mode="r|",
        bufsize=_READ_AHEAD,
        tarinfo=_Strict,
        encoding="utf-8",
        errors="surrogateescape",
    ) as archive:
        while (info := archive.next()) is not None:
            archive.members = []  # type: ignore[attr-defined]  # left out by typeshed; it would remember every header
            path = _path(info.name)
            digest = ""
            if info.isreg():
                wanted = info.size <= _KEPT_LIMIT and keep(path)
                digest, content = _content(archive, info, keep=wanted)
                if wanted:
                    kept[path] = content
            yield _member(info, path, digest)


def _member(info: tarfile.TarInfo, path: str, digest: str) -> Member:
    kind = _KINDS.get(info.type, "file")
    target = info.linkname
    if kind == "hardlink":
        target = _path(info.linkname)
    elif kind in _DEVICES:
        target = f"{info.devmajor}:{info.devminor}"
    elif kind != "symlink":
        target = ""
    attributes = sorted(
        (key.removeprefix(_ATTRIBUTE), value) for key, value in info.pax_headers.items() if key.startswith(_ATTRIBUTE)
    )
    return Member(
        path=path,
        kind=kind,
        mode=info.mode & 0o7777,
        uid=info.uid,
        gid=info.gid,
        mtime=int(info.mtime) if math.isfinite(info.mtime) else 0,
        size=info.size if kind == "file" else 0,
        sha256=digest,
        target=target,
        attributes=tuple(attributes),
    )


def _content(archive: tarfile.TarFile, info: tarfile.TarInfo, *, keep: bool) -> tuple[str, bytes]:
    """The sha256 of a file's content, and the content if it is to be kept."""
    digest = hashlib.sha256()
    pieces = []
    file = archive.extractfile(info)
    assert file is not None, "a regular file has content"
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
        if keep:
            pieces.append(chunk)
    return digest.hexdigest(), b"".join(pieces)


def _path(name: str) -> str:
    """As written, without `.`, `..` and slashes around: nothing leads out of the root."""
    return posixpath.normpath("/" + name).lstrip("/")
