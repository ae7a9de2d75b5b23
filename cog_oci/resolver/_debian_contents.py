"""Which package has a file: Contents files of a suite, searched as text (DebianRepository/Format on Debian's wiki)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["holders", "looks_like_a_file"]

_CHUNK = 4 << 20
_SEARCHED = re.compile(r"(usr/)?(s?bin|lib(/(x86_64|aarch64)-linux-gnu)?)/[^/]+")
"""Where commands and libraries are looked for by their names alone."""


def looks_like_a_file(name: str) -> bool:
    """A path, or the name of a shared library: no package is called so."""
    return "/" in name or ".so." in name or name.endswith(".so")


def holders(contents: Path, *names: str) -> dict[str, list[str]]:
    """For each file the packages that have it, the likeliest first: a path from the root on, or a name alone.

    Where some have it in a place where it is looked for, those in other places are left out, as are debugging symbols.
    """
    # /bin and /lib are links into /usr, and what is listed there or here is the same file.
    wanted = {name.lstrip("/").removeprefix("usr/").encode(): name for name in names}
    row = re.compile(
        rb"[/\n](?P<path>" + b"|".join(map(re.escape, wanted)) + rb")[ \t]+(?P<packages>\S+)$", re.MULTILINE
    )
    found: dict[str, dict[str, tuple[bool, int, str]]] = {name: {} for name in names}
    for text in _lines(contents):
        for match in row.finditer(b"\n" + text):
            # From the name backwards: to match whatever may be before it takes ten times as long.
            start = match.string.rfind(b"\n", 0, match.start("path")) + 1
            place = match.string[start : match.end("path")].decode("utf-8", "replace")
            name = wanted[match["path"]]
            if name.startswith("/") and place.removeprefix("usr/") != name.lstrip("/").removeprefix("usr/"):
                continue
            ranks = found[name]
            for one in match["packages"].decode("utf-8", "replace").split(","):
                package = one.rpartition("/")[2]
                rank = _SEARCHED.fullmatch(place) is None, len(package), package
                if not package.endswith(("-dbg", "-dbgsym")):
                    ranks[package] = min(ranks.get(package, rank), rank)
    return {name: _likeliest(ranks) for name, ranks in found.items()}


def _likeliest(ranks: Mapping[str, tuple[bool, int, str]]) -> list[str]:
    best = min((rank[0] for rank in ranks.values()), default=False)
    return sorted((package for package, rank in ranks.items() if rank[0] == best), key=ranks.__getitem__)


def _lines(contents: Path) -> Iterator[bytes]:
    """The text in pieces of whole lines. OSError for what cannot be unpacked."""
    from isal import igzip, isal_zlib  # noqa: PLC0415 - only who asks for a file by its name comes here

    rest = b""
    try:
        with igzip.open(contents, "rb") as text:  # type: ignore[no-untyped-call]  # it has no types
            while chunk := text.read(_CHUNK):
                whole, _, rest = (rest + chunk).rpartition(b"\n")
                yield whole
    except (EOFError, isal_zlib.error) as error:  # type: ignore[misc]  # it has no types
        raise OSError(f"{contents.name} cannot be unpacked: {error}") from error
    yield rest
