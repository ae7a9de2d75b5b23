"""The order in which GLib goes over a hash table of strings: programs that walk through one write their files in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cog_oci.layers._effects.glib.hash_table import HashTable

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["in_hash_order"]


def in_hash_order(keys: Iterable[bytes]) -> list[bytes]:
    """Distinct keys, given in the order of their insertion, as `g_hash_table_foreach` comes to them (GLib 2.60 on)."""
    table: HashTable[bytes] = HashTable()
    for key in keys:
        table.insert(key.decode("utf-8", "surrogateescape"), key)
    return [key for _, key in table.items()]
