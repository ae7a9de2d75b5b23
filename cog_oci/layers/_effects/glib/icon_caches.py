"""Indexes of icon themes (icon-theme.cache), as gtk-update-icon-cache(1) writes them: what toolkits find icons by.

The file (docs/iconcache.txt of GTK, big-endian) is a table of icons' names by hash, each with the directories that have
one and in which formats, and the list of directories. Chains and lists are in the order in which GLib's hash tables are
gone through; no pixels are in it, which is the program's default.

Debian's packages have their themes indexed by `update-icon-caches` in their postinst, and hicolor, which many packages
add to, by a trigger of the theme's own package.
"""

from __future__ import annotations

import posixpath
import re
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cog_oci.layers._effects.glib.hash_table import HashTable
from cog_oci.layers._effects.glib.key_file import KeyFileError, read_key_file, unescaped
from cog_oci.layers._tar import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cog_oci.layers._deb import Package
    from cog_oci.layers._effects.tree import Tree

__all__ = ["icon_caches"]

_PROGRAM = "usr/bin/gtk-update-icon-cache"
_HICOLOR = "usr/share/icons/hicolor"
_CALL = re.compile(
    r"^\s*(?:update-icon-caches|gtk-update-icon-cache(?:[ \t]+(?:-[fq]+|--force|--quiet))*)((?:[ \t]+/[^\s;&|]+)+)",
    re.MULTILINE,
)
_FLAGS = {"xpm": 1, "svg": 2, "png": 4, "icon": 8}
_ABOUT = _FLAGS["icon"]  # a file about an icon, and not one itself
_HEADER = struct.Struct(">HHII")
_NOTHING = 0xFFFFFFFF
_MOST_LINKS = 40  # as in Linux; what has more is not found at all
_LONG, _DIGITS = 1 << 63, 20
_DEEPEST, _MOST_FOLDERS = 256, 10_000  # two links to a folder in itself make 2^40 of it
_PLAIN = re.compile(r"[!-~]{0,1023}")
# The sizes that GLib has tables grow to (g_spaced_primes_closest).
_SPACED_PRIMES = (
    *(11, 19, 37, 73, 109, 163, 251, 367, 557, 823, 1237, 1861, 2777, 4177, 6247, 9371, 14057, 21089, 31627, 47431),
    *(71143, 106721, 160073, 240101, 360163, 540217, 810343, 1215497, 1823231, 2734867, 4102283, 6153409, 9230113),
)


@dataclass(slots=True)
class _About:
    """What an `.icon` file says: where text fits in, points to attach emblems to, and names by language."""

    rectangle: tuple[int, ...] = ()
    points: list[tuple[int, int]] = field(default_factory=list)
    names: list[tuple[str, str]] = field(default_factory=list)
    place: int = 0


@dataclass(slots=True)
class _Icon:
    """An icon in a directory, by the directory's number."""

    directory: int
    flags: int = 0
    about: _About | None = None


class _EndlessError(Exception):
    """More folders than an index is of use for."""


def icon_caches(tree: Tree, packages: Mapping[str, Package]) -> Iterator[Entry]:
    """The index of every theme that a package's script has made, where there are icons.

    None for one with links that make it endless: what looks for icons does without.
    """
    if _PROGRAM not in tree:
        return
    themes = {_HICOLOR} if "hicolor-icon-theme" in packages else set()
    for package in packages.values():
        for call in _CALL.findall(package.script("postinst")):
            themes |= {path.strip("/") for path in call.split()}
    for theme in sorted(themes):
        try:
            icons, directories = _found(tree, theme)
        except _EndlessError:
            continue
        if len(icons) and tree.content(f"{theme}/index.theme") is not None and _is_valid(icons, directories):
            yield Entry.file(f"{tree.resolve(theme)}/icon-theme.cache", _cache(icons, directories))


def _is_valid(icons: HashTable[list[_Icon]], directories: Sequence[str]) -> bool:
    """Whether the program keeps what it has written: all names are visible ASCII, but for those that are displayed."""
    told = {id(icon.about): icon.about for _, own in icons.items() for icon in own if icon.about is not None}
    languages = (language for about in told.values() for language, _ in about.names)
    return all(_PLAIN.fullmatch(text) for text in (*icons, *directories, *languages))


def _found(tree: Tree, theme: str) -> tuple[HashTable[list[_Icon]], list[str]]:
    """A theme's icons by name, those of directories that were gone through last first, and these directories."""
    icons: HashTable[list[_Icon]] = HashTable()
    directories: list[str] = []
    about: dict[str, _About | None] = {}
    left = _MOST_FOLDERS

    def scan(folder: str) -> None:
        nonlocal left
        left -= 1
        if not left or folder.count("/") > _DEEPEST:
            raise _EndlessError(theme)
        here: HashTable[_Icon] = HashTable()
        number: int | None = None
        for name in sorted(
            tree.children(f"{theme}/{folder}"), key=lambda name: name.encode("utf-8", "surrogateescape")
        ):
            path = f"{theme}/{folder}/{name}" if folder else f"{theme}/{name}"
            if tree.content(path) is None:
                if _is_directory(tree, path):
                    scan(f"{folder}/{name}" if folder else name)
                continue
            stem, _, suffix = name.rpartition(".")
            if not folder or suffix not in _FLAGS or "." not in name:
                continue
            icon = here.get(stem)
            if icon is None:
                if number is None:
                    number = len(directories)
                    directories.append(folder)
                icon = _Icon(number)
                here.insert(stem, icon)
            icon.flags |= _FLAGS[suffix]
            if suffix == "icon":
                icon.about = _about(tree, path, about)
        for stem, icon in here.items():
            if icon.flags != _ABOUT:
                icons.insert(stem, [icon, *(icons.get(stem) or ())])

    scan("")
    return icons, directories


def _is_directory(tree: Tree, path: str) -> bool:
    resolved = tree.resolve(path)
    entry = None if resolved is None else tree.at(resolved)
    return resolved is not None and (entry is None or entry.kind == "directory")


def _about(tree: Tree, path: str, known: dict[str, _About | None]) -> _About | None:
    """What a file says of an icon; the same for all links to it, so that it is written once.

    A file that is found in another way because a directory is a link is another file to the program.
    """
    file = path
    for _ in range(_MOST_LINKS):
        folder, _, name = path.rpartition("/")
        entry = tree.at(f"{tree.resolve(folder)}/{name}")
        if entry is None or entry.kind != "symlink":
            break
        path = posixpath.normpath(posixpath.join("/", folder, entry.target)).lstrip("/")
    if path not in known:
        known[path] = _read(tree.read(file))
    return known[path]


def _read(data: bytes) -> _About | None:
    try:
        values = read_key_file(data).get("Icon Data", {})
    except KeyFileError:
        return None
    found = _About()
    numbers = [_integer(text) for text in re.split(r",", values.get("EmbeddedTextRectangle", "").removesuffix(","))]
    if len(numbers) == 4 and None not in numbers:
        found.rectangle = tuple(number for number in numbers if number is not None)
    points = unescaped(values.get("AttachPoints", "")) or ""
    for point in points.split("|") if points else ():
        x, _, y = point.partition(",")
        found.points.append((_leading(x), _leading(y)))
    for key, value in values.items():
        if key.startswith("DisplayName"):
            language = re.search(r"\[(.*?)\]", key)
            name = unescaped(value)
            if name is None:
                # Its list of names ends here, as in the program.
                break
            found.names.append((language[1] if language else "C", name))
    return found


def _integer(text: str) -> int | None:
    text = text.strip(" \t\n\f\r")
    number = _clamped(text) if re.fullmatch(r"[-+]?[0-9]+", text) else _LONG
    return number if -(1 << 31) <= number < 1 << 31 else None


def _leading(text: str) -> int:
    """The number that a text begins with, as atoi(3) reads it."""
    found = re.match(r"\s*([-+]?[0-9]+)", text)
    return _clamped(found[1]) if found else 0


def _clamped(text: str) -> int:
    """A decimal number as strtol(3) has it; Python would read some thousand digits."""
    number = int(text.lstrip("+-0")[:_DIGITS] or "0")
    return max(-number, -_LONG) if text.startswith("-") else min(number, _LONG - 1)


def _cache(icons: HashTable[list[_Icon]], directories: Sequence[str]) -> bytes:
    """The file."""
    count = next((prime for prime in _SPACED_PRIMES if prime > len(icons) // 3), _SPACED_PRIMES[-1])
    buckets: list[list[str]] = [[] for _ in range(count)]
    for name in icons:
        buckets[_hash(name) % count].insert(0, name)
    out = _Out()
    out.data += bytes(_HEADER.size)
    out.words(count, *[_NOTHING] * count)
    for number, bucket in enumerate(buckets):
        link = _HEADER.size + 4 + 4 * number
        for name in bucket:
            out.patch(link, len(out.data))
            link = len(out.data)
            _write_icon(out, name, icons.get(name) or [])
    _HEADER.pack_into(out.data, 0, 1, 0, _HEADER.size, len(out.data))
    out.words(len(directories))
    out.strings(directories)
    return bytes(out.data)


def _hash(name: str) -> int:
    found = 0
    for byte in name.encode("utf-8", "surrogateescape"):
        found = (found * 31 + (byte - 256 if byte > 127 else byte)) & 0xFFFFFFFF
    return found


class _Out:
    """The file while it grows; every string is in it once."""

    def __init__(self) -> None:
        self.data = bytearray()
        self._places: dict[str, int] = {}

    def words(self, *numbers: int) -> None:
        self.data += struct.pack(f">{len(numbers)}I", *numbers)

    def patch(self, place: int, number: int) -> None:
        struct.pack_into(">I", self.data, place, number)

    def strings(self, texts: Sequence[str]) -> None:
        """Where each string is, and then those that are new."""
        start = len(self.data)
        self.data += bytes(4 * len(texts))
        for number, text in enumerate(texts):
            self.patch(start + 4 * number, self._place(text))

    def _place(self, text: str) -> int:
        if text not in self._places:
            self._places[text] = len(self.data)
            data = text.encode("utf-8", "surrogateescape")
            self.data += data.ljust(len(data) // 4 * 4 + 4, b"\0")
        return self._places[text]

    def name(self, text: str) -> None:
        """Where a name is, where what stands behind it is, and the name when it is new."""
        start = len(self.data)
        self.words(0, 0)
        self.patch(start, self._place(text))
        self.patch(start + 4, len(self.data))


def _write_icon(out: _Out, name: str, icons: Sequence[_Icon]) -> None:
    """A link in a chain: the name, the list of directories, and what is told about them."""
    out.words(_NOTHING)
    out.name(name)
    out.words(len(icons))
    start = len(out.data)
    for icon in icons:
        out.data += struct.pack(">HHI", icon.directory, icon.flags, 0)
    for number, icon in enumerate(icons):
        if icon.about is not None:
            out.patch(start + 8 * number + 4, len(out.data))
            _write_about(out, icon.about)


def _write_about(out: _Out, about: _About) -> None:
    """Where pixels are (there are none), and where the rest; the rest itself when it is met for the first time."""
    if about.place or not (about.rectangle or about.points or about.names):
        out.words(0, about.place)
        return
    about.place = len(out.data) + 8
    out.words(0, about.place, 0, 0, 0)
    if about.rectangle:
        out.patch(about.place, len(out.data))
        out.data += struct.pack(">4H", *(number & 0xFFFF for number in about.rectangle))
    if about.points:
        out.patch(about.place + 4, len(out.data))
        out.words(len(about.points))
        out.data += b"".join(struct.pack(">HH", x & 0xFFFF, y & 0xFFFF) for x, y in about.points)
    if about.names:
        out.patch(about.place + 8, len(out.data))
        out.words(len(about.names))
        out.strings([text for pair in about.names for text in pair])
