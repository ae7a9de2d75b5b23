"""The little that is asked of a program's ELF header (elf(5)): what it runs on, and who loads it."""

from __future__ import annotations

import struct
from dataclasses import dataclass

__all__ = ["Elf", "ElfError", "read_elf"]

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_PT_INTERP = 3
_MACHINES = {62: "amd64", 183: "arm64"}


class ElfError(Exception):
    """What is wrong with it; whoever knows the file's name adds it."""


@dataclass(frozen=True, slots=True)
class Elf:
    """OCI's name of the architecture, and the path of the dynamic linker, which is empty for a static program."""

    architecture: str
    linker: str


def read_elf(data: bytes) -> Elf:
    """From the file, or as much of its beginning as holds its program headers and what they name. Raises ElfError."""
    if len(data) < _HEADER.size or data[:4] != b"\x7fELF":
        raise ElfError("it does not begin as one")
    if data[4:6] != b"\x02\x01":
        raise ElfError("it is not of 64 bits, little end first")
    _, _, machine, _, _, start, _, _, _, size, count, *_ = _HEADER.unpack_from(data)
    linker = ""
    for number in range(count):
        at = start + number * size
        if size < _SEGMENT.size or at + _SEGMENT.size > len(data):
            raise ElfError("its program headers are cut short")
        kind, _, offset, _, _, length, *_ = _SEGMENT.unpack_from(data, at)
        if kind == _PT_INTERP:
            if offset + length > len(data):
                raise ElfError("the name of its dynamic linker is cut short")
            linker = data[offset : offset + length].rstrip(b"\0").decode("utf-8", "replace")
    return Elf(_MACHINES.get(machine, f"machine {machine}"), linker)
