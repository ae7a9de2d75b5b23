"""PAM's common files, which pam-auth-update(8) of libpam-runtime puts together from packages' profiles.

As on a fresh system: every profile that is on by default counts, and no question is asked. Where someone has changed
the files, the program would merge; they are left as they are here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cog_oci.layers._tar import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cog_oci.layers._deb import Package
    from cog_oci.layers._effects.tree import Tree

__all__ = ["pam_files", "pam_profiles"]

_PACKAGE = "libpam-runtime"
_PROFILES, _TEMPLATES, _SAVED, _FILES = "usr/share/pam-configs", "usr/share/pam", "var/lib/pam", "etc/pam.d"
_TYPES = ("auth", "account", "password", "session", "session-noninteractive")
_NO_PROFILE = re.compile(r".*~|#.+#", re.DOTALL)
_FIELD = re.compile(rb"(\S+):\s+(.*)\s*$")
_NUMBER = re.compile(rb"\s*([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)")
_LINE = re.compile(rb"((?:\[[^]]+\]|\w+)\s+\S+)\s*(.*)")
_BANNED = b"pam_tally"
_PERMIT = b"[default=1]\t\t\tpam_permit.so\n"
_BLOCKS = (
    (
        b"Primary",
        b'# here are the per-package modules (the "Primary" block)',
        b"# here's the fallback if no module succeeds",
    ),
    (
        b"Additional",
        b'# and here are more per-package modules (the "Additional" block)',
        b"# end of pam-auth-update config",
    ),
)
"""The kinds of modules, and in a template the beginning of the line before them and of the line after them."""


def pam_profiles(tree: Tree, packages: Mapping[str, Package]) -> Iterator[Entry]:
    """etc/pam.d/common-* and var/lib/pam/*, unless the former have been changed since they were made."""
    if _PACKAGE not in packages:
        return
    names = (name for name in tree.children(_PROFILES) if tree.content(f"{_PROFILES}/{name}") is not None)
    profiles = {name: tree.read(f"{_PROFILES}/{name}") for name in names}
    paths = {kind: f"{_TEMPLATES}/common-{kind}" for kind in _TYPES}
    templates = {kind: tree.read(path) for kind, path in paths.items() if path in tree}
    version = packages[_PACKAGE].fields["Version"]
    if f"{_SAVED}/seen" in tree:
        seen = tree.read(f"{_SAVED}/seen").decode("utf-8", "surrogateescape").splitlines()
        before = pam_files({name: profiles[name] for name in seen if name in profiles}, templates, version)
        if any(path not in tree or tree.read(path) != data for path, data in before.items() if path.startswith(_FILES)):
            return
    for path, data in pam_files(profiles, templates, version).items():
        yield Entry.file(path, data)


def pam_files(profiles: Mapping[str, bytes], templates: Mapping[str, bytes], version: str) -> dict[str, bytes]:
    """The files by path, of profiles by name and templates by type; `version` is that of the program.

    A template that lacks the places for modules ends it: neither its files nor those after them are written.
    """
    parsed = {name: _parse(profiles[name], version) for name in profiles if not _NO_PROFILE.fullmatch(name)}
    known = {name: profile for name, profile in parsed.items() if profile is not None}
    by_name = sorted(known, key=_raw, reverse=True)
    names = sorted(by_name, key=lambda name: -_number(known[name].fields.get(b"Priority", b"")))
    enabled = _without_conflicts([name for name in names if known[name].fields.get(b"Default") == b"yes"], known)
    if not enabled:
        return {}
    found = {f"{_SAVED}/seen": b"".join(_raw(name) + b"\n" for name in names)}
    chosen = [(_raw(name), known[name].fields) for name in enabled]
    for kind in _TYPES:
        config = _config(kind, chosen, templates.get(kind, b""))
        if config is None:
            break
        found |= {f"{_FILES}/common-{kind}": config, f"{_SAVED}/{kind}": _saved(kind, chosen)}
    return found


@dataclass(frozen=True, slots=True)
class _Profile:
    """Fields such as Auth-Type, Auth-Initial and Auth, and the names of profiles that this one rules out."""

    fields: dict[bytes, bytes]
    conflicts: frozenset[bytes]


_Chosen = list[tuple[bytes, dict[bytes, bytes]]]


def _parse(data: bytes, version: str) -> _Profile | None:
    """A profile; None for one with a module that is refused."""
    rows: dict[bytes, list[bytes]] = {}
    conflicts: set[bytes] = set()
    name = b""
    for line in _lines(data):
        if found := _FIELD.match(line):
            # Where the name's end is taken off, the program forgets what follows in the line.
            name, value = found[1].removesuffix(b"-Final"), b"" if found[1].endswith(b"-Final") else found[2]
            if name == b"Conflicts":
                conflicts |= set(value.split(b", "))
            else:
                rows[name] = [value]
        elif name != b"Conflicts":
            text = line.strip()
            own = rows.setdefault(name, [b""])
            if _is_true(text):
                own.append(text)
            if _BANNED in own[0] or _BANNED in text:
                return None
    fields = {name: b"\n".join(filter(None, own)) for name, own in rows.items()}
    interactive = fields.get(b"Session-Interactive-Only")
    if interactive is None or (_at_least(version, 1, 7) and interactive != b"yes"):
        for suffix in (b"-Type", b"", b"-Initial"):
            if b"Session" + suffix in fields:
                fields[b"Session-noninteractive" + suffix] = fields[b"Session" + suffix]
    return _Profile(fields, frozenset(conflicts))


def _at_least(version: str, *numbers: int) -> bool:
    found = re.match(r"(?:[0-9]+:)?([0-9]+)\.([0-9]+)", version)
    return found is not None and (int(found[1]), int(found[2])) >= numbers


def _lines(data: bytes) -> list[bytes]:
    """With their line breaks."""
    return re.findall(rb"[^\n]*\n|[^\n]+", data)


def _raw(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _is_true(text: bytes | None) -> bool:
    """As Perl has it."""
    return text not in {None, b"", b"0"}


def _number(text: bytes) -> float:
    """What a text begins with, as Perl reads a number."""
    found = _NUMBER.match(text)
    return float(found[1]) if found else 0


def _without_conflicts(names: list[str], profiles: Mapping[str, _Profile]) -> list[str]:
    """Each of these in turn removes those that it rules out, over and over until none does."""
    left = list(names)
    changed = True
    while changed:
        changed = False
        for name in left:  # while it gets shorter: what moves up to where the loop is now is passed over
            for at in reversed(range(len(left))):
                if _raw(left[at]) in profiles[name].conflicts:
                    del left[at]
                    changed = True
    return left


def _is_kind(fields: Mapping[bytes, bytes], kind: bytes) -> bool:
    return _is_true(fields.get(kind + b"-Type"))


def _modules(fields: Mapping[bytes, bytes], kind: bytes, *, first: bool) -> bytes:
    """The lines of a profile for a type: those for the first profile of a block, if it has any, or the usual ones."""
    initial = fields.get(kind + b"-Initial", b"")
    return initial if first and _is_true(initial) else fields.get(kind, b"")


def _config(kind: str, chosen: _Chosen, template: bytes) -> bytes | None:
    """A file for etc/pam.d; None when the template does not have both places for modules."""
    out: list[bytes] = []
    ends: list[bytes] = []
    blocks = list(_BLOCKS)
    for line in _lines(template):
        if ends:
            if line.startswith(ends[0]):
                out.append(line)
                ends.clear()
            continue
        out.append(line)
        if blocks and line.startswith(blocks[0][1]):
            position, _, end = blocks.pop(0)
            out += _block(kind, chosen, position)
            ends.append(end)
    return None if blocks or ends else b"".join(out)


def _block(kind: str, chosen: _Chosen, position: bytes) -> Iterator[bytes]:
    """The modules of one block. One that jumps to its `end` jumps over those that follow it."""
    field, prefix = kind.capitalize().encode(), kind.partition("-")[0].encode() + b"\t"
    profiles = [fields for _, fields in chosen if fields.get(field + b"-Type") == position]
    texts = [_modules(fields, field, first=not index) for index, fields in enumerate(profiles)]
    lines = [line for text in texts for line in text.rstrip(b"\n").split(b"\n") if text]
    # Behind the last block there is nothing to jump to: its modules jump to the last of it.
    left = len(lines) - (position == b"Additional")
    if position == b"Primary" and not left:
        yield prefix + _PERMIT
    for line in lines:
        found = _LINE.match(line)
        module, options = (found[1], found[2].split()) if found else (b"", [])
        yield prefix + module.replace(b"end", b"%d" % left) + b" " + b" ".join(options) + b"\n"
        left -= 1


def _saved(kind: str, chosen: _Chosen) -> bytes:
    """What the program remembers of a file: the modules of each profile as the profile has them."""
    field = kind.capitalize().encode()
    out = b""
    for other in (b"Additional", b"Primary"):
        profiles = [(n, f) for n, f in chosen if _is_kind(f, field) and f[field + b"-Type"] != other]
        for index, (name, fields) in enumerate(profiles):
            text = _modules(fields, field, first=not index)
            if _is_true(text):
                out += b"Module: %b\n%b\n" % (name, text)
        if other == b"Additional" and not profiles:
            out += b"Module: null\n" + _PERMIT
    return out
