"""What is in a layer, in a few kilobytes of text: enough to tell later, without the layer, which paths differ from it.

For each path there are three bytes of a hash of the path and three of a hash of all that a header and a content say; of
a layer with many paths, folders are taken together. A listing locates a difference that diff IDs have proved: it proves
nothing itself.
"""

from __future__ import annotations

import base64
import hashlib
import tarfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import BinaryIO

__all__ = ["listing", "unlike"]

_MOST = 1000
_DEEPEST = 12
_HALF = 3  # bytes
_SHOWN = 10
_CHUNK = 1 << 20


def listing(plain: BinaryIO) -> str:
    """The listing of a plain tar, read from here to its end."""
    entries = _entries(plain)
    depth = 0 if len(entries) <= _MOST else _depth(entries)
    grouped = _grouped(entries, depth)
    tokens = b"".join(_short(path.encode("utf-8", "surrogateescape")) + content for path, content in grouped.items())
    return f"{depth}:{base64.b64encode(tokens).decode()}"


def unlike(known: str, plain: BinaryIO) -> list[str]:
    """In a few words each, the paths of the tar that are not as in the listing, and how many of the listing's are gone.

    Empty when nothing is found.
    """
    depth, _, text = known.partition(":")
    tokens = base64.b64decode(text)
    before = {tokens[at : at + _HALF]: tokens[at + _HALF : at + 2 * _HALF] for at in range(0, len(tokens), 2 * _HALF)}
    kind = "is new or changed, it or what is in it" if int(depth) else ""
    found = []
    for path, content in _grouped(_entries(plain), int(depth)).items():
        was = before.pop(_short(path.encode("utf-8", "surrogateescape")), None)
        if was != content:
            found.append(f"/{path}: {kind or ('was not there' if was is None else 'differs')}")
    gone = [f"{len(before)} more were there and are not"] if before else []
    more = [f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
    return [*found[:_SHOWN], *more, *gone]


def _entries(plain: BinaryIO) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    with tarfile.open(fileobj=plain, mode="r|", encoding="utf-8", errors="surrogateescape") as archive:
        for member in archive:
            records = sorted(member.pax_headers.items())
            head = (member.type, member.mode, member.uid, member.gid, member.linkname, member.size, records)
            digest = hashlib.sha256(repr(head).encode("utf-8", "surrogateescape"))
            content = archive.extractfile(member) if member.isreg() else None
            while content is not None and (chunk := content.read(_CHUNK)):
                digest.update(chunk)
            found[member.name] = digest.digest()[:_HALF]
    return found


def _grouped(entries: dict[str, bytes], depth: int) -> dict[str, bytes]:
    """The entries, or the folders of this depth, each with a hash of what is there."""
    if not depth:
        return entries
    groups: dict[str, list[bytes]] = {}
    for path, content in entries.items():
        key = "/".join(path.split("/")[:depth])
        groups.setdefault(key, []).append(path.encode("utf-8", "surrogateescape") + b"\0" + content)
    return {path: _short(b"\n".join(rows)) for path, rows in groups.items()}


def _depth(entries: dict[str, bytes]) -> int:
    """The deepest folders of which there are few enough."""
    for depth in range(_DEEPEST, 1, -1):
        if len({"/".join(path.split("/")[:depth]) for path in entries}) <= _MOST:
            return depth
    return 1


def _short(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()[:_HALF]
