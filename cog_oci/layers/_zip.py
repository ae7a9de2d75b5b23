"""Members of a zip, read where they lie: deflated for an envelope, inflated and checked for a digest."""

from __future__ import annotations

import os
import struct
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from isal import igzip_lib, isal_zlib

from cog_oci.errors import CogError
from cog_oci.layers._tar import Deflated

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Member", "open_zip"]

_LOCAL_HEADER = struct.Struct("<4s5H3L2H")  # APPNOTE 4.3.7
_CHUNK = 1 << 20
_NEAR = 1 << 16  # bytes of a read that small ones are cut out of
_DAMAGED: type[Exception] = isal_zlib.error  # type: ignore[assignment]  # the stubs call the class an instance
_KNOWN = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})


class DamagedWheelError(CogError):
    """A member that is not what its zip directory says."""

    def __init__(self, archive: str, member: str, fault: str) -> None:
        self.archive, self.member, self.fault = archive, member, fault
        super().__init__(f"{archive}: {member} {fault}", hint="the wheel was published damaged; use another version")


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an open zip; a Content that can hand over its deflate stream."""

    archive: str
    info: zipfile.ZipInfo
    stream: Deflated
    size: int
    """Bytes, inflated, as the zip's directory says; `chunks` checks it."""

    @property
    def is_executable(self) -> bool:
        """Whether any of its Unix permissions says so."""
        return bool(self.info.external_attr >> 16 & 0o111)

    def chunks(self) -> Iterator[bytes | memoryview]:
        """The inflated bytes. DamagedWheelError when length or CRC-32 are not those of the directory."""
        crc, size = 0, 0
        for chunk in self._inflated():
            crc = isal_zlib.crc32(chunk, crc)
            size += len(chunk)
            if size > self.size:
                break
            yield chunk
        if size != self.size or crc != self.info.CRC:
            raise DamagedWheelError(self.archive, self.info.filename, "does not inflate to what its directory says")

    def deflated(self) -> Deflated | None:
        """The stream as it lies in the zip, where it is one."""
        return self.stream if self.info.compress_type == zipfile.ZIP_DEFLATED else None

    def _inflated(self) -> Iterator[bytes | memoryview]:
        if self.info.compress_type == zipfile.ZIP_STORED:
            yield from self.stream.slices()
            return
        inflate = igzip_lib.IgzipDecompressor(igzip_lib.DECOMP_DEFLATE)
        read = 0
        try:
            for piece in self.stream.slices():
                read += len(piece)
                data = piece
                while chunk := inflate.decompress(data, _CHUNK):
                    yield chunk
                    if inflate.eof:
                        break
                    data = b""  # it keeps what it has not come to
                if inflate.eof:
                    break
        except _DAMAGED as error:
            raise DamagedWheelError(self.archive, self.info.filename, f"cannot be inflated: {error}") from error
        # Bytes behind the stream's end would make a broken gzip member of it.
        if not inflate.eof or inflate.unused_data or read < self.stream.size:
            raise DamagedWheelError(self.archive, self.info.filename, "is not one whole deflate stream")


class _File:
    """A file that is read at any place, by any thread, while others work.

    What is small is cut out of a larger read: what is asked for next is mostly its neighbour.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._near = 0, b""  # from where, and what; replaced as one, so that every thread sees what belongs together

    def read(self, start: int, size: int) -> bytes:
        """These bytes; fewer where the file ends."""
        if size > _NEAR:
            return os.pread(self._descriptor, size, start)
        at, near = self._near
        if start < at or start + size > at + len(near):
            at, near = self._near = start, os.pread(self._descriptor, _NEAR, start)
        return near[start - at : start - at + size]


@contextmanager
def open_zip(path: Path, name: str) -> Iterator[list[Member]]:
    """The files of a zip, in the order of its directory; `name` is what messages call it.

    Refuses what a wheel must not have: paths that leave the folder, links, encryption, names given twice.
    """
    with path.open("rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                infos = [info for info in archive.infolist() if not info.filename.endswith("/")]
        except (zipfile.BadZipFile, NotImplementedError, UnicodeError) as error:
            raise DamagedWheelError(name, "the file", f"is not a zip: {error}") from error
        source = _File(file.fileno())
        members = [_member(name, info, source) for info in infos]
        if len({member.info.filename for member in members}) != len(members):
            raise DamagedWheelError(name, "a path", "is in it twice")
        yield members


def _member(name: str, info: zipfile.ZipInfo, source: _File) -> Member:
    path = info.filename
    if not path:
        raise DamagedWheelError(name, "a file", "has no name")
    if path.startswith("/") or "\\" in path or "\0" in path or (".." in path and ".." in path.split("/")):
        raise DamagedWheelError(name, path, "would be written outside its folder")
    if (info.external_attr >> 16) & 0o170000 == 0o120000:
        raise DamagedWheelError(name, path, "is a symbolic link, which a wheel cannot have")
    if info.flag_bits & 1 or info.compress_type not in _KNOWN:
        raise DamagedWheelError(name, path, "is encrypted or compressed in a way that wheels do not use")
    header = source.read(info.header_offset, _LOCAL_HEADER.size) if info.header_offset >= 0 else b""
    if len(header) < _LOCAL_HEADER.size or not header.startswith(b"PK\x03\x04"):
        raise DamagedWheelError(name, path, "has no local header")
    fields = _LOCAL_HEADER.unpack(header)
    start = info.header_offset + _LOCAL_HEADER.size + fields[9] + fields[10]
    return Member(name, info, Deflated(source, start, info.compress_size, info.CRC), info.file_size)
