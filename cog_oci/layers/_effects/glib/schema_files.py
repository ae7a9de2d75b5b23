"""Files that describe settings (*.gschema.xml, *.enums.xml), read as glib-compile-schemas(1) reads them.

A file with a mistake in it counts as if it were not there; what it says must be there before something refers to it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from xml.parsers import expat

from cog_oci.layers._effects.glib.hash_table import HashTable
from cog_oci.layers._effects.glib.schema_keys import SPACE, Choices, Key, SchemaError
from cog_oci.layers._effects.glib.variant import is_type

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Schema", "SchemaFiles"]

_INTEGER = re.compile(rf"[{SPACE}]*([-+]?)(?:0[xX]([0-9A-Fa-f]+)|(0[0-7]*)|([1-9][0-9]*))|")
_DIGITS = 20  # more than there are in any number; Python reads some thousand
_NAME = re.compile(r"[a-z](?:-?[a-z0-9])*")
# What is not ended is looked for once, and left as it is.
_COMMENT = re.compile(rb"<!\[CDATA\[.*?(?:\]\]>|\Z)|(<!--.*?-->)|<!--.*", re.DOTALL)


@dataclass(slots=True)
class Schema:
    """A schema: where its settings are kept, what it extends, and its keys by name."""

    path: str | None
    domain: str | None
    extends: Schema | None
    extends_name: str | None
    list_of: str | None
    keys: HashTable[Key] = field(default_factory=HashTable)


_Attributes = dict[str, str | None]


class SchemaFiles:
    """The schemas of the files that have been read, by id."""

    def __init__(self) -> None:
        self.schemas: HashTable[Schema] = HashTable()
        self._choices: dict[tuple[str, str], Choices] = {}

    def read(self, data: bytes) -> None:
        """What a file says; nothing when there is a mistake in it."""
        reader = _Reader(self.schemas, self._choices)
        try:
            reader.read(data)
        except (expat.ExpatError, SchemaError):
            for schema in reversed(reader.new_schemas):
                self.schemas.remove(schema)
            for choices in reader.new_choices:
                del self._choices[choices]


class _Reader:
    """One file."""

    def __init__(self, schemas: HashTable[Schema], choices: dict[tuple[str, str], Choices]) -> None:
        self.schemas, self.choices = schemas, choices
        self.new_schemas: list[str] = []
        self.new_choices: list[tuple[str, str]] = []
        self._stack: list[str] = []
        self._ignored = 0
        self._text: list[str] | None = None
        self._domain: str | None = None
        self._schema = Schema(None, None, None, None, None)
        self._key = Key()
        self._enumerated = Choices()
        self._starts: Mapping[tuple[str, str], tuple[Callable[[_Attributes], None], str, str]] = {
            ("", "schemalist"): (self._schemalist, "", "gettext-domain"),
            ("schemalist", "schema"): (self._start_schema, "id", "path gettext-domain extends list-of"),
            ("schemalist", "enum"): (self._start_choices, "id", ""),
            ("schemalist", "flags"): (self._start_choices, "id", ""),
            ("schema", "key"): (self._start_key, "name", "type enum flags"),
            ("schema", "child"): (self._child, "name schema", ""),
            ("schema", "override"): (self._start_override, "name", "l10n context"),
            ("key", "default"): (self._start_default, "", "l10n context"),
            ("key", "summary"): (self._start_text, "", ""),
            ("key", "description"): (self._start_text, "", ""),
            ("key", "range"): (lambda its: self._key.set_range(its["min"], its["max"]), "", "min max"),
            ("key", "choices"): (self._start_own_choices, "", ""),
            ("key", "aliases"): (self._start_aliases, "", ""),
            ("choices", "choice"): (self._choice, "value", ""),
            ("aliases", "alias"): (self._alias, "value target", ""),
            ("enum", "value"): (self._enum_value, "nick value", ""),
            ("flags", "value"): (self._enum_value, "nick value", ""),
        }

    def read(self, data: bytes) -> None:
        parser = expat.ParserCreate("utf-8")
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._data
        parser.EntityDeclHandler = _refuse_entity
        # GLib's reader of markup takes comments with `--` in them, which XML does not.
        parser.Parse(_COMMENT.sub(lambda found: b"" if found[1] else found[0], data), True)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if self._ignored or ":" in name:
            self._ignored += 1
            return
        container = self._stack[-1] if self._stack else ""
        self._stack.append(name)
        if (container, name) not in self._starts:
            raise SchemaError(f"<{name}> in <{container}>")
        act, required, optional = self._starts[container, name]
        given = {key: value for key, value in attributes.items() if ":" not in key}
        if not {*required.split()} <= given.keys() <= {*required.split(), *optional.split()}:
            raise SchemaError(f"attributes of <{name}>")
        act({**dict.fromkeys(optional.split()), **given, "": name})

    def _end(self, name: str) -> None:
        if self._ignored:
            self._ignored -= 1
            return
        self._stack.pop()
        text, self._text = "".join(self._text or ()), None
        if name in {"enum", "flags"} and not self._enumerated.data:
            raise SchemaError(f"<{name}> without a value")
        if name in {"default", "override"}:
            self._key.end_default(text)
        if name == "key" and self._key.default is None:
            raise SchemaError("<key> without a default")
        if name == "choices":
            if not self._key.has_choices:
                raise SchemaError("<choices> without a choice")
            self._key.check()
        if name == "aliases" and not self._key.has_aliases:
            raise SchemaError("<aliases> without an alias")

    def _data(self, text: str) -> None:
        if self._ignored:
            return
        if self._text is not None:
            self._text.append(text)
        elif text.strip(SPACE):
            raise SchemaError(text)

    def _schemalist(self, its: _Attributes) -> None:
        self._domain = its["gettext-domain"]

    def _start_schema(self, its: _Attributes) -> None:
        name, path, list_of = its["id"] or "", its["path"], its["list-of"]
        extends = self._known(its["extends"])
        listed = self._known(list_of)
        if name in self.schemas or (listed and listed.path is not None) or (extends and extends.path is not None):
            raise SchemaError(name)
        if extends is not None:
            if list_of is None:
                list_of = extends.list_of
            elif extends.list_of is None or not self._extends(list_of, extends.list_of):
                raise SchemaError(list_of)
        if path is not None and not (path.startswith("/") and path.endswith(":/" if list_of is not None else "/")):
            raise SchemaError(path)
        domain = self._domain if its["gettext-domain"] is None else its["gettext-domain"]
        self._schema = Schema(path, domain, extends, its["extends"], list_of)
        self.schemas.insert(name, self._schema)
        self.new_schemas.append(name)

    def _known(self, name: str | None) -> Schema | None:
        if name is None:
            return None
        found = self.schemas.get(name)
        if found is None:
            raise SchemaError(name)
        return found

    def _extends(self, name: str, other: str) -> bool:
        """Whether a schema is another one, or extends it."""
        while name != other:
            schema = self.schemas.get(name)
            if schema is None or schema.extends_name is None:
                return False
            name = schema.extends_name
        return True

    def _start_choices(self, its: _Attributes) -> None:
        name = (its[""] or "", its["id"] or "")
        if name in self.choices:
            raise SchemaError(name[1])
        self._enumerated = self.choices[name] = Choices()
        self.new_choices.append(name)

    def _enum_value(self, its: _Attributes) -> None:
        nick, text = its["nick"] or "", its["value"] or ""
        flags = self._stack[-2] == "flags"
        found = _INTEGER.fullmatch(text)
        if found is None or len(nick.encode()) < 2:
            raise SchemaError(nick)
        sign, hexadecimal, octal, decimal = found.groups()
        if decimal and len(decimal) > _DIGITS:
            raise SchemaError(nick)
        number = int(hexadecimal, 16) if hexadecimal else int(octal, 8) if octal else int(decimal or "0")
        number = -number if sign == "-" else number
        least, most = (0, 2**32 - 1) if flags else (-(2**31), 2**31 - 1)
        if not least <= number <= most or number in self._enumerated.names.values() or nick in self._enumerated.names:
            raise SchemaError(text)
        if flags and not number:
            return  # no flag at all is what an empty array says
        if flags and number & (number - 1):
            raise SchemaError(text)
        self._enumerated.add(nick, number)

    def _start_key(self, its: _Attributes) -> None:
        name, kind = its["name"] or "", its["type"]
        self._new_key(name)
        if self._schema.list_of is not None or sum(its[one] is not None for one in ("type", "enum", "flags")) != 1:
            raise SchemaError(name)
        above = self._schema.extends
        while above is not None:
            if (shadowed := above.keys.get(name)) is not None and not shadowed.overrides:
                raise SchemaError(name)
            above = above.extends
        translatable = self._schema.domain is not None
        if kind is not None:
            if not is_type(kind):
                raise SchemaError(kind)
            self._key = Key(kind, translatable=translatable)
        else:
            sort = "enum" if its["enum"] is not None else "flags"
            choices = self.choices.get((sort, its[sort] or ""))
            if choices is None:
                raise SchemaError(name)
            kind = "s" if sort == "enum" else "as"
            self._key = Key(kind, translatable=translatable, choices=choices.copy(), mark=sort[0])
        self._schema.keys.insert(name, self._key)

    def _child(self, its: _Attributes) -> None:
        name = its["name"] or ""
        self._new_key(name, "/")
        self._schema.keys.insert(f"{name}/", Key(child=its["schema"] or ""))

    def _new_key(self, name: str, end: str = "") -> None:
        if not _NAME.fullmatch(name) or len(name) > 1024 or f"{name}{end}" in self._schema.keys:
            raise SchemaError(name)

    def _start_override(self, its: _Attributes) -> None:
        name = its["name"] or ""
        above, original = self._schema.extends, None
        while above is not None and original is None:
            original, above = above.keys.get(name), above.extends
        if original is None or name in self._schema.keys:
            raise SchemaError(name)
        self._key = original.overriding(self._schema.domain is not None)
        self._start_default(its)
        self._schema.keys.insert(name, self._key)

    def _start_default(self, its: _Attributes) -> None:
        self._key.start_default(its["l10n"], its["context"])
        self._start_text(its)

    def _start_text(self, _its: _Attributes) -> None:
        self._text = []

    def _start_own_choices(self, _its: _Attributes) -> None:
        if self._key.mark == "e" or self._key.has_choices or self._key.kind.lstrip("am") != "s":
            raise SchemaError("choices")

    def _choice(self, its: _Attributes) -> None:
        self._key.choices.add(its["value"] or "", 0)
        self._key.has_choices = True

    def _start_aliases(self, _its: _Attributes) -> None:
        if self._key.has_aliases or (self._key.mark == "c" and not self._key.has_choices):
            raise SchemaError("aliases")

    def _alias(self, its: _Attributes) -> None:
        self._key.choices.add_alias(its["value"] or "", its["target"] or "")
        self._key.has_aliases = True


def _refuse_entity(*_: object) -> None:
    raise SchemaError("entities of its own")
