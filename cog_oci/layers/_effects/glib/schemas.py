"""Compiled settings (gschemas.compiled), as glib-compile-schemas(1) writes them: what GSettings knows keys from.

libglib2.0-0 calls the program in its postinst and by a trigger, on all files that packages have put there. The bytes
are the program's: they have the order of GLib's hash tables in them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cog_oci.layers._effects.glib.gvdb import Table, gvdb
from cog_oci.layers._effects.glib.hash_table import HashTable
from cog_oci.layers._effects.glib.key_file import KeyFileError, read_key_file
from cog_oci.layers._effects.glib.schema_files import SchemaFiles
from cog_oci.layers._effects.glib.schema_keys import SchemaError
from cog_oci.layers._effects.glib.variant import serialise
from cog_oci.layers._tar import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cog_oci.layers._deb import Package
    from cog_oci.layers._effects.glib.schema_files import Schema
    from cog_oci.layers._effects.tree import Tree

__all__ = ["compiled", "glib_schemas"]

_PACKAGES = {"libglib2.0-0", "libglib2.0-0t64"}
_FOLDER = "usr/share/glib-2.0/schemas"
_DESCRIPTIONS = (".gschema.xml", ".enums.xml")
_DEFAULTS = ".gschema.override"


def glib_schemas(tree: Tree, packages: Mapping[str, Package]) -> Iterator[Entry]:
    """gschemas.compiled, when there are descriptions to compile."""
    if packages.keys().isdisjoint(_PACKAGES):
        return
    names = [name for name in tree.children(_FOLDER) if name.endswith((*_DESCRIPTIONS, _DEFAULTS))]
    files = {name: tree.read(f"{_FOLDER}/{name}") for name in names if tree.content(f"{_FOLDER}/{name}") is not None}
    if any(name.endswith(_DESCRIPTIONS) for name in files):
        yield Entry.file(f"{tree.resolve(_FOLDER)}/gschemas.compiled", compiled(files))


def compiled(files: Mapping[str, bytes]) -> bytes:
    """The compiled file for these, by their names."""
    described = SchemaFiles()
    for name in sorted(files, key=lambda name: (not name.endswith(".enums.xml"), name.encode())):
        if name.endswith(_DESCRIPTIONS):
            described.read(files[name])
    for name in sorted(files, key=str.encode):
        if name.endswith(_DEFAULTS):
            _override(described.schemas, files[name])
    root = Table()
    for name, schema in described.schemas.items():
        root.add(name, _table(schema))
    return gvdb(root)


def _table(schema: Schema) -> Table:
    table = Table()
    for name, key in schema.keys.items():
        table.add(name, key.serialised())
    texts = {".path": schema.path, ".extends": schema.extends_name, ".list-of": schema.list_of}
    if any(key.category for _, key in schema.keys.items()):
        texts[".gettext-domain"] = schema.domain
    for name, text in texts.items():
        if text is not None:
            table.add(name, serialise("v", ("s", text)), listed=False)
    return table


def _is_utf8(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _override(schemas: HashTable[Schema], data: bytes) -> None:
    """Give keys the defaults that a distributor's file names, of all desktops or (`[schema:desktop]`) of one."""
    try:
        groups = read_key_file(data)
    except KeyFileError:
        return
    for group, texts in groups.items():
        name, colon, desktop = group.partition(":")
        if not _is_utf8(desktop):  # nothing that a compiled file could have
            continue
        schema = schemas.get(name)
        for key_name, text in texts.items():
            key = None if schema is None else schema.keys.get(key_name)
            if key is None or key.child or (colon and key.category):
                continue
            try:
                value = key.parsed(text)
            except SchemaError:
                continue
            if not key.allows(value):
                continue
            if colon:
                key.desktops = HashTable() if key.desktops is None else key.desktops
                key.desktops.insert(desktop, (key.kind, value))
            else:
                key.default = value
