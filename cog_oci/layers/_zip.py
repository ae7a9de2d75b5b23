"""Members of a zip, read where they lie: deflated for an envelope, inflated and checked for a digest."""

from __future__ import annotations

import mmap
import struct
import zipfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from isal import isal_zlib

from cog_oci.errors import CogError
from cog_oci.layers._tar import Deflated

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Member", "open_zip"]

_LOCAL_HEADER = struct.Struct("<4s5H3L2H")  # APPNOTE 4.3.7
_CHUNK = 1 << 20
_IN_USE = 32 << 20  # bytes that are read before what lies mapped is let go
_DAMAGED: type[Exception] = isal_zlib.error  # type: ignore[assignment]  # the stubs call the class an instance
_TRANSPLANTED = frozenset({zipfile.ZIP_DEFLATED})


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

    @property
    def size(self) -> int:
        """Bytes, inflated, as the zip's directory says; `chunks` checks it."""
        return self.info.file_size

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
        if self.info.compress_type not in _TRANSPLANTED:
            return None
        return self.stream

    def _inflated(self) -> Iterator[bytes | memoryview]:
        if self.info.compress_type == zipfile.ZIP_STORED:
            yield from self.stream.slices()
            return
        inflate = isal_zlib.decompressobj(-15)
        read = 0
        try:
            for piece in self.stream.slices():
                read += len(piece)
                data = piece
                while chunk := inflate.decompress(data, _CHUNK):
                    yield chunk
                    data = inflate.unconsumed_tail
                if inflate.eof:
                    break
        except _DAMAGED as error:
            raise DamagedWheelError(self.archive, self.info.filename, f"cannot be inflated: {error}") from error
        # Bytes behind the stream's end would make a broken gzip member of it.
        if not inflate.eof or inflate.unused_data or read < self.stream.size:
            raise DamagedWheelError(self.archive, self.info.filename, "is not one whole deflate stream")


class _Mapped:
    """A file in memory as far as it is in use: what lies mapped counts as memory of the process, so it is let go."""

    def __init__(self, mapped: mmap.mmap) -> None:
        self._mapped = mapped
        self._read = 0

    def read(self, start: int, size: int) -> bytes:
        self._read += size
        if self._read > _IN_USE:
            self._read = 0
            with suppress(AttributeError, OSError):  # where the system has no such advice, it needs none
                self._mapped.madvise(mmap.MADV_DONTNEED)
        return self._mapped[start : start + size]


@contextmanager
def open_zip(path: Path, name: str) -> Iterator[list[Member]]:
    """The files of a zip, in the order of its directory; `name` is what messages call it.

    Refuses what a wheel must not have: paths that leave the folder, links, encryption, names given twice.
    """
    with path.open("rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                infos = [info for info in archive.infolist() if not info.is_dir()]
        except zipfile.BadZipFile as error:
            raise DamagedWheelError(name, "the file", f"is not a zip: {error}") from error
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            source = _Mapped(mapped)
            members = [_member(name, info, source) for info in infos]
            if len({member.info.filename for member in members}) != len(members):
                raise DamagedWheelError(name, "a path", "is in it twice")
            yield members


def _member(name: str, info: zipfile.ZipInfo, source: _Mapped) -> Member:
    parts = info.filename.split("/")
    if info.filename.startswith("/") or ".." in parts or "\\" in info.filename or "\0" in info.filename:
        raise DamagedWheelError(name, info.filename, "would be written outside its folder")
    if (info.external_attr >> 16) & 0o170000 == 0o120000:
        raise DamagedWheelError(name, info.filename, "is a symbolic link, which a wheel cannot have")
    if info.flag_bits & 1 or info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise DamagedWheelError(name, info.filename, "is encrypted or compressed in a way that wheels do not use")
    header = source.read(info.header_offset, _LOCAL_HEADER.size)
    if len(header) < _LOCAL_HEADER.size or not header.startswith(b"PK\x03\x04"):
        raise DamagedWheelError(name, info.filename, "has no local header")
    fields = _LOCAL_HEADER.unpack(header)
    start = info.header_offset + _LOCAL_HEADER.size + fields[9] + fields[10]
    return Member(name, info, Deflated(source, start, info.compress_size, info.CRC))
