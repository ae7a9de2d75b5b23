"""Lists of the fonts in folders of X servers: update-fonts-alias, -dir and -scale of xfonts-utils.

Of bitmap fonts, those in the Portable Compiled Format with a name in it are listed, which is what Debian Policy 11.8.5
asks packages for: what the other formats would be listed as, mkfontscale(1) has from FreeType. Scalable fonts are
listed as the packages' own *.scale files have them.
"""

from __future__ import annotations

import re
import struct
import zlib
from functools import partial
from typing import TYPE_CHECKING

from cog_oci.layers._effects.arguments import arguments
from cog_oci.layers._effects.system import System

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from cog_oci.layers._effects.system import Unseen
    from cog_oci.layers._effects.tree import Tree
    from cog_oci.layers._sh.evaluator import Call, Status
    from cog_oci.layers._sh.expansion import Field

__all__ = ["encoding_names", "font_commands", "fonts_dir", "pcf_name"]

_FONTS, _SOURCES = "/usr/share/fonts/X11", ("/etc/X11/fonts", "/etc/X11/fonts/X11R7")
_ENCODINGS = (f"{_FONTS}/encodings", f"{_FONTS}/encodings/large")
_EXCLUDED = "/var/lib/xfonts/excluded-aliases"
_ALIAS_HEADING = (
    "!! fonts.alias -- automatically generated file.  DO NOT EDIT.\n!! To modify, see update-fonts-alias(8).\n"
)
_GZIP, _PCF, _PROPERTIES, _BIG_ENDIAN = b"\x1f\x8b", b"\x01fcp", 1, 4
_MOST_PROPERTIES, _LONGEST_STRINGS, _MOST_ALIASES = 1000, 100_000, 20
_ENCODING = re.compile(rb"[A-Za-z/_.-][!-~]*")
_LARGEST = 64 << 20  # bytes of a font or an encoding
_BEST = 100
_PRIORITIES = ((".otf", 6), (".ttf", 5), (".pcf", 4), (".gz", 3), (".bz2", 2), (".Z", 2), (".bdf", 1))


def font_commands(system: Unseen) -> Mapping[str, Callable[[Call], Status]]:
    """By name, working on this system; they do nothing where it is not known."""
    return {
        "update-fonts-alias": partial(_alias, system),
        "update-fonts-dir": partial(_dir, system),
        "update-fonts-scale": partial(_scale, system),
    }


def _folders(system: Unseen, call: Call, names: list[Field]) -> Iterator[tuple[System, str, str]]:
    """The folders that are there, each with its path and its name."""
    if isinstance(system, System) and system.program(call.words[0]):
        for name in names:
            path = name if name and name.startswith("/") else f"{_FONTS}/{name}"
            if system.kind(path) == "directory":
                yield system, path, path.rpartition("/")[2]


def _sources(system: System, name: str, suffix: str) -> list[str]:
    """What packages say about a folder's fonts."""
    return [path for folder in _SOURCES for path in system.paths(f"{folder}/{name}/*{suffix}") or ()]


def _alias(system: Unseen, call: Call) -> Status:
    _, values, names = arguments(call, "7", "x11r7-layout", {"i": "include"}, least=1)
    for known, folder, name in _folders(system, call, names):
        excluded = set((known.read(_EXCLUDED) or "").split("\n")) if known.kind(_EXCLUDED) else set()
        paths = [path for path in _sources(known, name, ".alias") if path not in excluded - {values.get("i")}]
        if paths:
            text = "".join(f"!! {path}\n{known.read(path)}" for path in paths)
            known.write(f"{folder}/fonts.alias", _ALIAS_HEADING + text)
    return True


def _scale(system: Unseen, call: Call) -> Status:
    _, _, names = arguments(call, "7", "x11r7-layout", least=1)
    for known, folder, name in _folders(system, call, names):
        lines = [line for path in _sources(known, name, ".scale") for line in (known.read(path) or "").split("\n")[:-1]]
        rows = [re.split(r"[ \t]+", line.strip(" \t"), maxsplit=1) for line in lines]
        listed = [f"{row[0]} {''.join(row[1:])}\n" for row in rows if known.kind(f"{folder}/{row[0]}") == "file"]
        if listed:
            known.write(f"{folder}/fonts.scale", f"{len(listed)}\n{''.join(listed)}")
    return True


def _dir(system: Unseen, call: Call) -> Status:
    _, _, names = arguments(call, "7", "x11r7-layout", least=1)
    for known, folder, _ in _folders(system, call, names):
        listed = fonts_dir(known.tree, folder)
        if listed is None:
            continue
        known.write(f"{folder}/fonts.dir", _text(listed))
        if all(known.kind(path) == "directory" for path in _ENCODINGS):
            rows = sorted(row for path in _ENCODINGS for row in _encodings(known.tree, path))
            if rows:
                known.write(f"{folder}/encodings.dir", f"{len(rows)}\n{_text(b''.join(rows))}")
    return True


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def fonts_dir(tree: Tree, folder: str) -> bytes | None:
    """fonts.dir of a folder, by file and by name; None where no font is listed.

    Of fonts with one name one in a better format than the last of them counts: as on trixie; on bookworm it depends on
    the order in which a file system lists them. A name that is written in two ways may be listed twice.
    """
    found: dict[tuple[int, bytes], tuple[int, str]] = {}

    def put(font: bytes, file: str, priority: int) -> None:
        key = (_bucket(font), font.lower())
        # The priority that counts is that of the first file: a better one does not bring its own.
        best, _ = found.setdefault(key, (priority, file))
        if priority > best:
            found[key] = (best, file)

    for file, font in _scaled(tree, folder):
        put(font, file, _BEST)
    for file in sorted(tree.children(folder), key=_raw, reverse=True):
        name = pcf_name(_unzipped(tree, f"{folder}/{file}"))
        if name is not None:
            entry = tree.at(f"{folder.strip('/')}/{file}")
            is_link = entry is not None and entry.kind == "symlink"
            put(name, file, 2 * _format(file) + (not is_link))
    rows = sorted((_raw(file), font) for (_, font), (_, file) in found.items())
    return b"%d\n" % len(rows) + b"".join(b"%b %b\n" % row for row in rows) if rows else None


def _bucket(font: bytes) -> int:
    """Where mkfontscale's table has a name: only there it looks whether it has it already."""
    number = 0
    for byte in font:
        number = ((number << 5) + (number >> 5) + byte) & 0xFFFFFFFF
    return number & 0x3FF


def _format(file: str) -> int:
    return next((number for suffix, number in _PRIORITIES if file.endswith((suffix, _upper(suffix)))), 0)


def _upper(suffix: str) -> str:
    return suffix if suffix in {".gz", ".bz2", ".Z"} else suffix.upper()


def _scaled(tree: Tree, folder: str) -> Iterator[tuple[str, bytes]]:
    """The rows of fonts.scale, as many as it says it has."""
    path = f"{folder}/fonts.scale"
    count, *rows = tree.read(path).split(b"\n") if tree.content(path) else [b"0"]
    for row in rows[: int(count) if count.isdigit() else 0]:
        file, _, font = row.partition(b" ")
        if font:
            yield _text(file), font


def _unzipped(tree: Tree, path: str) -> bytes:
    """A file, unpacked where it is compressed by gzip; nothing for what is no file, damaged or too large."""
    data = tree.read(path) if tree.content(path) else b""
    try:
        if not data.startswith(_GZIP):
            return data
        unpacker = zlib.decompressobj(wbits=31)
        unpacked = unpacker.decompress(data, _LARGEST)
    except zlib.error:
        return b""
    return unpacked if unpacker.eof else b""


def pcf_name(data: bytes) -> bytes | None:
    """The property FONT of a font in the Portable Compiled Format; None for any other file, and without one.

    A table of contents leads to the properties: name, whether it is a string, value; then all strings, ended by zeros.
    """
    try:
        start = _properties(data)
        if start is None:
            return None
        (layout,) = struct.unpack_from("<I", data, start)
        order = ">" if layout & _BIG_ENDIAN else "<"
        (count,) = struct.unpack_from(f"{order}i", data, start + 4)
        if layout & 0xFFFFFF00 or not 0 < count <= _MOST_PROPERTIES:
            return None
        rows = [struct.unpack_from(f"{order}IBI", data, start + 8 + 9 * index) for index in range(count)]
        at = start + 8 + 9 * count + -count % 4
        (size,) = struct.unpack_from(f"{order}i", data, at)
    except struct.error:
        return None
    strings = data[at + 4 : at + 4 + size] if 0 <= size <= _LONGEST_STRINGS else b""
    for name, is_string, value in rows if len(strings) == size else ():
        if is_string and name < size - 4 and value < size and strings[name:].startswith(b"FONT\0"):
            return strings[value:].partition(b"\0")[0]
    return None


def _properties(data: bytes) -> int | None:
    """Where the properties are."""
    if not data.startswith(_PCF):
        return None
    (count,) = struct.unpack_from("<i", data, 4)
    for index in range(count):
        kind, _, _, start = struct.unpack_from("<4I", data, 8 + 16 * index)
        if kind == _PROPERTIES:
            return int(start)
    return None


def _encodings(tree: Tree, folder: str) -> Iterator[bytes]:
    for file in tree.children(folder):
        for name in encoding_names(_unzipped(tree, f"{folder}/{file}")):
            yield b"%b %b\n" % (name, _raw(f"{folder}/{file}"))


def encoding_names(data: bytes) -> list[bytes]:
    """The name of an encoding and its aliases; none for a file that is no encoding's."""
    names: list[bytes] = []
    for line in data.split(b"\n"):
        words = re.split(rb"[ \t]+", line.partition(b"#")[0].strip(b" \t"))
        word, value = words[0].upper(), words[1] if len(words) == 2 and _ENCODING.fullmatch(words[1]) else None
        if word == b"STARTMAPPING" or (word and not names and (word != b"STARTENCODING" or value is None)):
            break
        if value is not None and (not names or (word == b"ALIAS" and len(names) <= _MOST_ALIASES)):
            names.append(value)
    return names
