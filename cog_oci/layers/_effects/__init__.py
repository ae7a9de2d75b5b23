"""What the scripts of a fresh install would have done, computed: one file an effect, in the order they build on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cog_oci.layers._effects.accounts import accounts
from cog_oci.layers._effects.alternatives import alternatives, standing
from cog_oci.layers._effects.base_files import base_files
from cog_oci.layers._effects.certificates import certificates
from cog_oci.layers._effects.defaults import defaults
from cog_oci.layers._effects.dpkg_database import dpkg_database, dpkg_database_above
from cog_oci.layers._effects.graphviz import graphviz
from cog_oci.layers._effects.keystore import java_keystore
from cog_oci.layers._effects.ldcache import ldcache
from cog_oci.layers._effects.locales import locales
from cog_oci.layers._effects.mime import mime_database
from cog_oci.layers._effects.pam import pam_profiles
from cog_oci.layers._effects.pixbuf import pixbuf_loaders
from cog_oci.layers._effects.scripts import run_scripts
from cog_oci.layers._effects.shells import shells
from cog_oci.layers._effects.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from cog_oci.layers._deb import Package
    from cog_oci.layers._tar import Entry
    from cog_oci.layers._unpack import Owned, Unpacked

__all__ = ["effects", "effects_above"]

_GLIB = frozenset(("libglib2.0-0", "libglib2.0-0t64", "libgtk-3-0", "libgtk-3-0t64"))


def _of_glib(tree: Tree, packages: Mapping[str, Package]) -> Iterator[Entry]:
    """What programs of GLib and GTK would compile: four files, none of which another is made of."""
    if packages.keys().isdisjoint(_GLIB) and "usr/bin/gtk-update-icon-cache" not in tree:
        return
    from cog_oci.layers._effects import glib  # noqa: PLC0415 - takes a while to load, and most images have no GLib

    for effect in (glib.gio_modules, glib.glib_schemas, glib.icon_caches, glib.input_methods):
        yield from effect(tree, packages)


_BEFORE = (
    base_files,  # the links into /usr, which every other path goes through
    accounts,
    defaults,
    locales,
    shells,
    certificates,
)
_AFTERWARDS = (
    ldcache,  # after alternatives: libblas.so.3 is one
    java_keystore,  # likewise: java is one
    graphviz,
    mime_database,
    pam_profiles,
    pixbuf_loaders,
    _of_glib,
)


def effects(
    files: Mapping[str, Owned], unpacked: Sequence[Unpacked], skipped: Collection[str] = ()
) -> dict[str, Entry]:
    """The entries, by path, that configuring all these packages adds to their files or changes in them.

    The scripts of `skipped` packages, by name, do nothing.
    """
    tree = Tree({path: owned.entry for path, owned in files.items()})
    packages = {one.package.name: one.package for one in sorted(unpacked, key=lambda one: one.package.qualified)}
    added: dict[str, Entry] = {}

    def add(entries: Iterable[Entry]) -> None:
        made = list(entries)
        tree.add(made)
        added.update({entry.path: entry for entry in made})

    for effect in _BEFORE:
        add(effect(tree, packages))
    changed, offers = run_scripts(tree, packages, skipped)
    add(changed.values())
    add(alternatives(tree, offers))
    for effect in _AFTERWARDS:
        add(effect(tree, packages))
    return added | {entry.path: entry for entry in dpkg_database(unpacked)}


def effects_above(
    files: Mapping[str, Entry],
    unpacked: Sequence[Unpacked],
    installed: Mapping[str, Package],
    skipped: Collection[str] = (),
) -> dict[str, Entry]:
    """The same for packages that are added to a system in which others are `installed` and configured already.

    `files` are all that are there by then. What is made of many packages' files is made anew, where it is theirs.
    """
    tree = Tree(files)
    new = {one.package.name: one.package for one in sorted(unpacked, key=lambda one: one.package.qualified)}
    every = {**installed, **new}
    added: dict[str, Entry] = {}

    def add(entries: Iterable[Entry]) -> None:
        made = list(entries)
        tree.add(made)
        added.update({entry.path: entry for entry in made})

    for effect in _BEFORE:
        add(effect(tree, every if effect is shells and _declare_shells(unpacked) else new))
    changed, offers = run_scripts(tree, every, skipped)
    add(changed.values())
    add(alternatives(tree, [*standing(tree, offers), *offers]))
    for effect in _AFTERWARDS:
        add(effect(tree, every))
    return added | {entry.path: entry for entry in dpkg_database_above(unpacked, tree)}


def _declare_shells(unpacked: Sequence[Unpacked]) -> bool:
    return any(entry.path.startswith("usr/share/debianutils/shells.d/") for one in unpacked for entry in one.entries)
