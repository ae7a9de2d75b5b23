"""Shared objects, as far as effects need them: machine, name, and tables with pointers (System V gABI, 4 and 5)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["SharedImage", "SharedObject", "read_image", "read_shared_object"]

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_DYNAMIC = struct.Struct("<qQ")
_IDENT = b"\x7fELF\x02\x01"  # 64 bit, little endian: what both of our architectures are
_ET_DYN = 3
_PT_LOAD, _PT_DYNAMIC = 1, 2
_DT_STRTAB, _DT_SONAME = 5, 14
_LONGEST_NAME = 4096
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_RELOCATION = struct.Struct("<QQq")
_SHT_RELA, _SHT_DYNSYM = 4, 11
_RELATIVE = frozenset({8, 1027})  # R_X86_64_RELATIVE, R_AARCH64_RELATIVE
_ABSOLUTE = frozenset({1, 257})  # R_X86_64_64, R_AARCH64_ABS64
_IMPORTED = frozenset({6, 7, 1025, 1026})  # R_X86_64_GLOB_DAT and JUMP_SLOT, R_AARCH64_GLOB_DAT and JUMP_SLOT


@dataclass(frozen=True, slots=True)
class SharedObject:
    """A shared object's machine (e_machine) and DT_SONAME, empty when it has none."""

    machine: int
    soname: str


def read_shared_object(read: Callable[[int, int], bytes]) -> SharedObject | None:
    """What `read(offset, size)` gives, if it is a 64-bit little-endian shared object; otherwise None."""
    header = read(0, _HEADER.size)
    if len(header) < _HEADER.size or not header.startswith(_IDENT):
        return None
    _, kind, machine, _, _, table, _, _, _, entry_size, count, *_ = _HEADER.unpack(header)
    if kind != _ET_DYN or entry_size != _SEGMENT.size:
        return None
    data = read(table, entry_size * count)
    segments = list(_SEGMENT.iter_unpack(data[: len(data) // entry_size * entry_size]))
    dynamic = next(((offset, size) for kind, _, offset, _, _, size, *_ in segments if kind == _PT_DYNAMIC), None)
    if dynamic is None:
        return None
    data = read(*dynamic)
    tags = dict(_DYNAMIC.iter_unpack(data[: len(data) // _DYNAMIC.size * _DYNAMIC.size]))
    if _DT_SONAME not in tags or _DT_STRTAB not in tags:
        return SharedObject(machine, "")
    for kind, _, offset, address, _, size, *_ in segments:
        if kind == _PT_LOAD and address <= tags[_DT_STRTAB] < address + size:
            start = offset + tags[_DT_STRTAB] - address + tags[_DT_SONAME]
            return SharedObject(machine, read(start, _LONGEST_NAME).partition(b"\0")[0].decode("utf-8", "replace"))
    return None


@dataclass(frozen=True, slots=True)
class SharedImage:
    """A shared object as it lies in memory: `symbols` by name; by address, `pointers` that the linker fills in.

    `imports` are the names of others' symbols, by the address at which the linker puts theirs.
    """

    data: bytes
    segments: tuple[tuple[int, int, int], ...]
    symbols: Mapping[str, int]
    pointers: Mapping[int, int]
    imports: Mapping[int, str]

    def at(self, address: int, size: int) -> bytes:
        """Bytes in memory; zeros where the file has none."""
        for start, offset, length in self.segments:
            if start <= address < start + length:
                return self.data[offset + address - start : offset + address - start + size].ljust(size, b"\0")
        return bytes(size)

    def pointer(self, address: int) -> int:
        """The pointer at an address, 0 for none."""
        return self.pointers.get(address) or int.from_bytes(self.at(address, 8), "little")

    def text(self, address: int) -> str:
        """The text that a pointer leads to."""
        return self.at(address, _LONGEST_NAME).partition(b"\0")[0].decode("utf-8", "replace")


def read_image(data: bytes) -> SharedImage:
    """A whole 64-bit little-endian shared object. Raises struct.error, IndexError or ValueError for anything else."""
    header = _HEADER.unpack_from(data)
    table, sections, segment_count, section_count = header[5], header[6], header[10], header[12]
    loaded = [_SEGMENT.unpack_from(data, table + number * _SEGMENT.size) for number in range(segment_count)]
    rows = [_SECTION.unpack_from(data, sections + number * _SECTION.size) for number in range(section_count)]
    if sum(row[5] for row in rows if row[1] in {_SHT_RELA, _SHT_DYNSYM}) > len(data):
        raise struct.error("tables that lie in each other")
    names: list[tuple[str, int]] = []
    for row in rows:
        if row[1] == _SHT_DYNSYM:
            start = rows[row[6]][4]
            for symbol in _SYMBOL.iter_unpack(data[row[4] : row[4] + row[5]]):
                end = data.index(b"\0", start + symbol[0], start + symbol[0] + _LONGEST_NAME)
                names.append((data[start + symbol[0] : end].decode("utf-8", "replace"), symbol[4]))
    pointers: dict[int, int] = {}
    imports: dict[int, str] = {}
    for row in rows:
        if row[1] == _SHT_RELA:
            for place, info, addend in _RELOCATION.iter_unpack(data[row[4] : row[4] + row[5]]):
                if info & 0xFFFFFFFF in _RELATIVE:
                    pointers[place] = addend
                elif info & 0xFFFFFFFF in _ABSOLUTE:
                    pointers[place] = names[info >> 32][1] + addend
                elif info & 0xFFFFFFFF in _IMPORTED:
                    imports[place] = names[info >> 32][0]
    segments = tuple((row[3], row[2], row[5]) for row in loaded if row[0] == _PT_LOAD)
    return SharedImage(data, segments, dict(names), pointers, imports)
