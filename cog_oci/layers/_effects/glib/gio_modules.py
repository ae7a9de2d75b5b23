"""GIO's list of its modules (giomodule.cache), as gio-querymodules(1) writes it: what each of them is for.

A module says it in a function that returns strings: an array of constants that is copied, or one constant that is
taken apart. What it would return is read out of its few instructions. A module of which it cannot be is left out of
the list, which means to GIO that it has to load it and see.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from cog_oci.layers._effects.elf import read_image, read_shared_object
from cog_oci.layers._effects.glib.amd64 import Amd64
from cog_oci.layers._effects.glib.arm64 import Arm64
from cog_oci.layers._effects.glib.machine import UnknownInstructionError, called
from cog_oci.layers._tar import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cog_oci.layers._deb import Package
    from cog_oci.layers._effects.glib.machine import Called, Number, Processor
    from cog_oci.layers._effects.tree import Tree

__all__ = ["extension_points", "gio_modules", "processor_of"]

_PACKAGES = {"libglib2.0-0", "libglib2.0-0t64"}
_PROCESSORS: Mapping[int, Processor] = {62: Amd64(), 183: Arm64()}
"""By e_machine."""
_MOST = 64


def gio_modules(tree: Tree, packages: Mapping[str, Package]) -> Iterator[Entry]:
    """The list beside the modules, where there are any."""
    if packages.keys().isdisjoint(_PACKAGES):
        return
    for multiarch in tree.children("usr/lib"):
        folder = f"usr/lib/{multiarch}/gio/modules"
        names = [name for name in tree.children(folder) if name.startswith("lib") and name.endswith(".so")]
        files = {name: tree.read(f"{folder}/{name}") for name in names if tree.content(f"{folder}/{name}") is not None}
        points = {name: extension_points(name, data) for name, data in files.items()}
        rows = [f"{name}: {','.join(found)}\n" for name, found in points.items() if found is not None]
        if rows:
            yield Entry.file(f"{tree.resolve(folder)}/giomodule.cache", "".join(rows))


def extension_points(name: str, data: bytes) -> list[str] | None:
    """What a module says that it is for; None when it does not, or not in a way that can be read."""
    processor = processor_of(data)
    if processor is None:
        return None
    try:
        image = read_image(data)
        own = name.removeprefix("lib").removeprefix("gio").partition(".")[0].replace("-", "_")
        symbol = next((one for one in (f"g_io_{own}_query", "g_io_module_query") if image.symbols.get(one)), None)
        return None if symbol is None else _returned(called(image, symbol, processor))
    except (UnknownInstructionError, struct.error, IndexError, ValueError):
        return None


def processor_of(data: bytes) -> Processor | None:
    """What reads the instructions of a shared object."""
    about = read_shared_object(lambda offset, size: data[offset : offset + size])
    return None if about is None else _PROCESSORS.get(about.machine)


def _returned(call: Called) -> list[str]:
    """What the function that was called makes of its arguments, and what the module returns."""
    first, second, third = call.arguments
    if call.name == "g_strdupv" and first is not None:
        found: list[str] = []
        while len(found) < _MOST and (pointer := call.machine.load(first + 8 * len(found))) != 0:
            found.append(_text(call, pointer))
        return found
    if call.name == "g_strsplit" and third == 0:
        text, delimiter = _text(call, first), _text(call, second)
        return text.split(delimiter) if text else []
    raise UnknownInstructionError(call.name)


def _text(call: Called, pointer: Number) -> str:
    if pointer is None:
        raise UnknownInstructionError("a text that is not known")
    return call.machine.image.text(pointer)
