"""Members of a zip, read where they lie: deflated for an envelope, inflated and checked for a digest."""

from __future__ import annotations

import mmap
import struct
import zipfile
from contextlib import contextmanager
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
_SLICE = 1 << 17
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
    raw: memoryview

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
        return Deflated(self.raw, self.info.CRC)

    def _inflated(self) -> Iterator[bytes | memoryview]:
        if self.info.compress_type == zipfile.ZIP_STORED:
            yield self.raw
            return
        inflate = isal_zlib.decompressobj(-15)
        at = 0
        try:
            while not inflate.eof and at < len(self.raw):
                # In slices: what is left of the input is copied at every step.
                data: bytes | memoryview = self.raw[at : at + _SLICE]
                at += len(data)
                while chunk := inflate.decompress(data, _CHUNK):
                    yield chunk
                    data = inflate.unconsumed_tail
        except _DAMAGED as error:
            raise DamagedWheelError(self.archive, self.info.filename, f"cannot be inflated: {error}") from error
        # Bytes behind the stream's end would make a broken gzip member of it.
        if not inflate.eof or inflate.unused_data or at < len(self.raw):
            raise DamagedWheelError(self.archive, self.info.filename, "is not one whole deflate stream")


@contextmanager
def open_zip(path: Path, name: str) -> Iterator[list[Member]]:
    """The files of a zip, in the order of its directory; `name` is what messages call it.

    Refuses what a wheel must not have: paths that leave the folder, links, encryption, names given twice.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        view = memoryview(mapped)
        try:
            with zipfile.ZipFile(file) as archive:
                members = [_member(name, info, view) for info in archive.infolist() if not info.is_dir()]
            if len({member.info.filename for member in members}) != len(members):
                raise DamagedWheelError(name, "a path", "is in it twice")
            try:
                yield members
            finally:
                for member in members:
                    member.raw.release()
        except zipfile.BadZipFile as error:
            raise DamagedWheelError(name, "the file", f"is not a zip: {error}") from error
        finally:
            view.release()


def _member(name: str, info: zipfile.ZipInfo, view: memoryview) -> Member:
    parts = info.filename.split("/")
    if info.filename.startswith("/") or ".." in parts or "\\" in info.filename or "\0" in info.filename:
        raise DamagedWheelError(name, info.filename, "would be written outside its folder")
    if (info.external_attr >> 16) & 0o170000 == 0o120000:
        raise DamagedWheelError(name, info.filename, "is a symbolic link, which a wheel cannot have")
    if info.flag_bits & 1 or info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise DamagedWheelError(name, info.filename, "is encrypted or compressed in a way that wheels do not use")
    fields = _LOCAL_HEADER.unpack_from(view, info.header_offset)
    if fields[0] != b"PK\x03\x04":
        raise DamagedWheelError(name, info.filename, "has no local header")
    start = info.header_offset + _LOCAL_HEADER.size + fields[9] + fields[10]
    return Member(name, info, view[start : start + info.compress_size])
