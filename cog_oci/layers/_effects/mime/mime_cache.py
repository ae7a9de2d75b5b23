"""mime.cache: the whole database in one file that programs map into memory (specification, 2.12; version 1.2)."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cog_oci.layers._effects.hash_order import in_hash_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from cog_oci.layers._effects.mime.database import Database
    from cog_oci.layers._effects.mime.magic import Match

__all__ = ["mime_cache"]

_VERSION = (1, 2)
_HEADER = struct.Struct(">HH10I")
_CASE_SENSITIVE = 0x100


def mime_cache(database: Database) -> bytes:
    """The file: a header, all strings, and ten tables that point to these."""
    cache = _Strings(_HEADER.size)
    cache.add(_strings(database))
    data = bytearray(cache.data)
    tables: tuple[Callable[[Database, _Strings, int], bytes], ...] = (
        *(_aliases, _parents, _literals, _suffixes, _full_patterns),
        *(_magic, _namespaces, _icons, _generic_icons, _types),
    )
    offsets = []
    for table in tables:
        offsets.append(_HEADER.size + len(data))
        data += table(database, cache, offsets[-1])
    return _HEADER.pack(*_VERSION, *offsets) + data


@dataclass
class _Strings:
    """Strings one after another from `start` on, each once, and where each is."""

    start: int
    data: bytearray = field(default_factory=bytearray)
    places: dict[bytes, int] = field(default_factory=dict)

    def add(self, strings: Iterable[bytes]) -> None:
        for text in strings:
            self.places[text] = self.start + len(self.data)
            self.data += _padded(text + b"\0")


def _strings(database: Database) -> list[bytes]:
    """All that the tables point to, in the order of GLib's tables."""
    found: dict[bytes, None] = {}

    def collect(*strings: bytes) -> None:
        found.update(dict.fromkeys(strings))

    for alias in in_hash_order(database.aliases):
        collect(alias, database.aliases[alias])
    for name in in_hash_order(database.parents):
        collect(name, *database.parents[name])
    for pattern in in_hash_order(database.globs):
        if not _is_suffix(pattern):
            collect(pattern)
        collect(*(glob.type for glob in database.globs[pattern]))
    collect(*(magic.type for magic in database.magic_in_order))
    for key in in_hash_order(database.namespaces):
        collect(database.namespaces[key], *key.split(b" "))
    for table in (database.generic_icons, database.icons):
        for name in in_hash_order(table):
            collect(name, table[name])
    return in_hash_order(found)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _cards(*numbers: int) -> bytes:
    """CARD32: negative ones as their two's complement."""
    return b"".join((number % (1 << 32)).to_bytes(4, "big") for number in numbers)


def _aliases(database: Database, cache: _Strings, _: int) -> bytes:
    return _pairs(database.aliases, cache)


def _icons(database: Database, cache: _Strings, _: int) -> bytes:
    return _pairs(database.icons, cache)


def _generic_icons(database: Database, cache: _Strings, _: int) -> bytes:
    return _pairs(database.generic_icons, cache)


def _pairs(table: Mapping[bytes, bytes], cache: _Strings) -> bytes:
    rows = (_cards(cache.places[key], cache.places[table[key]]) for key in sorted(table))
    return _cards(len(table)) + b"".join(rows)


def _namespaces(database: Database, cache: _Strings, _: int) -> bytes:
    rows = [(*key.split(b" "), database.namespaces[key]) for key in sorted(database.namespaces)]
    return _cards(len(rows)) + b"".join(_cards(*(cache.places[text] for text in row)) for row in rows)


def _types(database: Database, cache: _Strings, _: int) -> bytes:
    """The program looks a name up together with the line break after it, and so finds none: the offsets are 0."""
    return _cards(
        len(database.types), *(cache.places.get(row, 0) for row in sorted(b"%b\n" % n for n in database.types))
    )


def _parents(database: Database, cache: _Strings, start: int) -> bytes:
    names = sorted(database.parents)
    rows, lists = _cards(len(names)), b""
    for name in names:
        rows += _cards(cache.places[name], start + 4 + 8 * len(names) + len(lists))
        parents = database.parents[name]
        lists += _cards(len(parents), *(cache.places[parent] for parent in parents))
    return rows + lists


def _is_full(pattern: bytes) -> bool:
    return any(byte in b"\\[?*" for byte in pattern[pattern.startswith(b"*") :])


def _is_suffix(pattern: bytes) -> bool:
    return pattern.startswith(b"*") and not _is_full(pattern)


def _is_literal(pattern: bytes) -> bool:
    return not pattern.startswith(b"*") and not _is_full(pattern)


def _flags(weight: int, *, case_sensitive: bool) -> int:
    return weight & 0xFF | _CASE_SENSITIVE * case_sensitive


def _literals(database: Database, cache: _Strings, _: int) -> bytes:
    return _globs(database, cache, _is_literal)


def _full_patterns(database: Database, cache: _Strings, _: int) -> bytes:
    return _globs(database, cache, _is_full)


def _globs(database: Database, cache: _Strings, wanted: Callable[[bytes], bool]) -> bytes:
    globs = [glob for pattern in sorted(filter(wanted, database.globs)) for glob in database.globs[pattern]]
    rows = (
        _cards(
            cache.places[glob.pattern], cache.places[glob.type], _flags(glob.weight, case_sensitive=glob.case_sensitive)
        )
        for glob in globs
    )
    return _cards(len(globs)) + b"".join(rows)


@dataclass
class _Suffix:
    """What ends here, by type with its weight and flags; and what goes on, by the character before."""

    ends: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    before: dict[str, _Suffix] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ends) + len(self.before)


def _suffixes(database: Database, cache: _Strings, start: int) -> bytes:
    """A tree of suffixes from their last character on, level by level."""
    tree = _suffix_tree(database)
    at = start + 8
    data = _cards(len(tree), at)
    at += 12 * len(tree)
    level = [tree]
    while level:
        for suffix in level:
            for name, (weight, flags) in suffix.ends.items():
                data += _cards(0, cache.places[name], weight & 0xFF | flags)
            for character, longer in sorted(suffix.before.items()):
                data += _cards(ord(character), len(longer), at)
                at += 12 * len(longer)
        level = [longer for suffix in level for _, longer in sorted(suffix.before.items())]
    return data


def _suffix_tree(database: Database) -> _Suffix:
    tree = _Suffix()
    for pattern in filter(_is_suffix, in_hash_order(database.globs)):
        place = tree
        for character in reversed(pattern[1:].decode()):
            place = place.before.setdefault(character, _Suffix())
        for glob in database.globs[pattern]:
            weight, flags = place.ends.get(glob.type, (glob.weight, _flags(0, case_sensitive=glob.case_sensitive)))
            place.ends[glob.type] = max(weight, glob.weight), flags
    return tree


def _magic(database: Database, cache: _Strings, start: int) -> bytes:
    """The rules, then their matches in one table, then the data of these."""
    magics = database.magic_in_order
    ordered = [match for magic in magics for match in _flat(magic.matches)]
    first = start + 12
    table = first + 16 * len(magics)
    places = {id(match): table + 32 * index for index, match in enumerate(ordered)}
    extent = max((len(match.data) + match.start + match.length for match in ordered), default=0)
    head = _cards(len(magics), max(extent, 0), first)
    for magic in magics:
        head += _cards(magic.priority, cache.places[magic.type], len(magic.matches), places[id(magic.matches[0])])
    data = bytearray()
    for match in ordered:
        values = table + 32 * len(ordered) + len(data)
        data += _padded(match.data)
        masks = 0 if match.mask is None else table + 32 * len(ordered) + len(data)
        data += _padded(match.mask or b"")
        inner = places[id(match.inner[0])] if match.inner else 0
        head += _cards(match.start, match.length, match.word, len(match.data), values, masks, len(match.inner), inner)
    return head + data


def _flat(matches: Sequence[Match]) -> Iterator[Match]:
    """All of one level before what is inside of each."""
    yield from matches
    for match in matches:
        yield from _flat(match.inner)
