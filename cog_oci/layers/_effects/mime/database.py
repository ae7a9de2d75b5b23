"""What the XML files of packages say about types, put together."""

from __future__ import annotations

from dataclasses import dataclass, field

from cog_oci.layers._effects.hash_order import in_hash_order
from cog_oci.layers._effects.mime.magic import (
    SPACE,
    Magic,
    Match,
    TreeMagic,
    WrongElementError,
    attribute,
    matches,
    percentage,
    tree_matches,
)
from cog_oci.layers._effects.mime.xml_nodes import XML, Attribute, Element, Other, parse, write

__all__ = ["Database", "Glob", "read"]

_COMMENT = "<!--Created automatically by update-mime-database. DO NOT EDIT!-->"
_NO_GLOBS, _NO_MAGIC = b"__NOGLOBS__", b"__NOMAGIC__"
_COPIED = {"comment", "acronym", "expanded-acronym"}


@dataclass(frozen=True, slots=True)
class Glob:
    """A pattern of file names; one that `deletes` takes back those of less important databases."""

    pattern: bytes
    type: bytes
    weight: int
    case_sensitive: bool = False
    deletes: bool = False


@dataclass
class Database:
    """Tables by type or by what leads to one, in the order of the sources: types are `media/subtype`.

    `types` has the elements of a type's own document, `namespaces` keys of a URI, a space and a local name.
    """

    types: dict[bytes, list[Element]] = field(default_factory=dict)
    globs: dict[bytes, list[Glob]] = field(default_factory=dict)
    magic: list[Magic] = field(default_factory=list)
    tree_magic: list[TreeMagic] = field(default_factory=list)
    namespaces: dict[bytes, bytes] = field(default_factory=dict)
    parents: dict[bytes, list[bytes]] = field(default_factory=dict)
    aliases: dict[bytes, bytes] = field(default_factory=dict)
    icons: dict[bytes, bytes] = field(default_factory=dict)
    generic_icons: dict[bytes, bytes] = field(default_factory=dict)

    def documents(self) -> dict[bytes, bytes]:
        """The document of each type; of two that differ in case only, the one that GLib comes to last."""
        return {name.lower(): _document(name, self.types[name]) for name in in_hash_order(self.types)}

    @property
    def magic_in_order(self) -> list[Magic]:
        """Most important first."""
        return sorted(self.magic, key=lambda one: (False,) if one.deletes else (True, *_rank(one)))

    @property
    def tree_magic_in_order(self) -> list[TreeMagic]:
        """Most important first."""
        return sorted(self.tree_magic, key=_rank)


def _rank(magic: Magic | TreeMagic) -> tuple[int, list[bytes]]:
    return -magic.priority, magic.type.split(b"/")


def _document(name: bytes, elements: list[Element]) -> bytes:
    root = Element("", "mime-type", SPACE, [Attribute("", "type", "", name.decode())], {"": SPACE})
    root.children = [Other(_COMMENT), *elements]
    return write(root)


def read(data: bytes, database: Database) -> None:
    """Add what one file says."""
    root = parse(data)
    if root is None or (root.uri, root.name) != (SPACE, "mime-info"):
        return
    for element in root.elements:
        name = attribute(element, "type")
        if (element.uri, element.name) == (SPACE, "mime-type") and name is not None and name.count(b"/") == 1:
            database.types.setdefault(name, [])
            _read_type(element, name, database)


def _read_type(element: Element, name: bytes, database: Database) -> None:
    kept = database.types[name]
    for child in element.elements:
        try:
            if child.uri == SPACE and not _READERS.get(child.name, _unknown)(child, name, database):
                continue
        except WrongElementError:
            return
        if child.uri == SPACE and child.name == "comment":
            language = child.get("lang", XML)
            older = (one for one in kept if _is_comment(one, language))
            if (replaced := next(older, None)) is not None:
                kept.remove(replaced)
        copied = child.copy()
        if (copied.prefix, copied.uri) == ("", SPACE):
            copied.declared = {}
        kept.append(copied)


def _is_comment(element: Element, language: str | None) -> bool:
    return (element.uri, element.name) == (SPACE, "comment") and element.get("lang", XML) == language


# Each says whether the element is part of the type's own document, too.


def _unknown(child: Element, name: bytes, database: Database) -> bool:  # noqa: ARG001 - as all are called
    return child.name in _COPIED


def _glob(child: Element, name: bytes, database: Database) -> bool:
    pattern, weight = attribute(child, "pattern"), percentage(child, "weight")
    if pattern:
        sensitive = child.get("case-sensitive") == "true"
        pattern = pattern if sensitive else pattern.lower()
        database.globs.setdefault(pattern, []).append(Glob(pattern, name, weight, case_sensitive=sensitive))
    if not pattern or weight < 0:
        raise WrongElementError(child.name)
    return True


def _no_globs(child: Element, name: bytes, database: Database) -> bool:  # noqa: ARG001 - as all are called
    database.globs.setdefault(_NO_GLOBS, []).append(Glob(_NO_GLOBS, name, 0, deletes=True))
    return True


def _magic(child: Element, name: bytes, database: Database) -> bool:
    priority = percentage(child, "priority")
    found = matches(child) if priority >= 0 else []
    if not found:
        raise WrongElementError(child.name)
    database.magic.append(Magic(priority, name, found))
    return False


def _no_magic(child: Element, name: bytes, database: Database) -> bool:  # noqa: ARG001 - as all are called
    database.magic.append(Magic(0, name, [Match(0, 1, 1, _NO_MAGIC, None, [])], deletes=True))
    return False


def _tree_magic(child: Element, name: bytes, database: Database) -> bool:
    priority = percentage(child, "priority")
    if priority < 0:
        raise WrongElementError(child.name)
    database.tree_magic.append(TreeMagic(priority, name, tree_matches(child)))
    return False


def _related(child: Element, name: bytes, database: Database) -> bool:
    other = attribute(child, "type")
    if other is None or b"/" not in other:
        raise WrongElementError(child.name)
    if child.name == "alias":
        database.aliases[other] = name
    else:
        database.parents.setdefault(name, []).append(other)
    return True


def _namespace(child: Element, name: bytes, database: Database) -> bool:
    uri, local = attribute(child, "namespaceURI"), attribute(child, "localName")
    if uri is None or local is None or not uri + local or set(uri + local) & set(b" \n"):
        raise WrongElementError(child.name)
    database.namespaces[uri + b" " + local] = name
    return False


def _icon(child: Element, name: bytes, database: Database) -> bool:
    icon = attribute(child, "name")
    if icon is None:
        return False
    (database.icons if child.name == "icon" else database.generic_icons)[name] = icon
    return True


_READERS = {
    "alias": _related,
    "generic-icon": _icon,
    "glob": _glob,
    "glob-deleteall": _no_globs,
    "icon": _icon,
    "magic": _magic,
    "magic-deleteall": _no_magic,
    "root-XML": _namespace,
    "sub-class-of": _related,
    "treemagic": _tree_magic,
}
