"""A difference in words: what matters most first, and lists that end when enough is said."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from cog_oci.cli._words import cut, delta, human, plain, plural, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cog_oci.difference import (
        FileChange,
        FilesDifference,
        ImageDifference,
        ImagesDifference,
        LayersDifference,
        LockDifference,
        PackageChange,
        PlatformDifference,
        ValueChange,
    )

__all__ = ["image_lines", "lock_lines"]

_LONGEST_VALUE = 60
_HASH = re.compile(r"\b[0-9a-f]{64}\b")
_MOST_OF_ONE = 10  # files of one package that are told of one by one
_MARKS = {"added": "+", "removed": "-", "changed": "~"}
_LAYERS = {"envelope": "=", "moved": "~", "same": "=", **_MARKS}
_STATES = {"envelope": "the same, in another envelope", "moved": "the same, at another place"}


def lock_lines(difference: LockDifference, most: int | None) -> Iterator[str]:
    """Two locks."""
    if difference.equal:
        yield "the same packages, from the same inputs"
        return
    yield from _only(difference.removed, difference.added)
    for name, one in difference.platforms.items():
        size, new = delta(one.after - one.before), human(one.new) if one.new else "nothing"
        yield f"{name}: {human(one.after)} to download{f' ({size})' if size else ''}, {new} of it new"
        yield from _packages(one.packages, most)
        yield from _locked(one, most)
    yield from _values("the lock", difference.settings, most)


def image_lines(difference: ImagesDifference, most: int | None) -> Iterator[str]:
    """Two images, or two of several platforms."""
    yield from _only(difference.removed, difference.added)
    for number, (name, one) in enumerate(difference.platforms.items()):
        if number:
            yield ""
        yield from _image(name, one, most)


def _image(name: str, one: ImageDifference, most: int | None) -> Iterator[str]:
    yield f"{name}: {_short(one.before.descriptor.digest)} → {_short(one.after.descriptor.digest)}"
    moved = human(one.layers.to_move) if one.layers.to_move else "nothing"
    if one.equal:
        same = one.before.descriptor.digest == one.after.descriptor.digest
        yield "the same image" if same else f"the same content, in another envelope; {moved} to move"
        return
    yield f"{moved} of {human(one.layers.whole)} to move to where the first one is"
    yield from _packages(one.packages, most)
    if one.lock:
        for platform in one.lock.platforms.values():
            yield from _locked(platform, most)
        yield from _values("the lock", one.lock.settings, most)
    yield from _values("how it starts, and what it says of itself", one.config, most)
    if one.files:
        yield from _files(one.files, {change.name for change in one.packages}, most)
    yield from _layers(one.layers, most)


def _only(removed: Sequence[str], added: Sequence[str]) -> Iterator[str]:
    for mark, names in (("-", removed), ("+", added)):
        if names:
            yield f"{mark} {', '.join(names)}"


def _packages(packages: Sequence[PackageChange], most: int | None) -> Iterator[str]:
    kinds: defaultdict[str, list[PackageChange]] = defaultdict(list)
    for one in packages:
        kinds[one.kind].append(one)
    titles = {"python": "Python packages", "debian": "Debian packages", "server": "the server's packages"}
    for kind in (*titles, *(kinds.keys() - titles.keys())):
        if changes := sorted(kinds[kind], key=lambda one: (-abs(one.size), one.name)):
            yield ""
            yield f"{titles.get(kind, kind)}: {_counted([_state(one.before, one.after) for one in changes])}"
            rows = [
                (
                    f"{_MARKS[_state(one.before, one.after)]} {plain(one.name)}",
                    plain(_versions(one)),
                    delta(one.size),
                )
                for one in changes
            ]
            yield from cut(table(rows, "  r"), most)


def _versions(one: PackageChange) -> str:
    if one.before == one.after:
        return f"{one.after}, another file"
    return " → ".join(version for version in (one.before, one.after) if version is not None)


def _locked(one: PlatformDifference, most: int | None) -> Iterator[str]:
    yield from _values("made from", one.inputs, most)
    yield from _values("besides", one.settings, most)


def _values(title: str, values: Sequence[ValueChange], most: int | None) -> Iterator[str]:
    if values:
        yield ""
        yield f"{title}: {_counted([_state(one.before, one.after) for one in values])}"
        rows = [(f"{_MARKS[_state(one.before, one.after)]} {plain(one.name)}", _value(one)) for one in values]
        yield from cut(table(rows), most)


def _value(one: ValueChange) -> str:
    texts = [text for text in (one.before, one.after) if text is not None]
    if any(len(text) > _LONGEST_VALUE or "\n" in text for text in map(_short, texts)):
        return " → ".join(human(len(text.encode("utf-8", "surrogatepass"))) for text in texts)
    return " → ".join(plain(_short(text)) or "nothing" for text in texts)


def _short(text: str) -> str:
    """Digests by their first digits: enough to tell two apart."""
    return _HASH.sub(lambda found: f"{found[0][:12]}…", text)


def _files(files: FilesDifference, explained: set[str], most: int | None) -> Iterator[str]:
    if not files.changes and not files.touched:
        return
    yield ""
    states = _counted([_state(one.before, one.after) for one in files.changes])
    yield f"files: {states or 'none differs in more than its time stamp'}"
    counts = Counter(one.package for one in files.changes)
    folded = {name for name, count in counts.items() if name and (name in explained or count > _MOST_OF_ONE)}
    folded = set() if most is None else folded
    own = [one for one in files.changes if one.package not in folded]
    if most is not None:
        # A folder that came or went with what is in it needs no line of its own.
        parents = {one.path.rpartition("/")[0] for one in files.changes}
        own = [one for one in own if one.what or _kind(one) != "directory" or one.path not in parents]
    own.sort(key=lambda one: (-abs(one.size), one.path))
    rows = [
        (
            f"{_MARKS[_state(one.before, one.after)]} {delta(one.size):>9}",
            ", ".join(_said(one, what) for what in one.what),
            plain(f"/{one.path}") + ("/" if _kind(one) == "directory" else ""),
        )
        for one in own
    ]
    yield from cut(table(rows) if rows else [], most)
    yield from _by_package([one for one in files.changes if one.package in folded], most)
    if files.touched:
        yield f"  {plural(files.touched, 'file')} with another time stamp, and nothing else"


def _kind(one: FileChange) -> str:
    member = one.after or one.before
    return member.kind if member is not None else ""


def _by_package(changes: Sequence[FileChange], most: int | None) -> list[str]:
    """The files of packages of which much changed: their number says enough."""
    packages: defaultdict[str, list[FileChange]] = defaultdict(list)
    for one in changes:
        packages[one.package].append(one)
    rows = [
        (
            f"~ of {plain(name)}",
            _counted([_state(one.before, one.after) for one in theirs]),
            delta(sum(one.size for one in theirs)),
        )
        for name, theirs in sorted(packages.items(), key=lambda item: (-len(item[1]), item[0]))
    ]
    return cut(table(rows, "  r"), most) if rows else []


def _said(one: FileChange, what: str) -> str:
    if one.before is None or one.after is None:
        return what
    pairs = {
        "type": (one.before.kind, one.after.kind),
        "target": (plain(one.before.target), plain(one.after.target)),
        "mode": (f"{one.before.mode:04o}", f"{one.after.mode:04o}"),
        "owner": (f"{one.before.uid}:{one.before.gid}", f"{one.after.uid}:{one.after.gid}"),
    }
    return f"{what} {' → '.join(pairs[what])}" if what in pairs else what


def _layers(layers: LayersDifference, most: int | None) -> Iterator[str]:
    yield ""
    yield f"layers: {_counted([one.state if one.state in _MARKS else 'the same' for one in layers.layers])}"
    rows = [
        (
            f"{_LAYERS[one.state]} {plain(one.name)}",
            " → ".join(human(size) for size in (one.before, one.after) if size is not None),
            _STATES.get(one.state, ""),
        )
        for one in layers.layers
        if one.state != "same"
    ]
    yield from cut(table(rows) if rows else [], most)


def _state(before: object, after: object) -> str:
    if before is None:
        return "added"
    return "removed" if after is None else "changed"


def _counted(states: Sequence[str]) -> str:
    """`2 changed, 1 added`."""
    counts = Counter(states)
    order = ("changed", "added", "removed", "the same")
    return ", ".join(f"{counts[state]:,} {state}" for state in order if counts[state])
