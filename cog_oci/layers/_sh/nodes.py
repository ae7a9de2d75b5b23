"""What a parsed shell script is made of (POSIX.1-2017, XCU 2.9 and 2.10)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "AndOr",
    "Case",
    "Command",
    "For",
    "Function",
    "Group",
    "If",
    "Literal",
    "Node",
    "NotInterpreted",
    "Parameter",
    "Part",
    "Pipeline",
    "Redirect",
    "Sequence",
    "Substitution",
    "UnknownSyntaxError",
    "Word",
]


class UnknownSyntaxError(Exception):
    """Something that is not parsed here, with the text around it."""


@dataclass(frozen=True, slots=True)
class Literal:
    """Text; only unquoted text is a pattern."""

    text: str
    quoted: bool


@dataclass(frozen=True, slots=True)
class Parameter:
    """`$name` or `${name OPERATOR argument}`; the operators are those of XCU 2.6.2, and empty."""

    name: str
    operator: str
    argument: Word
    quoted: bool


@dataclass(frozen=True, slots=True)
class Substitution:
    """`$(body)`."""

    body: Node
    quoted: bool


@dataclass(frozen=True, slots=True)
class NotInterpreted:
    """Arithmetic in a word, or a loop that ends by itself: harmless as long as nothing gets there."""

    source: str


Part = Literal | Parameter | Substitution | NotInterpreted


@dataclass(frozen=True, slots=True)
class Word:
    """What becomes fields when it is expanded."""

    parts: tuple[Part, ...] = ()

    @property
    def plain(self) -> str | None:
        """The text of a word that nothing in it quotes or expands."""
        texts = [part.text for part in self.parts if isinstance(part, Literal) and not part.quoted]
        return "".join(texts) if len(texts) == len(self.parts) else None


@dataclass(frozen=True, slots=True)
class Redirect:
    """`2>&1`; of a here-document, whose operator is `<<`, the target is its text."""

    descriptor: int
    operator: str
    target: Word


@dataclass(frozen=True, slots=True)
class Command:
    """Assignments and words, with their redirections; `source` is what was written."""

    assignments: tuple[tuple[str, Word], ...]
    words: tuple[Word, ...]
    redirects: tuple[Redirect, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Pipeline:
    """`! command`, or several joined by `|`."""

    commands: tuple[Node, ...]
    negated: bool
    source: str


@dataclass(frozen=True, slots=True)
class AndOr:
    """`left && right`, or with `||`."""

    left: Node
    operator: str
    right: Node


@dataclass(frozen=True, slots=True)
class Sequence:
    """One after the other."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class If:
    """Conditions, each with what follows; the last one is None for `else`."""

    branches: tuple[tuple[Node | None, Node], ...]


@dataclass(frozen=True, slots=True)
class For:
    """Over words; None for `"$@"`."""

    name: str
    words: tuple[Word, ...] | None
    body: Node


@dataclass(frozen=True, slots=True)
class Case:
    """A word, and patterns, each row with what follows."""

    word: Word
    branches: tuple[tuple[tuple[Word, ...], Node], ...]


@dataclass(frozen=True, slots=True)
class Function:
    """A definition."""

    name: str
    body: Node


@dataclass(frozen=True, slots=True)
class Group:
    """`{ body; }` with redirections, or in a shell of its own `( body )`."""

    body: Node
    redirects: tuple[Redirect, ...]
    own: bool


Node = Command | Pipeline | AndOr | Sequence | If | For | Case | Function | Group | NotInterpreted
