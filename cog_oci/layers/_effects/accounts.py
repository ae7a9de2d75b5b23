"""Users and groups of a fresh system: base-passwd's masters (root, nobody and Debian's fixed ones between)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cog_oci.layers._tar import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cog_oci.layers._deb import Package
    from cog_oci.layers._effects.tree import Tree

__all__ = ["accounts", "group_ids"]

_MASTERS = {"etc/passwd": "usr/share/base-passwd/passwd.master", "etc/group": "usr/share/base-passwd/group.master"}
_SUBORDINATE = ("etc/subuid", "etc/subgid")


def accounts(tree: Tree, packages: Mapping[str, Package]) -> Iterator[Entry]:
    """/etc/passwd and /etc/group; no password works, because each field has `*`."""
    if "base-passwd" not in packages:
        return
    for target, source in _MASTERS.items():
        if target not in tree:
            yield Entry.file(target, tree.read(source))
    script = packages["base-passwd"].script("postinst")
    for target in _SUBORDINATE:
        if target not in tree and f"/{target}" in script:
            yield Entry.file(target, b"")


def group_ids(tree: Tree, packages: Mapping[str, Package]) -> dict[str, int]:
    """Group names to numbers, of the groups that base-passwd brings (group(5))."""
    if "base-passwd" not in packages:
        return {}
    rows = (row.split(":") for row in tree.read(_MASTERS["etc/group"]).decode().splitlines())
    return {row[0]: int(row[2]) for row in rows if len(row) > 2}
