"""A requirements file as people write it (pip's format): continuations, comments, includes, hashes, options."""

from __future__ import annotations

import codecs
import os
import re
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote, urlsplit

from cog_oci.requirement_lines._values import ARCHIVES, Line, Options, RequirementLines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["line_of", "read_file"]

_INCLUDES = re.compile(r"-[rc]|--(?:requirement|constraint)\b")
_INCLUDE = re.compile(rf"(?:{_INCLUDES.pattern})(?:\s+|=)?(?:\"([^\"]+)\"|'([^']+)'|(\S+))")
_INDEX = re.compile(r"(?:-i|--index-url|--extra-index-url)(?:\s+|=)?[^\s'\"]+")
_OPTION = re.compile(r"(-[a-z]|--[a-z-]+)=?(.*)")
_SHA256 = re.compile(r"(?:--hash[=\s]sha256:|[#&]sha256=)([0-9A-Fa-f]{64})")
_AFTER = re.compile(r"\s(--?[A-Za-z][A-Za-z-]*)")
_NAME = re.compile(r"([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)")
_DIRECT = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(?P<extras>\[[^\]]*\])?\s*@\s*(?P<where>\S+)(?P<rest>.*)")
_ADDRESS = re.compile(r"(?:git\+)?[a-z][a-z0-9+.-]*://")
_FILE = re.compile(rf"(?:{'|'.join(map(re.escape, ARCHIVES))})(?=$|\s|\[|;)", re.IGNORECASE)


_JOINT = "\0"
"""Where a line goes on in the next one, but for hashes: pip allows it everywhere, uv does not."""


def read_file(path: Path) -> RequirementLines:
    """Read a requirements file and what it includes, each file once."""
    lines: list[Line] = []
    indexes: dict[str, str] = {}
    options: list[tuple[Path, int, str, str]] = []
    seen: dict[Path, tuple[Path, bool]] = {}
    plain, absent = True, list[tuple["Path", int, str]]()
    for file, number, text, constraint in _logical(path, seen):
        plain &= _JOINT not in text
        text = text.replace(_JOINT, " ")  # noqa: PLW2901 - the same, without the mark
        if _INCLUDES.match(text):
            absent.append((file, number, text))
        elif not text.startswith("-") or re.match(r"(?:-e|--editable)\b", text):
            lines.append(line_of(file, number, text, constraint=constraint))
        else:
            plain &= bool(_INDEX.fullmatch(text))
            for option, value in _said(text):
                if option in {"-i", "--index-url", "--extra-index-url"}:
                    _add_index(indexes, option, value)
                else:
                    options.append((file, number, option, value))
    plain &= all(line.source == "index" for line in lines) and not any(other for _, other in seen.values())
    files = tuple(file for file, _ in seen.values())
    return RequirementLines(tuple(lines), indexes, _options(options), plain, tuple(absent), files=files)


def _said(text: str) -> Iterator[tuple[str, str]]:
    """The options of a line, each with its value: all that follows up to the next one, without quotation marks."""
    try:
        words = shlex.split(text)
    except ValueError:  # a mark that is not closed
        words = text.split()
    found: list[list[str]] = []
    for word in words:
        if match := _OPTION.fullmatch(word):
            found.append([match[1], *([match[2]] if match[2] else [])])
        else:
            found[-1].append(word) if found else found.append([word])
    return ((option, " ".join(values)) for option, *values in found)


def _add_index(indexes: dict[str, str], option: str, address: str) -> None:
    """Give it the name of its option, with a number where that is taken."""
    name = "extra-index-url" if option.startswith("--extra") else "index-url"
    if _filled(address) not in indexes.values():
        count = sum(known.startswith(name) for known in indexes) + 1
        indexes[name if count == 1 else f"{name}-{count}"] = _filled(address)


def line_of(file: Path, number: int, text: str, *, constraint: bool = False) -> Line:
    """A line that asks for a package, with what is wrong with it."""
    line = _placed(file, number, text, constraint=constraint)
    if re.search(r"\s--hash\b", text) and not line.hashes and line.source != "path":
        return replace(line, wrong="only a sha256 is checked, which is 64 hexadecimal digits: give that one")
    after = _AFTER.search(re.sub(r"\s--hash\b\S*", "", text.removeprefix("-e ")).partition(";")[0])
    if after and line.source != "path":
        return replace(line, wrong=f"{after[1]} cannot be said of one package: an option has a line of its own")
    return line


def _placed(file: Path, number: int, text: str, *, constraint: bool) -> Line:
    """A line that asks for a package, by where it is to come from."""
    hashes = frozenset(found.lower() for found in _SHA256.findall(text))
    bare = re.sub(r"\s+--hash[=\s]\S+", "", text)
    place = (file, number)
    if match := _DIRECT.fullmatch(bare):
        source = _kind(match["where"])
        name, where = _normal(match["name"]), _filled(match["where"])
        extras, rest = match["extras"] or "", match["rest"].strip()
        return Line(*place, name, text, hashes, source, where, extras, rest, constraint)
    if _ADDRESS.match(bare):
        where, _, rest = bare.partition(" ")
        egg = re.search(r"[#&]egg=([A-Za-z0-9._-]+)(\[[^\]]*\])?", where)
        name, extras = (_normal(egg[1]), egg[2] or "") if egg else ("", "")
        return Line(*place, name, text, hashes, _kind(where), _filled(where), extras, rest.strip(), constraint)
    if match := re.match(r"(?:-e|--editable)(?:\s+|=)(.*)", bare):
        inner = _placed(file, number, match[1].strip(), constraint=constraint)
        return Line(*place, inner.name, text, hashes, inner.source, inner.where, inner.extras, inner.rest, constraint)
    if (found := _FILE.search(bare)) or re.match(r"[./~]|[^\s;<>=!\[]+/", bare):
        end = found.end() if found else len(bare)
        return Line(*place, "", text, hashes, "path", bare[:end], "", text[end:].strip(), constraint)
    match = _NAME.match(bare)
    return Line(*place, _normal(match[1]) if match else "", text, hashes, constraint=constraint)


def _kind(where: str) -> Literal["url", "git", "path"]:
    if where.startswith("git+"):
        return "git"
    return "url" if _ADDRESS.match(where) and not where.startswith("file:") else "path"


def _options(said: list[tuple[Path, int, str, str]]) -> Options:
    values: dict[str, list[str]] = {}
    others = []
    for file, number, option, value in said:
        name = {"-f": "--find-links"}.get(option, option)
        if name == "--find-links" and value.startswith("file:"):
            value = unquote(urlsplit(value).path)  # noqa: PLW2901 - the same, as a path
        if name == "--find-links" and not _ADDRESS.match(value):
            value = os.path.normpath(file.absolute().parent / value)  # noqa: PLW2901 - the same, made absolute
        if name in {"--find-links", "--pre", "--no-index", "--no-binary", "--only-binary", "--trusted-host"}:
            values.setdefault(name, []).append(value)
        elif name == "--require-hashes":
            values[name] = []
        elif name != "--prefer-binary":  # wheels are, in any case
            others.append((file, number, f"{option} {value}".strip()))
    return Options(
        find_links=tuple(dict.fromkeys(map(_filled, values.get("--find-links", ())))),
        pre="--pre" in values,
        no_index="--no-index" in values,
        require_hashes="--require-hashes" in values,
        no_binary=_names(values.get("--no-binary", ())),
        only_binary=_names(values.get("--only-binary", ())),
        trusted_hosts=tuple(dict.fromkeys(values.get("--trusted-host", ()))),
        others=tuple(others),
    )


def _names(texts: list[str] | tuple[str, ...]) -> frozenset[str]:
    """The names in values of --no-binary, with commas between; `:none:` takes back what was said before it."""
    found: set[str] = set()
    for name in (name.strip() for text in texts for name in text.split(",")):
        if name == ":none:":
            found.clear()
        elif name:
            found.add(name if name == ":all:" else _normal(name))
    return frozenset(found)


def _logical(
    path: Path, seen: dict[Path, tuple[Path, bool]], *, constraint: bool = False
) -> Iterator[tuple[Path, int, str, bool]]:
    """(file, number, text, constraint) of each line that says something, lines that go on joined, includes in place.

    One that includes what is no file is there as it is. `seen` gets each file as it is named, and whether it is not in
    UTF-8.
    """
    if path.resolve() in seen:
        return
    whole_text, other = _text(path)
    seen[path.resolve()] = path, other
    start, whole = 0, ""
    for number, raw in enumerate(whole_text.splitlines(), 1):
        start = start or number
        whole += raw
        if raw.endswith("\\") and not raw.lstrip().startswith("#"):
            whole = whole[:-1] + _JOINT
            continue
        whole = re.sub(rf"{_JOINT}(?=\s*(?:--hash|$))", "", whole)
        text = _without_comment(whole)
        include = _INCLUDE.fullmatch(text)
        if include and (inner := path.parent / next(filter(None, include.groups()))).is_file():
            yield from _logical(inner, seen, constraint=constraint or text.startswith(("-c", "--c")))
        elif text:
            yield path, start, text, constraint
        start, whole = 0, ""


def _text(path: Path) -> tuple[str, bool]:
    """What is in a file, and whether that is not in UTF-8: Windows writes UTF-16, with a mark at its beginning."""
    data = path.read_bytes()
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace"), True
    return data.decode("utf-8-sig", errors="replace"), False


def _without_comment(text: str) -> str:
    return re.sub(r"(?:^|\s+)#.*", "", text).strip()


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _filled(address: str) -> str:
    """With `${NAME}` replaced by the variable, as pip and uv do; one that is not set stays as it is written."""
    return re.sub(r"\$\{([A-Z0-9_]+)\}", lambda match: os.environ.get(match[1], match[0]), address)
