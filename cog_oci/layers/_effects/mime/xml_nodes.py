"""XML documents as libxml2 reads, copies and writes them (Namespaces in XML 1.0)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from xml.parsers import expat

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["XML", "Attribute", "Element", "Other", "parse", "write"]

XML = "http://www.w3.org/XML/1998/namespace"
_INDENT, _DEEPEST = "  ", 30
_MOST_OPEN = 256  # elements in each other, as libxml2 has it (XML_PARSE_HUGE not being asked for)
_TEXT = str.maketrans({"<": "&lt;", ">": "&gt;", "&": "&amp;", "\r": "&#13;"})
_VALUE = _TEXT | str.maketrans({'"': "&quot;", "\n": "&#10;", "\t": "&#9;"})


@dataclass(slots=True)
class Other:
    """What is no element: a comment or an instruction as it is written, or text."""

    written: str
    is_text: bool = False
    in_section: bool = False


@dataclass(slots=True, frozen=True)
class Attribute:
    """`uri` is the namespace of the prefix; empty without one."""

    prefix: str
    name: str
    uri: str
    value: str


@dataclass(slots=True)
class Element:
    """`uri` is the namespace, empty when it is in none; `declared` has those that begin here, by prefix.

    `defaults` are those of the document type, by the name with its prefix. They are no part of the element.
    """

    prefix: str
    name: str
    uri: str
    attributes: list[Attribute] = field(default_factory=list)
    declared: dict[str, str] = field(default_factory=dict)
    children: list[Element | Other] = field(default_factory=list)
    defaults: Mapping[str, str] = field(default_factory=dict)

    def get(self, name: str, uri: str = "") -> str | None:
        """The value of an attribute that is in no namespace or in XML's, or the default."""
        for one in self.attributes:
            if one.name == name and one.uri == uri:
                return one.value
        return self.defaults.get(f"xml:{name}" if uri == XML else name)

    @property
    def elements(self) -> Iterator[Element]:
        """The children that are elements."""
        return (child for child in self.children if isinstance(child, Element))

    def copy(self) -> Element:
        """The element on its own: namespaces that it takes from outside are declared on it, after its own."""
        copied = Element(self.prefix, self.name, self.uri, self.attributes, dict(self.declared), self.children)
        _declare(self, copied.declared, {})
        return copied


def _declare(element: Element, outermost: dict[str, str], known: Mapping[str, str]) -> None:
    """Add to the outermost declarations what the element and those in it use and nothing below declares."""
    known = {**known, **element.declared}
    names: list[Element | Attribute] = [element, *element.attributes]
    for used in names:
        if used.uri and used.prefix not in known and used.prefix not in outermost and used.uri != XML:
            outermost[used.prefix] = used.uri
    for child in element.elements:
        _declare(child, outermost, known)


def parse(data: bytes) -> Element | None:
    """The outermost element; None for what is not well-formed."""
    reader = _Reader()
    try:
        reader.parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError):
        return None
    return reader.outermost


class _Reader:
    """Builds elements. Of what an internal document type has defaults for, only namespaces become a part of these."""

    def __init__(self) -> None:
        self.outermost: Element | None = None
        self._open: list[Element] = []
        self._scopes: list[dict[str, str]] = [{"xml": XML}]
        self._defaults: dict[str, dict[str, str]] = {}
        self._in_section = False
        self.parser = parser = expat.ParserCreate()
        parser.buffer_text = parser.ordered_attributes = parser.specified_attributes = True
        parser.AttlistDeclHandler = self._default
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartCdataSectionHandler = lambda: self._section(begins=True)
        parser.EndCdataSectionHandler = lambda: self._section(begins=False)
        parser.CommentHandler = lambda text: self._other(f"<!--{text}-->")
        parser.ProcessingInstructionHandler = lambda name, text: self._other(f"<?{name}{' ' * bool(text)}{text}?>")

    def _default(self, element: str, name: str, _kind: str, value: str | None, _required: bool) -> None:
        if value is not None:
            self._defaults.setdefault(element, {}).setdefault(name, value)

    def _start(self, name: str, flat: list[str]) -> None:
        pairs = list(zip(flat[::2], flat[1::2], strict=True))
        defaults = self._defaults.get(name, {})
        every = {**dict(pairs), **{key: value for key, value in defaults.items() if key not in flat[::2]}}
        declared = {key[6:]: uri for key, uri in every.items() if _declares(key)}
        scope = {**self._scopes[-1], **declared} if declared else self._scopes[-1]
        element = Element(*_qualified(name, scope), declared=declared, defaults=defaults)
        element.attributes = [
            Attribute(*_qualified(key, {**scope, "": ""}), value) for key, value in pairs if not _declares(key)
        ]
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.outermost = element
        if len(self._open) > _MOST_OPEN:
            raise ValueError(name)
        self._open.append(element)
        self._scopes.append(scope)

    def _end(self, _: str) -> None:
        self._open.pop()
        self._scopes.pop()

    def _text(self, text: str) -> None:
        children = self._open[-1].children
        last = children[-1] if children else None
        if (isinstance(last, Other) and last.is_text and not (last.in_section or self._in_section)) or (
            isinstance(last, Other) and last.in_section and self._in_section
        ):
            last.written += text
        else:
            children.append(Other(text, is_text=True, in_section=self._in_section))

    def _section(self, *, begins: bool) -> None:
        self._in_section = begins
        if begins:
            self._open[-1].children.append(Other("", is_text=True, in_section=True))

    def _other(self, written: str) -> None:
        if self._open:
            self._open[-1].children.append(Other(written))


def _declares(attribute: str) -> bool:
    return attribute == "xmlns" or attribute.startswith("xmlns:")


def _qualified(name: str, scope: Mapping[str, str]) -> tuple[str, str, str]:
    """Prefix, local name and namespace; a prefix that is not declared is part of the name."""
    prefix, colon, local = name.rpartition(":")
    if colon and prefix not in scope:
        return "", name, ""
    return prefix, local, scope.get(prefix, "")


def write(element: Element) -> bytes:
    """A document, indented where there is no text beside elements, in UTF-8."""
    return f'<?xml version="1.0" encoding="utf-8"?>\n{"".join(_written(element, 0, indented=True))}\n'.encode()


def _written(element: Element, level: int, *, indented: bool) -> Iterator[str]:
    name = _name(element)
    spaces = "".join(f" {_declaration(prefix, uri)}" for prefix, uri in element.declared.items())
    values = "".join(f' {_name(one)}="{one.value.translate(_VALUE)}"' for one in element.attributes)
    if not element.children:
        yield f"<{name}{spaces}{values}/>"
        return
    indented = indented and not any(isinstance(child, Other) and child.is_text for child in element.children)
    yield f"<{name}{spaces}{values}>"
    for child in element.children:
        if indented:
            yield "\n" + _INDENT * min(level + 1, _DEEPEST)
        if isinstance(child, Element):
            yield from _written(child, level + 1, indented=indented)
        elif child.in_section:
            yield f"<![CDATA[{child.written}]]>"
        else:
            yield child.written.translate(_TEXT) if child.is_text else child.written
    if indented:
        yield "\n" + _INDENT * min(level, _DEEPEST)
    yield f"</{name}>"


def _name(node: Element | Attribute) -> str:
    return f"{node.prefix}:{node.name}" if node.prefix else node.name


def _declaration(prefix: str, uri: str) -> str:
    quote = "'" if '"' in uri and "'" not in uri else '"'
    inside = uri.replace('"', "&quot;") if quote == '"' else uri
    return f"{f'xmlns:{prefix}' if prefix else 'xmlns'}={quote}{inside}{quote}"
