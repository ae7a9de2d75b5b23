"""What a Debian system has already, as its dpkg says (dpkg-query's `status`), in the words of an archive's index."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cog_oci.resolver._deb822 import field_of, paragraphs

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["INSTALLED", "as_index", "demands"]

INSTALLED = ""
"""The archive of what needs no fetching."""
_TOLD = (b"Package", b"Version", b"Architecture", b"Multi-Arch", b"Priority", b"Provides", b"Conflicts", b"Breaks")


def as_index(status: bytes) -> bytes:
    """The installed packages as a Packages file lists them.

    What they depend on is left out: slim images remove some of it, and what is not there was not needed so far.
    """
    return b"\n".join(
        b"".join(b"%s: %s\n" % (name, told) for name in _TOLD if (told := field_of(paragraph, name)))
        + b"Filename: \nSize: 0\nSHA256: \n"
        for paragraph in _installed(status)
    )


def demands(status: bytes, architecture: str) -> tuple[str, ...]:
    """Each of them as `name=version`: what is added must leave them as they are."""
    found = []
    for paragraph in _installed(status):
        name, version, of = (field_of(paragraph, key) or b"" for key in (b"Package", b"Version", b"Architecture"))
        if of.decode() in {architecture, "all"}:
            found.append(f"{name.decode()}={version.decode()}")
    return tuple(sorted(found))


def _installed(status: bytes) -> Iterator[bytes]:
    for paragraph in paragraphs(status):
        if (field_of(paragraph, b"Status") or b"").endswith(b" installed"):
            yield paragraph
