"""GVDB files: tables by hash that programs of GLib read without unpacking, such as compiled settings.

The format is gvdb's (gvdb-format.h, gvdb-builder.c), little-endian: a header with the place of the outermost table; a
table is its counts, the first item of each bucket, and its items; names, values and inner tables follow each item.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cog_oci.layers._effects.glib.hash_table import HashTable, string_hash

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Table", "gvdb"]

_HEADER = struct.Struct("<8sIIII")
_SIGNATURE = b"GVariant"
_COUNTS = struct.Struct("<II")
_BLOOM = 5 << 27  # the shift of a filter with no words in it, as the builder writes it
_ITEM = struct.Struct("<IIIHcxII")
_NOTHING = 0xFFFFFFFF


@dataclass(slots=True)
class Table:
    """What a table has: values (a `v` of GVariant, serialised) and tables by name.

    `listed` are the names that its nameless root lists, in the order of their bytes.
    """

    items: HashTable[bytes | Table] = field(default_factory=HashTable)
    listed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.items.insert("", b"")

    def add(self, name: str, what: bytes | Table, *, listed: bool = True) -> None:
        """Put a value or a table under a name."""
        self.items.insert(name, what)
        if listed:
            self.listed.append(name)


def gvdb(table: Table) -> bytes:
    """The file, as gvdb_table_write_contents writes it."""
    out = bytearray(_HEADER.size)
    start, end = _write(out, table)
    _HEADER.pack_into(out, 0, _SIGNATURE, 0, 0, start, end)
    return bytes(out)


def _write(out: bytearray, table: Table) -> tuple[int, int]:
    """Append a table and all that is in it; where the table itself begins and ends."""
    count = len(table.items)
    buckets: list[list[str]] = [[] for _ in range(count)]
    for name in table.items:
        buckets[string_hash(name.encode()) % count].insert(0, name)
    order = [name for bucket in buckets for name in bucket]
    index = {name: number for number, name in enumerate(order)}
    start = _allocate(out, 4, _COUNTS.size + 4 * count + _ITEM.size * count)
    end = len(out)
    _COUNTS.pack_into(out, start, _BLOOM, count)
    firsts = [sum(map(len, buckets[:number])) for number in range(count)]
    struct.pack_into(f"<{count}I", out, start + _COUNTS.size, *firsts)
    items = start + _COUNTS.size + 4 * count
    listed = set(table.listed)
    for name, what in ((name, table.items.get(name)) for name in order):
        key = name.encode()
        parent = index[""] if name in listed else _NOTHING
        place = len(out)
        out += key
        kind, where = _put(out, what, [index[child] for child in _sorted(table.listed)] if not name else None)
        _ITEM.pack_into(out, items + _ITEM.size * index[name], string_hash(key), parent, place, len(key), kind, *where)
    return start, end


def _put(out: bytearray, what: bytes | Table | None, children: Sequence[int] | None) -> tuple[bytes, tuple[int, int]]:
    """Append what stands behind an item: its kind, and where it begins and ends."""
    if isinstance(what, Table):
        return b"H", _write(out, what)
    if children is None:
        data, kind, alignment = what or b"", b"v", 8
    elif children:
        data, kind, alignment = struct.pack(f"<{len(children)}I", *children), b"L", 4
    else:
        return b"\0", (0, 0)
    start = _allocate(out, alignment, len(data))
    out[start:] = data
    return kind, (start, len(out))


def _sorted(names: Sequence[str]) -> list[str]:
    return sorted(names, key=str.encode)


def _allocate(out: bytearray, alignment: int, size: int) -> int:
    start = -(-len(out) // alignment) * alignment
    out += bytes(start + size - len(out))
    return start
