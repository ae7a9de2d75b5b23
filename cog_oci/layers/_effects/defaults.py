"""Configuration files that packages copy or write into /etc when they are configured for the first time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cog_oci.layers._tar import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cog_oci.layers._deb import Package
    from cog_oci.layers._effects.tree import Tree

__all__ = ["defaults"]

_FONT_DEFAULTS = (
    ("10-hinting-slight.conf",),
    ("10-sub-pixel-none.conf",),
    ("70-no-bitmaps-except-emoji.conf", "70-no-bitmaps.conf"),
)
"""What fontconfig-config's debconf questions answer by themselves: of each row the first that the version brings."""
_TIME_ZONE = "Etc/UTC"


def defaults(tree: Tree, packages: Mapping[str, Package]) -> Iterator[Entry]:
    """Files that no package brings as such and that are not there yet."""
    if "tzdata" in packages:
        yield Entry.symlink("etc/localtime", f"/usr/share/zoneinfo/{_TIME_ZONE}")
        yield Entry.file("etc/timezone", f"{_TIME_ZONE}\n")
    if "fontconfig-config" in packages:
        yield from _fonts(tree)
    for name in packages:
        if name.startswith("python3.") and name.endswith("-minimal"):
            yield Entry.directory(f"usr/local/lib/{name.removesuffix('-minimal')}")
            yield Entry.directory(f"usr/local/lib/{name.removesuffix('-minimal')}/dist-packages")


def _fonts(tree: Tree) -> Iterator[Entry]:
    yield Entry.directory("usr/local/share/fonts")
    for names in _FONT_DEFAULTS:
        available = [name for name in names if f"usr/share/fontconfig/conf.avail/{name}" in tree]
        if available and tree.at(f"etc/fonts/conf.d/{available[0]}") is None:
            target = f"/usr/share/fontconfig/conf.avail/{available[0]}"
            yield Entry.symlink(f"etc/fonts/conf.d/{available[0]}", target)
