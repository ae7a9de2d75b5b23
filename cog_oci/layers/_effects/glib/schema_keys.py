"""A key of a settings schema: its type, its default and the values it may have, as glib-compile-schemas(1) has them.

Everything that the program would refuse raises SchemaError: it then leaves out the whole file that the key is in.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cog_oci.layers._effects.glib.variant import serialise
from cog_oci.layers._effects.glib.variant_nodes import TextError
from cog_oci.layers._effects.glib.variant_text import parse

if TYPE_CHECKING:
    from cog_oci.layers._effects.glib.hash_table import HashTable
    from cog_oci.layers._effects.glib.variant import Value

__all__ = ["SPACE", "Choices", "Key", "SchemaError"]

SPACE = " \t\n\f\r"
"""White space, as GLib has it."""
_LONGEST_CHOICE = 62  # strinfo.c: 17 words of 4 bytes, two of which are marks
_LIMITS = {
    "y": ("0", "255"),
    "n": ("-32768", "32767"),
    "q": ("0", "65535"),
    "i": ("-2147483648", "2147483647"),
    "u": ("0", "4294967295"),
    "x": ("-9223372036854775808", "9223372036854775807"),
    "t": ("0", "18446744073709551615"),
    "d": ("-inf", "inf"),
}


class SchemaError(ValueError):
    """What glib-compile-schemas would refuse."""


@dataclass(slots=True)
class Choices:
    """The names that a value may be or consist of, each with a number, and other names for them (gio/strinfo.c)."""

    names: dict[str, int] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    data: bytearray = field(default_factory=bytearray)

    def copy(self) -> Choices:
        """The same, to be added to on its own."""
        return Choices(dict(self.names), dict(self.aliases), bytearray(self.data))

    def add(self, name: str, number: int) -> None:
        """A name more."""
        self._refuse(name)
        self.names[name] = number
        self._append(number & 0xFFFFFFFF, b"\xff", name)

    def add_alias(self, alias: str, name: str) -> None:
        """Another name for one that is there."""
        self._refuse(alias)
        if name not in self.names:
            raise SchemaError(name)
        self.aliases[alias] = name
        self._append(self._place(name), b"\xfe", alias)

    def accept(self, value: Value) -> bool:
        """Whether a string, or every string in an array or a maybe, is one of the names."""
        return all(map(self.accept, value)) if isinstance(value, list) else value in self.names

    def words(self) -> list[Value]:
        """The whole, as numbers of 32 bits."""
        return [number for (number,) in struct.iter_unpack("<I", self.data)]

    def _refuse(self, name: str) -> None:
        if name in self.names or name in self.aliases or len(name.encode()) > _LONGEST_CHOICE:
            raise SchemaError(name)

    def _append(self, number: int, mark: bytes, name: str) -> None:
        text = mark + name.encode() + b"\0"
        self.data += struct.pack("<I", number) + text.ljust(max(7, len(text) + -(len(text) + 1) % 4), b"\0") + b"\xff"

    def _place(self, name: str) -> int:
        """At which word the number of a name stands: an alias has this in place of a number of its own."""
        return (self.data.index(b"\xff" + name.encode() + b"\0") - 4) // 4


@dataclass(slots=True)
class Key:
    """One key; or, with the name of a schema in `child`, the place where other settings hang."""

    kind: str = ""
    child: str = ""
    translatable: bool = False
    choices: Choices = field(default_factory=Choices)
    mark: str = "c"
    overrides: bool = False
    bounds: tuple[int | float, int | float] | None = None
    default: Value | None = None
    text: str = ""
    category: str = ""
    context: str | None = None
    has_choices: bool = False
    has_aliases: bool = False
    desktops: HashTable[tuple[Value, ...]] | None = None

    def overriding(self, translatable: bool) -> Key:
        """A key with another default, in a schema that extends this one's."""
        return Key(
            kind=self.kind,
            translatable=translatable,
            choices=self.choices.copy(),
            mark=self.mark,
            overrides=True,
            bounds=self.bounds,
        )

    def start_default(self, category: str | None, context: str | None) -> None:
        """Note how the default that follows is translated."""
        if category is None:
            if context is not None:
                raise SchemaError("context without l10n")
            return
        if category not in {"messages", "time"} or not self.translatable:
            raise SchemaError(category)
        self.category, self.context = category[0], context

    def end_default(self, text: str) -> None:
        """The default's text is whole."""
        self.text, self.default = text, self.parsed(text)
        self.check()

    def parsed(self, text: str) -> Value:
        """A text as a value of the key's type."""
        try:
            return parse(self.kind, text)
        except TextError as error:
            raise SchemaError(str(error)) from None

    def set_range(self, least: str | None, most: str | None) -> None:
        """Only numbers between these, themselves included."""
        if self.bounds is not None or self.kind not in _LIMITS:
            raise SchemaError("range")
        bounds = [
            self.parsed(limit if given is None else given)
            for given, limit in zip((least, most), _LIMITS[self.kind], strict=True)
        ]
        lowest, highest = (bound if isinstance(bound, int | float) else 0 for bound in bounds)
        if lowest > highest:
            raise SchemaError("range")
        self.bounds = (lowest, highest)
        self.check()

    def check(self) -> None:
        """Whether the default, once it is there, is a value that the key may have."""
        if self.default is not None and not self.allows(self.default):
            raise SchemaError("default")

    def allows(self, value: Value) -> bool:
        """Whether the range, or else the list of choices, has the value."""
        if self.bounds is not None and isinstance(value, int | float):
            return not (value < self.bounds[0] or value > self.bounds[1])
        return not self.choices.data or self.choices.accept(value)

    def serialised(self) -> bytes:
        """What the compiled file has of it: a variant."""
        if self.child:
            return serialise("v", ("s", self.child))
        assert self.default is not None
        kinds, values = [self.kind], [self.default]
        if self.category:
            text = self.text.strip(SPACE)
            text = text if self.context is None else f"{self.context}\4{text}"
            kinds.append("(y(ys))")
            values.append((ord("l"), (ord(self.category), text)))
        if self.choices.data:
            kinds.append("(yau)")
            values.append((ord(self.mark), self.choices.words()))
        if self.bounds is not None:
            kinds.append(f"(y({self.kind * 2}))")
            values.append((ord("r"), self.bounds))
        if self.desktops is not None:
            kinds.append("(ya{sv})")
            values.append((ord("d"), [(desktop, value) for desktop, value in self.desktops.items()]))
        return serialise("v", (f"({''.join(kinds)})", tuple(values)))
