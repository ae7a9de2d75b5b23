"""/etc/shells and its state, as update-shells(8) of debianutils makes them on a fresh system."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cog_oci.layers._tar import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cog_oci.layers._deb import Package
    from cog_oci.layers._effects.tree import Tree

__all__ = ["shells"]

_TEMPLATE = "usr/share/debianutils/shells"
_FRAGMENTS = "usr/share/debianutils/shells.d"


def shells(tree: Tree, packages: Mapping[str, Package]) -> Iterator[Entry]:
    """The shells that packages declare, each also by its path below /usr, in the order of the fragments' names."""
    if "debianutils" not in packages:
        return
    template = tree.read(_TEMPLATE).decode()
    declared: dict[str, None] = {}
    for path in (_TEMPLATE, *(f"{_FRAGMENTS}/{name}" for name in tree.children(_FRAGMENTS))):
        for row in tree.read(path).decode().splitlines():
            if shell := row.partition("#")[0]:
                folder, _, name = shell.rpartition("/")
                declared |= {shell: None, f"/{tree.resolve(folder) or folder}/{name}": None}
    listed = template.splitlines()
    yield Entry.file("etc/shells", "".join(f"{row}\n" for row in [*listed, *(s for s in declared if s not in listed)]))
    yield Entry.file("var/lib/shells.state", "".join(f"{shell}\n" for shell in declared))
