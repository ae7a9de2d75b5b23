"""gdk-pixbuf's list of the loaders that are not built into it: GIF, BMP, TIFF, icons and their like.

gdk-pixbuf-query-loaders(1) asks each loader by running it; those of Debian's own package, and that of librsvg, say the
same in every version.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cog_oci.layers._tar import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cog_oci.layers._deb import Package
    from cog_oci.layers._effects.tree import Tree

__all__ = ["pixbuf_loaders"]

_PACKAGE = "libgdk-pixbuf-2.0-0"
_LOADER = re.compile(r"libpixbufloader[-_](\w+)\.so")
_HEADING = """\
# GdkPixbuf Image Loader Modules file
# Automatically generated file, do not edit
# Created by gdk-pixbuf-query-loaders from gdk-pixbuf-%s
#
"""
_SAID = {
    "ani": r"""
"ani" 4 "gdk-pixbuf" "Windows animated cursor" "LGPL"
"application/x-navi-animation" ""
"ani" ""
"RIFF    ACON" "    xxxx    " 100
""",
    "bmp": r"""
"bmp" 5 "gdk-pixbuf" "BMP" "LGPL"
"image/bmp" "image/x-bmp" "image/x-MS-bmp" ""
"bmp" ""
"BM" "" 100
""",
    "gif": r"""
"gif" 4 "gdk-pixbuf" "GIF" "LGPL"
"image/gif" ""
"gif" ""
"GIF8" "" 100
""",
    "icns": r"""
"icns" 4 "gdk-pixbuf" "MacOS X icon" "GPL"
"image/x-icns" ""
"icns" ""
"icns" "" 100
""",
    "ico": r"""
"ico" 5 "gdk-pixbuf" "Windows icon" "LGPL"
"image/x-icon" "image/x-ico" "image/x-win-bitmap" "image/vnd.microsoft.icon" "application/ico" "image/ico" "image/icon" "text/ico" ""
"ico" "cur" ""
"  \001   " "zz znz" 100
"  \002   " "zz znz" 100
""",  # noqa: E501 - as it is in the file
    "pnm": r"""
"pnm" 4 "gdk-pixbuf" "PNM/PBM/PGM/PPM" "LGPL"
"image/x-portable-anymap" "image/x-portable-bitmap" "image/x-portable-graymap" "image/x-portable-pixmap" ""
"pnm" "pbm" "pgm" "ppm" ""
"P1" "" 100
"P2" "" 100
"P3" "" 100
"P4" "" 100
"P5" "" 100
"P6" "" 100
""",
    "qtif": r"""
"qtif" 4 "gdk-pixbuf" "QuickTime" "LGPL"
"image/x-quicktime" "image/qtif" ""
"qtif" "qif" ""
"abcdidsc" "xxxx    " 100
"abcdidat" "xxxx    " 100
""",
    "svg": r"""
"svg" 6 "gdk-pixbuf" "Scalable Vector Graphics" "LGPL"
"image/svg+xml" "image/svg" "image/svg-xml" "image/vnd.adobe.svg+xml" "text/xml-svg" "image/svg+xml-compressed" ""
"svg" "svgz" "svg.gz" ""
" <svg" "*    " 100
" <!DOCTYPE svg" "*             " 100
""",
    "tga": r"""
"tga" 4 "gdk-pixbuf" "Targa" "LGPL"
"image/x-tga" ""
"tga" "targa" ""
" \001\001" "x  " 100
" \001\t" "x  " 100
"  \002" "xz " 99
"  \003" "xz " 100
"  \n" "xz " 100
"  \v" "xz " 100
""",
    "tiff": r"""
"tiff" 5 "gdk-pixbuf" "TIFF" "LGPL"
"image/tiff" ""
"tiff" "tif" ""
"MM *" "  z " 100
"II* " "   z" 100
"II* \020   CR\002 " "   z zzz   z" 0
""",
    "xbm": r"""
"xbm" 4 "gdk-pixbuf" "XBM" "LGPL"
"image/x-xbitmap" ""
"xbm" ""
"#define " "" 100
"/*" "" 50
""",
    "xpm": r"""
"xpm" 4 "gdk-pixbuf" "XPM" "LGPL"
"image/x-xpixmap" ""
"xpm" ""
"/* XPM */" "" 100
""",
}
"""What each loader says: its format, MIME types, suffixes, and patterns of the bytes at the beginning of a file."""


def pixbuf_loaders(tree: Tree, packages: Mapping[str, Package]) -> Iterator[Entry]:
    """loaders.cache, with the loaders that are known."""
    if _PACKAGE not in packages:
        return
    version = packages[_PACKAGE].fields["Version"].partition("-")[0].partition("+")[0]
    for multiarch in tree.children("usr/lib"):
        folder = f"usr/lib/{multiarch}/gdk-pixbuf-2.0/2.10.0"
        names = [name for name in tree.children(f"{folder}/loaders") if _said(name)]
        rows = "".join(f'"/{folder}/loaders/{name}"{_said(name)}\n' for name in names)
        if names:
            yield Entry.file(f"{folder}/loaders.cache", f"{_HEADING % version}{rows}\n")


def _said(name: str) -> str:
    found = _LOADER.fullmatch(name)
    return _SAID.get(found[1], "") if found else ""
