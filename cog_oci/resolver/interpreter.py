"""Interpreters that no Debian suite brings: the python-build-standalone archives that this version of the tool knows.

`lockfiles/python-build-standalone.json` has one release of each Python by the hash of its archive; where the archives
are kept is for `origins` to say.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from cog_oci import shipped
from cog_oci.errors import CogError
from cog_oci.lock import InterpreterArchive
from cog_oci.oci import Digest

if TYPE_CHECKING:
    from pathlib import Path

    from cog_oci.fetch import Fetcher
    from cog_oci.origins import Origins

__all__ = ["ROOT", "Standalone", "fetched", "standalone"]

ROOT = "/opt/python"
"""Where an archive is unpacked in the image: its `python/` becomes this folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standalone:
    """A release of Python for one architecture: `version` is X.Y.Z, `file` its path below the project's releases."""

    version: str
    architecture: str
    file: str
    sha256: str

    @property
    def python_version(self) -> str:
        """X.Y."""
        return self.version.rpartition(".")[0]


def standalone(architecture: str) -> tuple[Standalone, ...]:
    """Every release for an architecture (`amd64`, `arm64`), the oldest Python first. CogError for a broken install."""
    return _read(shipped.lockfile("python-build-standalone.json"), architecture)


@cache
def _read(file: Path, architecture: str) -> tuple[Standalone, ...]:
    try:
        rows = json.loads(file.read_bytes())["archives"]
        found = [Standalone(**row) for row in rows if row["architecture"] == architecture]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CogError(
            f"this installation of cog-oci has no {file.name} that can be read", hint="install it again"
        ) from (error)
    return tuple(sorted(found, key=lambda one: tuple(map(int, one.version.split(".")))))


def fetched(
    release: Standalone, known: InterpreterArchive | None, fetcher: Fetcher, origins: Origins
) -> InterpreterArchive:
    """The archive as a lock has it: as it is `known`, else brought into the store to learn its size.

    Raises what `Fetcher.blob` raises: among others, DigestMismatchError for an archive of another content.
    """
    if known is not None and known.sha256 == release.sha256:
        return known

    def of_size(size: int) -> InterpreterArchive:
        return InterpreterArchive(
            name="cpython",
            version=release.version,
            file=release.file,
            sha256=release.sha256,
            size=size,
            needed_by=("cog.yaml",),
            architecture=release.architecture,
        )

    from cog_oci.fetch import FetchError  # noqa: PLC0415 - an image from a lock fetches nothing here

    name = release.file.rpartition("/")[2]
    try:
        path = fetcher.blob(name, origins.locate(of_size(0)), Digest(f"sha256:{release.sha256}"), None)
    except FetchError as error:
        error.hint = "check the network, or name another place that has it with COG_PYTHON_MIRROR"
        raise
    return of_size(path.stat().st_size)
