"""The user's own files under /src, and the schema that was read from them."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from cog_oci.layers import recipe
from cog_oci.layers._project_files import project_files
from cog_oci.layers._tar import Bytes, Entry, OnDisk
from cog_oci.layers.weights import weight_layers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from cog_oci.layers import Layer
    from cog_oci.store import Store

__all__ = ["CodeLayer", "project_layers"]

_VERSION = 1


@dataclass(frozen=True)
class CodeLayer:
    """Files of a project at their paths below `/src`, and the schema where the server looks for it."""

    files: tuple[Entry, ...]
    schema: bytes | None = None

    @property
    def name(self) -> str:
        """`code`."""
        return "code"

    @property
    def why(self) -> str:
        """What it is, and when it changes."""
        return "the project's own files; changes when they do"

    @property
    def artifacts(self) -> tuple[()]:
        """None: the files are the user's."""
        return ()

    @cached_property
    def recipe(self) -> str:
        """By the path, mode and content of every file."""
        rows = [(_hex(e.path), e.kind, e.mode, _hex(e.target), _identity(e)) for e in self._entries]
        return recipe("code", _VERSION, files=sorted(rows))

    @contextmanager
    def open(self, store: Store) -> Iterator[Iterable[Entry]]:  # noqa: ARG002 - nothing of it comes from the store
        """The files; reading one that has changed since it was looked at raises CogError."""
        yield self._entries

    @property
    def _entries(self) -> tuple[Entry, ...]:
        if self.schema is None:
            return self.files
        return (*self.files, Entry.file("src/.cog/openapi_schema.json", self.schema))


def project_layers(
    folder: Path,
    schema: bytes | None,
    leave_out: frozenset[Path] = frozenset(),
    *,
    separate_weights: bool = False,
    room: int = 0,
    store: Store | None = None,
) -> list[Layer]:
    """The layers of a project's own files, bottom up: its weights, if they are to be apart, then everything else.

    `leave_out` are files in the folder that are no part of the project, such as the archive being written; `room` is
    how many layers there may be; `store` remembers what large files were found to be, so that they are not hashed at
    every build. Raises what `project_files` does.
    """
    files = project_files(folder, leave_out, store)
    weights = weight_layers(files, room - 1) if separate_weights else []
    apart = {entry.path for layer in weights for entry in layer.files}
    return [*weights, CodeLayer(tuple(entry for entry in files if entry.path not in apart), schema)]


def _hex(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").hex()


def _identity(entry: Entry) -> str:
    match entry.content:
        case OnDisk(sha256=digest):
            return digest
        case Bytes(data=data):
            return hashlib.sha256(data).hexdigest()
        case _:
            return ""
