"""What the scripts of a fresh install would have done, computed: one file an effect, in the order they build on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cog_oci.layers._effects.accounts import accounts
from cog_oci.layers._effects.alternatives import alternatives
from cog_oci.layers._effects.base_files import base_files
from cog_oci.layers._effects.certificates import certificates
from cog_oci.layers._effects.defaults import defaults
from cog_oci.layers._effects.dpkg_database import dpkg_database
from cog_oci.layers._effects.ldcache import ldcache
from cog_oci.layers._effects.shells import shells
from cog_oci.layers._effects.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cog_oci.layers._tar import Entry
    from cog_oci.layers._unpack import Owned, Unpacked

__all__ = ["effects"]

_EFFECTS = (
    base_files,  # the links into /usr, which every other path goes through
    accounts,
    defaults,
    shells,
    certificates,
    alternatives,
    ldcache,  # after alternatives: libblas.so.3 is one
)


def effects(files: Mapping[str, Owned], unpacked: Sequence[Unpacked]) -> dict[str, Entry]:
    """The entries, by path, that configuring all these packages adds to their files or changes in them."""
    tree = Tree({path: owned.entry for path, owned in files.items()})
    packages = {one.package.name: one.package for one in sorted(unpacked, key=lambda one: one.package.qualified)}
    added: dict[str, Entry] = {}
    for effect in _EFFECTS:
        entries = list(effect(tree, packages))
        tree.add(entries)
        added |= {entry.path: entry for entry in entries}
    return added | {entry.path: entry for entry in dpkg_database(unpacked)}
