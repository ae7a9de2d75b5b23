"""What a wheel or a deb in the store says of itself: what it needs, and under which licences it is."""

from __future__ import annotations

import re
import tempfile
import zipfile
from email.parser import HeaderParser
from typing import TYPE_CHECKING

from cog_oci.layers._deb import read_package, unpack  # the one reader of debs; layers are made by it
from cog_oci.lock import Deb, InterpreterArchive, Wheel

if TYPE_CHECKING:
    from collections.abc import Mapping
    from email.message import Message

    from cog_oci.layers._tar import Entry
    from cog_oci.lock import Artifact
    from cog_oci.store import Store

__all__ = ["licences", "requirements"]

_LONGEST_NAME = 60  # `License:` of a wheel may hold the whole text


def requirements(artifact: Artifact, store: Store) -> tuple[str, ...]:
    """What it needs, as it is written: a wheel's Requires-Dist, a deb's Pre-Depends and Depends, group by group."""
    if isinstance(artifact, Deb):
        fields = read_package(store.path(artifact.digest), artifact.file).fields
        written = (fields.get(name, "") for name in ("Pre-Depends", "Depends"))
        return tuple(group.strip() for text in written for group in text.split(",") if group.strip())
    if not isinstance(artifact, Wheel):
        return ()
    return tuple(_metadata(artifact, store).get_all("Requires-Dist") or ())


def licences(artifact: Artifact, store: Store, debs: Mapping[str, Deb]) -> tuple[str, ...]:
    """Names of licences or one SPDX expression; empty where it does not say.

    A deb says it in its copyright file (DEP 5, else the licences it points to), which may be that of one of `debs`.
    """
    if isinstance(artifact, InterpreterArchive):
        return ("PSF-2.0",)  # CPython's; what is linked into it has licences of its own beside it
    if not isinstance(artifact, Deb):
        return _of_wheel(_metadata(artifact, store))
    with tempfile.TemporaryFile() as spool:
        path = store.path(artifact.digest)
        entries = {entry.path: entry for entry in unpack(path, read_package(path, artifact.file), spool)}
        folder = entries.get(f"usr/share/doc/{artifact.name}")
        if folder is not None and folder.kind == "symlink":
            other = debs.get(folder.target.rsplit("/", 1)[-1])
            return licences(other, store, {}) if other is not None and other != artifact else ()
        return _of_copyright(_text(entries.get(f"usr/share/doc/{artifact.name}/copyright")))


def _metadata(wheel: Artifact, store: Store) -> Message:
    with zipfile.ZipFile(store.path(wheel.digest)) as archive:
        name = next(name for name in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name))
        return HeaderParser().parsestr(archive.read(name).decode("utf-8", "replace"))


def _of_wheel(metadata: Message) -> tuple[str, ...]:
    """License-Expression (PEP 639), else License if it is a name, else the classifiers."""
    if expression := metadata["License-Expression"]:
        return (str(expression),)
    said = str(metadata["License"] or "").strip()
    if said and said != "UNKNOWN" and len(said) <= _LONGEST_NAME and "\n" not in said:
        return (said,)
    classifiers = (str(text) for text in metadata.get_all("Classifier") or ())
    found = {text.rsplit(" :: ", 1)[-1] for text in classifiers if text.startswith("License :: ")}
    return tuple(sorted(found - {"OSI Approved"}))


def _of_copyright(text: str) -> tuple[str, ...]:
    named = re.findall(r"^License:[ \t]*(\S[^\n]*)", text, re.MULTILINE)
    if not named:
        named = re.findall(r"/usr/share/common-licenses/([A-Za-z0-9.+-]*[A-Za-z0-9+])", text)
    return tuple(sorted({name.strip() for name in named}))


def _text(entry: Entry | None) -> str:
    if entry is None or entry.content is None:
        return ""
    return b"".join(bytes(chunk) for chunk in entry.content.chunks()).decode("utf-8", "replace")
