"""A Debian package as a container (deb(5)): an ar archive with one tar about it and one of its files."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import os
import re
import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import IO, TYPE_CHECKING

import zstandard

from cog_oci.errors import CogError
from cog_oci.layers._tar import Entry
from cog_oci.layers._untar import TarError, members

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from cog_oci.layers._tar import Deflated

__all__ = ["ControlFile", "DamagedDebError", "Package", "Slice", "read_package", "unpack"]

_CHUNK = 1 << 20
_AR_MAGIC = b"!<arch>\n"
_AR_HEADER = 60
_CONTROL_LIMIT = 64 << 20
_SLACK = 64 << 20
_LARGEST = 64 << 30  # unpacked; the largest package of CUDA has some 5 GB
_SIZE = re.compile(rb"[0-9]{1,10} *")
_WINDOW = 128 << 20  # what `zstd --ultra --long=27` needs, the most that dpkg-deb writes
_DAMAGED = (EOFError, OSError, ValueError, lzma.LZMAError, zlib.error, zstandard.ZstdError, TarError)


class DamagedDebError(CogError):
    """A deb that is not what deb(5) says, or that would write where no package may."""

    def __init__(self, deb: str, fault: str) -> None:
        self.deb, self.fault = deb, fault
        super().__init__(
            f"{deb}: {fault}", hint="the package was published like this; use another version, or leave it out"
        )


@dataclass(frozen=True, slots=True)
class ControlFile:
    """A member of control.tar: what dpkg keeps about a package under var/lib/dpkg/info."""

    data: bytes
    mode: int


@dataclass(frozen=True)
class Package:
    """What a deb says about itself. `files` are control.tar's members, `control` among them."""

    deb: str
    files: Mapping[str, ControlFile]

    @cached_property
    def fields(self) -> dict[str, str]:
        """The fields of `control` (deb-control(5)), in its order; continuation lines keep their line breaks."""
        text = self.files["control"].data.decode("utf-8", "surrogateescape")
        rows = re.sub(r"\n(?=[ \t])", "\0", text.strip("\n")).split("\n")
        pairs = (row.partition(":") for row in rows)
        return {name: value.strip().replace("\0", "\n") for name, colon, value in pairs if colon}

    @property
    def name(self) -> str:
        """The package's name."""
        return self.fields["Package"]

    @property
    def qualified(self) -> str:
        """How dpkg's database calls it: with its architecture where several may be installed at once."""
        return f"{self.name}:{self.fields['Architecture']}" if self.fields.get("Multi-Arch") == "same" else self.name

    @cached_property
    def replaces(self) -> frozenset[str]:
        """Names of packages whose files this one may overwrite (Policy 7.6.1); the versions are not looked at."""
        return frozenset(re.findall(r"(?:^|,)\s*([a-z0-9][a-z0-9.+-]*)", self.fields.get("Replaces", "")))

    def script(self, name: str) -> str:
        """The text of a maintainer script or another member of control.tar, empty when the package has none."""
        file = self.files.get(name)
        return "" if file is None else file.data.decode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True)
class Slice:
    """A content that lies somewhere in an open file."""

    descriptor: int
    offset: int
    size: int

    def read(self, offset: int, size: int) -> bytes:
        """At most `size` bytes from `offset`; fewer only at the end."""
        return os.pread(self.descriptor, max(0, min(size, self.size - offset)), self.offset + offset)

    def chunks(self) -> Iterator[bytes | memoryview]:
        """All of it, a mebibyte at a time."""
        for offset in range(0, self.size, _CHUNK):
            yield self.read(offset, _CHUNK)

    def deflated(self) -> Deflated | None:
        """None: it was compressed in another way."""
        return None


def read_package(path: Path, deb: str) -> Package:
    """What a deb says about itself; its files are not looked at. `deb` is what messages call it."""
    with path.open("rb") as file, _faults_of(deb, "control.tar"):
        data = _decompress(*_find(file, "control.tar")).read(_CONTROL_LIMIT + 1)
        if len(data) > _CONTROL_LIMIT:
            raise DamagedDebError(deb, f"its control.tar has more than {_CONTROL_LIMIT >> 20} MB")
        files: dict[str, ControlFile] = {}
        for member in members(lambda offset, size: data[offset : offset + size]):
            name = member.path.removeprefix("./")
            if name in files:
                raise TarError(f"has {name} twice")
            if member.kind == "file":
                files[name] = ControlFile(data[member.offset : member.offset + member.size], member.mode)
    package = Package(deb, files)
    if "control" not in files or not {"Package", "Version", "Architecture"} <= package.fields.keys():
        raise DamagedDebError(deb, "it does not say its name, version and architecture")
    if any("/" in name for name in files):
        raise DamagedDebError(deb, "its control.tar has folders")
    return package


def unpack(path: Path, package: Package, spool: IO[bytes]) -> list[Entry]:
    """The files of a deb in its order, the root (path "") among them; their contents lie in `spool` from then on.

    A hard link comes back as a file that shares the content it links to. Raises DamagedDebError for paths that leave
    the root, paths given twice, anything but files, directories and links, and for more data than a package of this
    Installed-Size can have.
    """
    start = spool.seek(0, os.SEEK_END)
    with path.open("rb") as file, _faults_of(package.deb, "data.tar"):
        size = _spool(_decompress(*_find(file, "data.tar")), spool, _limit(package), package.deb)
        return _entries(Slice(spool.fileno(), start, size), package.deb)


@contextlib.contextmanager
def _faults_of(deb: str, part: str) -> Iterator[None]:
    """What the readers of a part complain about, as a DamagedDebError; a full disk stays what it is."""
    try:
        yield
    except _DAMAGED as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        fault = "is cut short" if isinstance(error, EOFError) else f"cannot be read: {error}"
        raise DamagedDebError(deb, f"its {part} {error if isinstance(error, TarError) else fault}") from error


def _entries(archive: Slice, deb: str) -> list[Entry]:
    found: dict[str, Entry] = {}
    for member in members(archive.read):
        path = _safe(member.path, deb)
        if path in found:
            raise DamagedDebError(deb, f"/{path} is in it twice")
        if member.kind == "hardlink":
            original = found.get(_safe(member.target, deb))
            if original is None or original.kind != "file":
                raise DamagedDebError(deb, f"/{path} is a hard link to /{member.target}, which is no file before it")
            content, mode, uid, gid = original.content, original.mode, original.uid, original.gid
            found[path] = Entry(path=path, mode=mode, uid=uid, gid=gid, content=content)
            continue
        content = None
        if member.kind == "file":
            content = Slice(archive.descriptor, archive.offset + member.offset, member.size)
        found[path] = Entry(
            path=path,
            kind=member.kind,
            mode=0o777 if member.kind == "symlink" else member.mode,
            uid=member.uid,
            gid=member.gid,
            content=content,
            target=member.target if member.kind == "symlink" else "",
        )
    return list(found.values())


def _safe(path: str, deb: str) -> str:
    """The path below the root, without `./` and slashes at its ends."""
    plain = path.removeprefix("./").rstrip("/")
    plain = "" if plain == "." else plain
    if path.startswith("/") or not {"", ".", ".."}.isdisjoint(plain.split("/") if plain else ()):
        raise DamagedDebError(deb, f"{path!r} is not a path below the root")
    return plain


def _limit(package: Package) -> int:
    """Bytes: Installed-Size is in KiB and an estimate (Policy 5.6.20)."""
    stated = package.fields.get("Installed-Size", "0")
    return min((int(stated) << 10) * 4 + _SLACK, _LARGEST) if re.fullmatch("[0-9]{1,12}", stated) else _SLACK


def _spool(source: IO[bytes], spool: IO[bytes], limit: int, deb: str) -> int:
    size = 0
    while chunk := source.read(_CHUNK):
        size += len(chunk)
        if size > limit:
            raise DamagedDebError(deb, f"it unpacks to more than the {limit >> 20} MB that its Installed-Size allows")
        spool.write(chunk)
    spool.flush()
    return size


def _find(file: IO[bytes], prefix: str) -> tuple[str, _Region]:
    """The member of the ar archive whose name begins like this (ar(5); names are never long in a deb).

    One that is there twice is refused: dpkg would take one, and somebody else the other.
    """
    found = None
    if file.read(len(_AR_MAGIC)) != _AR_MAGIC:
        raise TarError("cannot be found: the file is no ar archive")
    while len(header := file.read(_AR_HEADER)) == _AR_HEADER and header.endswith(b"`\n"):
        name = header[:16].decode("ascii", "replace").rstrip(" ").rstrip("/")
        if not _SIZE.fullmatch(header[48:58]):
            raise TarError("cannot be found: a member of the ar archive has no size")
        size = int(header[48:58])
        start = file.tell()
        if name.startswith(prefix):
            if found is not None:
                raise TarError("is there twice")
            found = name, _Region(file, start, size)
        if name == "debian-binary" and not file.read(size).startswith(b"2."):
            raise TarError("is in a format of the future")
        file.seek(start + size + size % 2)
    if found is None:
        raise TarError("is missing")
    return found


class _Region(io.RawIOBase):
    """A part of a file as a file: what the decompressors read from."""

    def __init__(self, file: IO[bytes], start: int, size: int) -> None:
        super().__init__()
        self._file, self._at, self._end = file, start, start + size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # the stubs want any buffer
        data = os.pread(self._file.fileno(), min(len(buffer), self._end - self._at), self._at)
        if not data and self._at < self._end:
            raise EOFError
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def _decompress(name: str, region: _Region) -> IO[bytes]:
    """The tar inside, by the end of its member's name."""
    source = io.BufferedReader(region, _CHUNK)
    match name.rpartition("tar")[2]:
        case "":
            return source
        case ".xz" | ".lzma":
            return lzma.LZMAFile(source)
        case ".gz":
            return gzip.open(source)  # type: ignore[return-value]  # a GzipFile is one in all but name
        case ".bz2":
            return bz2.BZ2File(source)
        case ".zst":
            return zstandard.ZstdDecompressor(max_window_size=_WINDOW).stream_reader(source, read_across_frames=True)
        case other:
            raise TarError(f"is compressed as {other}, which deb(5) does not know")
