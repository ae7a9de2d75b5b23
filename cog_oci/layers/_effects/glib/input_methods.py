"""GTK's list of ways to type (immodules.cache), as gtk-query-immodules-3.0(1) writes it.

Each module hands out a table of them (GtkIMContextInfo) in a function of a few instructions; they are read, not run. A
module of which that cannot be is left out, and GTK does without it.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from cog_oci.layers._effects.elf import read_image
from cog_oci.layers._effects.glib.gio_modules import processor_of
from cog_oci.layers._effects.glib.machine import UnknownInstructionError, argument, called
from cog_oci.layers._tar import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cog_oci.layers._deb import Package
    from cog_oci.layers._effects.tree import Tree

__all__ = ["input_methods"]

_PACKAGES = ("libgtk-3-0", "libgtk-3-0t64")
_LISTS = "im_module_list"
_FIELDS = 5  # id, name, gettext domain, its directory, languages that it is meant for
_MOST = 64
_HEADING = """\
# GTK+ Input Method Modules file
# Automatically generated file, do not edit
# Created by /usr/lib/{multiarch}/{package}/gtk-query-immodules-3.0 from gtk+-{version}
#
# ModulesPath = {path}
#
"""


def input_methods(tree: Tree, packages: Mapping[str, Package]) -> Iterator[Entry]:
    """The list beside the modules, where GTK 3 is."""
    package = next((packages[name] for name in _PACKAGES if name in packages), None)
    if package is None:
        return
    version = package.fields["Version"].rpartition(":")[2].partition("-")[0]
    for multiarch in tree.children("usr/lib"):
        gtk = f"usr/lib/{multiarch}/gtk-3.0"
        if f"{gtk}/3.0.0/immodules" not in tree:
            continue
        folders = (f"/{gtk}{below}/immodules" for below in ("/3.0.0/linux", "/3.0.0", "/linux", ""))
        text = _HEADING.format(multiarch=multiarch, package=package.name, version=version, path=":".join(folders))
        for name in tree.children(f"{gtk}/3.0.0/immodules"):
            path = f"{gtk}/3.0.0/immodules/{name}"
            if name.endswith(".so") and tree.content(path) is not None and (rows := _offered(tree.read(path))):
                text += f'"/{path}" \n' + "".join(rows) + "\n"
        yield Entry.file(f"{tree.resolve(gtk)}/3.0.0/immodules.cache", text)


def _offered(data: bytes) -> list[str]:
    """The rows of a module's table; none when it has none that can be read."""
    try:
        processor, image = processor_of(data), read_image(data)
        if processor is None or not image.symbols.get(_LISTS):
            return []
        call = called(image, _LISTS, processor)
        table, count = (call.machine.load(argument(number)) for number in (0, 1))
    except (UnknownInstructionError, struct.error, IndexError, ValueError):
        return []
    if call.name or table is None or count is None or count > _MOST:
        return []
    infos = [image.pointer(table + 8 * number) for number in range(count)]
    texts = [[image.text(image.pointer(info + 8 * place)) for place in range(_FIELDS)] for info in infos]
    return ["".join(f'"{text}" ' for text in row) + "\n" for row in texts]
