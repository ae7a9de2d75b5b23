"""What the dynamic linker reads of a file: what it needs, where from, and the versions it wants and has.

The format is the System V gABI's, chapters 4 and 5, with symbol versions as in the Linux Standard Base (Core, 10.7).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Read = Callable[[int, int], bytes]

__all__ = ["HEAD_SIZE", "MAGIC", "Elf", "Want", "read_elf"]

MAGIC = b"\x7fELF"
HEAD_SIZE = 64
_ORDERS = {1: "<", 2: ">"}
# By EI_CLASS, without the order of bytes: the header behind the 16 bytes of e_ident, a program header, a dynamic entry.
_FORMATS = {1: ("HHIIIIIHHH", "IIIIIIII", "iI"), 2: ("HHIQQQIHHH", "IIQQQQQQ", "qQ")}
_EXECUTABLE, _SHARED = 2, 3
_PT_LOAD, _PT_DYNAMIC, _PT_INTERP = 1, 2, 3
_NEEDED, _STRTAB, _STRSZ, _SONAME, _RPATH, _RUNPATH = 1, 5, 10, 14, 15, 29
_VERDEF, _VERDEFNUM, _VERNEED, _VERNEEDNUM = 0x6FFFFFFC, 0x6FFFFFFD, 0x6FFFFFFE, 0x6FFFFFFF
_WEAK = 0x2  # VER_FLG_WEAK
_MOST_SEGMENTS = 512
_MOST_DYNAMIC = 1 << 16
_MOST_VERSIONS = 1 << 14
_LONGEST_TABLE = 64 << 20


class Want(NamedTuple):
    """A version that a file wants of a library, as `GLIBC_2.34` of `libc.so.6`."""

    library: str
    version: str


@dataclass(frozen=True, slots=True)
class Elf:
    """A program or shared object. `bits` and `machine` (e_machine) say which others it can be loaded with.

    `interpreter` is the dynamic linker that a program asks for; `soname` is empty where there is none; `rpath` and
    `runpath` are as written; `wants` leaves out what is only wanted weakly; `has` is empty without symbol versions.
    """

    bits: int
    machine: int
    interpreter: str = ""
    soname: str = ""
    needed: tuple[str, ...] = ()
    rpath: str = ""
    runpath: str = ""
    wants: tuple[Want, ...] = ()
    has: tuple[str, ...] = ()

    @property
    def kind(self) -> tuple[int, int]:
        """What must be equal for two files to be loaded together."""
        return self.bits, self.machine


class _Segment(NamedTuple):
    kind: int
    offset: int
    address: int
    size: int


def read_elf(read: Read) -> Elf | None:
    """What `read(offset, size)` gives, if it is a program or library that is linked dynamically; otherwise None.

    `read` may give fewer bytes than it was asked for. A file that contradicts itself is none that can be loaded.
    """
    try:
        return _read(read)
    except (struct.error, ValueError):
        return None


def _read(read: Read) -> Elf | None:
    head = read(0, HEAD_SIZE)
    if len(head) < 16 or not head.startswith(MAGIC) or head[4] not in _FORMATS or head[5] not in _ORDERS:
        return None
    order = _ORDERS[head[5]]
    header, program, dynamic = (struct.Struct(order + form) for form in _FORMATS[head[4]])
    kind, machine, _, _, table, _, _, _, size, count = header.unpack_from(head, 16)
    if kind not in {_EXECUTABLE, _SHARED} or size != program.size or count > _MOST_SEGMENTS:
        return None
    segments = [_segment(row, bits64=head[4] == 2) for row in program.iter_unpack(_exactly(read, table, size * count))]
    found = next((one for one in segments if one.kind == _PT_DYNAMIC), None)
    if found is None or found.size > _MOST_DYNAMIC * dynamic.size:
        return None
    data = _exactly(read, found.offset, found.size // dynamic.size * dynamic.size)
    tags: dict[int, list[int]] = {}
    for tag, value in dynamic.iter_unpack(data):
        if tag == 0:
            break
        tags.setdefault(tag, []).append(value)
    memory = _Memory(read, segments, order, tags)
    interpreter = next((one for one in segments if one.kind == _PT_INTERP), None)
    return Elf(
        bits=64 if head[4] == 2 else 32,
        machine=machine,
        interpreter=_text(read(interpreter.offset, min(interpreter.size, 4096))) if interpreter else "",
        soname=next(memory.strings(_SONAME), ""),
        needed=tuple(memory.strings(_NEEDED)),
        rpath=next(memory.strings(_RPATH), ""),
        runpath=next(memory.strings(_RUNPATH), ""),
        wants=tuple(memory.wants()),
        has=tuple(memory.has()),
    )


class _Memory:
    """A file by the addresses that it is loaded at, and what its dynamic section (`tags`) says is there."""

    def __init__(self, read: Read, segments: Sequence[_Segment], order: str, tags: dict[int, list[int]]) -> None:
        self._read, self._segments, self._tags = read, segments, tags
        self._need = struct.Struct(order + "HHIII")
        self._need_version = struct.Struct(order + "IHHII")
        self._definition = struct.Struct(order + "HHHHIII")
        self._definition_name = struct.Struct(order + "II")
        size = tags.get(_STRSZ, [0])[0]
        if size > _LONGEST_TABLE:
            raise ValueError("the strings are too many")
        self._strings = _exactly(read, self._offset(tags[_STRTAB][0]), size) if size and _STRTAB in tags else b""

    def strings(self, tag: int) -> Iterator[str]:
        """The strings that entries of this kind name."""
        return (self._string(at) for at in self._tags.get(tag, ()))

    def wants(self) -> Iterator[Want]:
        """DT_VERNEED: versions that must be there, by library."""
        for at, (_, count, library, first, _) in self._chain(self._need, _VERNEED, _VERNEEDNUM):
            for _, (_, flags, _, name, _) in self._list(self._need_version, at + first, count):
                if not flags & _WEAK:
                    yield Want(self._string(library), self._string(name))

    def has(self) -> Iterator[str]:
        """DT_VERDEF: versions that are there; the file's own name, which is the first, is no version."""
        for at, (_, flags, _, _, _, first, _) in self._chain(self._definition, _VERDEF, _VERDEFNUM):
            if not flags & 1:  # VER_FLG_BASE
                name, _ = self._definition_name.unpack(_exactly(self._read, at + first, self._definition_name.size))
                yield self._string(name)

    def _chain(self, form: struct.Struct, tag: int, count: int) -> Iterator[tuple[int, tuple[int, ...]]]:
        if tag in self._tags and count in self._tags:
            yield from self._list(form, self._offset(self._tags[tag][0]), self._tags[count][0])

    def _list(self, form: struct.Struct, at: int, count: int) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Records, each of which ends with how many bytes further the next one is."""
        if count > _MOST_VERSIONS:
            raise ValueError("the versions are too many")
        for _ in range(count):
            row = form.unpack(_exactly(self._read, at, form.size))
            yield at, row
            at += row[-1]
            if not row[-1]:
                return

    def _string(self, at: int) -> str:
        if at >= len(self._strings):
            raise ValueError("a string is outside of the table")
        return _text(self._strings[at : self._strings.find(b"\0", at)])

    def _offset(self, address: int) -> int:
        for segment in self._segments:
            if segment.kind == _PT_LOAD and segment.address <= address < segment.address + segment.size:
                return segment.offset + address - segment.address
        raise ValueError("an address is outside of the file")


def _segment(row: tuple[int, ...], *, bits64: bool) -> _Segment:
    if bits64:
        kind, _, offset, address, _, size, *_ = row
    else:
        kind, offset, address, _, size, *_ = row
    return _Segment(kind, offset, address, size)


def _exactly(read: Read, offset: int, size: int) -> bytes:
    data = read(offset, size)
    if len(data) != size:
        raise ValueError("the file is cut short")
    return data


def _text(data: bytes) -> str:
    return data.partition(b"\0")[0].decode("utf-8", "surrogateescape")
