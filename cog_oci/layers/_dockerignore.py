r"""`.dockerignore` as BuildKit reads it (Docker's build documentation, "dockerignore files").

The classic builder, and builders before Docker 23, differ in corners that the tests name. A pattern that would mean to
Docker what nobody can mean who writes it (`\d`, `[*]`, `*.a|*.b`) is refused, as are those that Docker refuses itself.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cog_oci.errors import Problem, SourceError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Ignore", "Verdict"]

_BLANKS = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
"""Unicode's White_Space property: fewer than str.strip takes away."""

_SPECIAL = re.compile(r"[*?\[\]\\^]")
_TOKEN = re.compile(
    r"""
      (?P<folders> \*\*/? )
    | (?P<star> \* )
    | (?P<any> \? )
    | \[ (?P<class> \^? (?: \\. | [^\]\\] )* ) \]
    | \\ (?P<escaped> . )
    | (?P<literal> . )
    """,
    re.VERBOSE | re.DOTALL,
)
_REPEAT = re.compile(r"\{\d+(?:,\d*)?\}", re.ASCII)
_RANGE = re.compile(r"(\\.|[^\\\]-])(?:-(\\.|[^\\\]-]))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a path is left out, and which patterns matched it or a folder above it: what lies below needs both."""

    excluded: bool
    matched: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class _Pattern:
    text: str
    negated: bool
    matches: Callable[[str], bool]

    @property
    def head(self) -> str:
        """How every path that matches begins."""
        found = _SPECIAL.search(self.text)
        return self.text if found is None else self.text[: found.start()]


class Ignore:
    """Which paths the file leaves out. Paths are relative, with `/` between, and judged from the top down."""

    def __init__(self, text: str, name: str = ".dockerignore") -> None:
        """Raises SourceError with the place of every pattern that cannot be understood."""
        problems = []
        self._patterns: list[_Pattern] = []
        for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
            try:
                if (pattern := _parse(line.removesuffix("\r"))) is not None:
                    self._patterns.append(pattern)
            except ValueError as error:
                column = len(line) - len(line.lstrip(_BLANKS)) + 1
                problems.append(Problem(name, number, column, f"{line.strip(_BLANKS)!r}: {error}"))
        if problems:
            raise SourceError(problems)

    def judge(self, path: str, above: Verdict | None = None) -> Verdict:
        """The verdict on a path, given the one on its folder (None at the top): the last pattern that matches decides.

        A pattern that could change nothing is not tried, and so doesn't count as matched for what lies below either.
        """
        excluded = False
        matched = []
        for number, pattern in enumerate(self._patterns):
            inherited = above is not None and above.matched[number]
            found = inherited or (pattern.negated == excluded and pattern.matches(path))
            matched.append(found)
            if found:
                excluded = not pattern.negated
        return Verdict(excluded, tuple(matched))

    def may_keep_below(self, folder: str) -> bool:
        """Whether something below an excluded folder can still be wanted, so that the folder must be looked into."""
        inside = folder + "/"
        return any(
            pattern.negated and (pattern.head.startswith(inside) or inside.startswith(pattern.head))
            for pattern in self._patterns
        )


def _parse(line: str) -> _Pattern | None:
    """The pattern of a line. Two rounds of tidying, as Docker's client and its matcher each do one."""
    if line.startswith("#") or not (text := line.strip(_BLANKS)):
        return None
    if text.startswith("!"):
        inner = text[1:].strip(_BLANKS)
        text = "!" + (_clean(inner) if inner else "")
    else:
        text = _clean(text)
    text = posixpath.normpath(text.strip(_BLANKS))
    negated = text.startswith("!")
    text = text.removeprefix("!")
    if not text:
        raise ValueError("there is nothing after the `!`")
    return _Pattern(text, negated, _matcher(text))


def _clean(text: str) -> str:
    """The shortest path of the same meaning, from the folder's top: `/x`, `./x` and `x/` are `x`."""
    clean = re.sub("^//", "/", posixpath.normpath(text))
    return clean[1:] if len(clean) > 1 and clean.startswith("/") else clean


def _matcher(text: str) -> Callable[[str], bool]:
    """What Go's filepath.Match would accept, with `**` for any number of folders, and Docker's shortcuts.

    The shortcuts differ from the rule: `x**` is everything that begins with x, `**x` everything that ends with it.
    """
    tokens = list(_TOKEN.finditer(text))
    if tokens[-1][0] == "\\":
        raise ValueError("it ends in the middle of an escape")
    special = [token for token in tokens if token.lastgroup != "literal" or token[0] in "[]"]
    if not special:
        return text.__eq__
    if len(special) == 1 and special[0].lastgroup == "folders":
        if special[0].start() == 0:
            tail = text[2:]
            return lambda path: path.endswith(tail) or (tail.startswith("/") and path == tail[1:])
        if special[0].end() == len(text):
            return lambda path: path.startswith(text[:-2])
    expression = re.compile("".join(_translate(token, len(text)) for token in tokens))
    return lambda path: expression.fullmatch(path) is not None


def _translate(token: re.Match[str], end: int) -> str:
    """A piece of a pattern as a regular expression."""
    match token.lastgroup:
        case "folders":
            return ".*" if token.end() == end else "(?:.*/)?"
        case "star":
            return "[^/]*"
        case "any":
            return "[^/]"
        case "class":
            return _translate_class(token["class"])
        case "escaped":
            return re.escape(_unescaped(token[0]))
        case _ if token[0] == "[":
            raise ValueError("a `[` has no `]`")
        case _ if token[0] == "^":
            return "^"  # Docker leaves it to its regular expressions, which take it for the beginning
        case _ if token[0] == "|" or _REPEAT.match(token.string, token.start()):
            raise ValueError(f"Docker does not take `{token[0]}` as it is beside a wildcard; put a backslash before it")
        case _:
            return re.escape(token[0])


def _translate_class(body: str) -> str:
    negated = body.startswith("^")
    ranges, at = [], 1 if negated else 0
    if "[:" in body or set("*?") & set(re.sub(r"\\.", "", body)):
        raise ValueError("`*`, `?` and `[:` do not work between brackets in Docker; put a backslash before a wildcard")
    while at < len(body):
        found = _RANGE.match(body, at)
        if found is None:
            raise ValueError("a range between the brackets has only one end")
        low = _unescaped(found[1])
        high = _unescaped(found[2]) if found[2] else low
        if low > high:
            raise ValueError(f"the range {low}-{high} is the wrong way round")
        ranges.append(re.escape(low) if low == high else f"{re.escape(low)}-{re.escape(high)}")
        at = found.end()
    if not ranges:
        raise ValueError("there is nothing between the brackets")
    return f"[{'^' if negated else ''}{''.join(ranges)}]"


def _unescaped(text: str) -> str:
    if text.startswith("\\") and (text[1].isalnum() or not text[1].isascii()):
        raise ValueError(f"Docker does not take {text} for {text[1]}; leave the backslash out")
    return text[-1]
