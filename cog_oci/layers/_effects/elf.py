"""Shared objects, as far as the dynamic linker's cache needs them: machine and name (System V gABI, 4 and 5)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SharedObject", "read_shared_object"]

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_DYNAMIC = struct.Struct("<qQ")
_IDENT = b"\x7fELF\x02\x01"  # 64 bit, little endian: what both of our architectures are
_ET_DYN = 3
_PT_LOAD, _PT_DYNAMIC = 1, 2
_DT_STRTAB, _DT_SONAME = 5, 14
_LONGEST_NAME = 4096


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
