"""What base-files sets up on a fresh system: directories, links, the first configuration files and empty logs.

Its postinst is a list of calls of small functions with literal arguments; they are read from the script, so that each
suite gets what its own version does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cog_oci.layers._effects.accounts import group_ids
from cog_oci.layers._effects.shell import logical_lines
from cog_oci.layers._tar import Bytes, Entry
from cog_oci.layers._unpack import slimmed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cog_oci.layers._deb import Package
    from cog_oci.layers._effects.tree import Tree

__all__ = ["base_files"]

_DEFAULTS = "usr/share/base-files"
_MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libo32", "libx32")


def base_files(tree: Tree, packages: Mapping[str, Package]) -> Iterator[Entry]:
    """The root's links into /usr (on every suite), and the calls of base-files' postinst."""
    for name in _MERGED:
        if tree.at(name) is None and f"usr/{name}" in tree:
            yield Entry.symlink(name, f"usr/{name}")
    if "base-files" not in packages:
        return
    if "etc/dpkg/origins/debian" in tree and "etc/dpkg/origins/default" not in tree:
        yield Entry.symlink("etc/dpkg/origins/default", "debian")
    yield Entry.symlink("var/spool/mail", "../mail")
    yield Entry.symlink("usr/local/man", "share/man")
    groups = group_ids(tree, packages)
    for line in logical_lines(packages["base-files"].script("postinst")):
        yield from _call(line.split(), tree, groups)


def _call(words: list[str], tree: Tree, groups: Mapping[str, int]) -> Iterator[Entry]:
    match words:
        case ["install_from_default", source, target] if "$" not in target:
            yield from _copy(tree, f"{_DEFAULTS}/{source}", target.lstrip("/"))
        case ["install_directory", path, mode, group] if "$" not in path:
            if path not in tree:
                yield Entry(path=path, kind="directory", mode=int(mode, 8), gid=groups.get(group, 0))
        case ["install_local_dir", path] if "$" not in path:
            if path not in tree:
                yield Entry.directory(path.lstrip("/"))
        case ["migrate_directory", path, target] if "$" not in path:
            yield Entry.symlink(path.lstrip("/"), target)
        case ["ensure_file_owner_mode", path, owner, mode] if "$" not in path:
            group = owner.partition(":")[2]
            empty = Bytes(b"")
            yield Entry(path=path.lstrip("/"), mode=int(mode, 8), gid=groups.get(group, 0), content=empty)


def _copy(tree: Tree, source: str, target: str) -> Iterator[Entry]:
    if target not in tree and not slimmed(target):
        yield Entry.file(target, tree.read(source))
