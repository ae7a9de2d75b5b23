"""The model's weights as layers of their own: a change of the code neither makes nor sends them again."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from cog_oci.layers import recipe
from cog_oci.layers._tar import OnDisk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cog_oci.layers import Compression
    from cog_oci.layers._tar import Entry
    from cog_oci.store import Store

__all__ = ["WeightLayer", "weight_layers"]

_VERSION = 1
_LARGE = 10 << 20  # bytes; Cog's threshold
_LEAST_ROOM = 16  # layers that weights may have, however many an image has besides
_SHARED = 4  # of these, the layers of all files but the largest where there are more files than layers

# Cog's lists for --separate-weights, in Cog's letter case.
_NO_WEIGHTS_BELOW = (".cog", ".git", "__pycache__")
_NO_WEIGHTS = (
    *(".py", ".ipynb", ".whl"),
    *(".jpg", ".jpeg", ".png", ".webp", ".svg", ".gif", ".avif", ".heic"),
    *(".mp4", ".mov", ".avi", ".wmv", ".mkv", ".webm"),
    *(".mp3", ".wav", ".ogg", ".flac", ".aac", ".m4a"),
    ".log",
)


@dataclass(frozen=True)
class WeightLayer:
    """Large files of the project at their paths below `/src`, never compressed: trained numbers hardly shrink."""

    files: tuple[Entry, ...]
    compression: ClassVar[Compression] = "none"

    @property
    def name(self) -> str:
        """`weights model.bin`, or how many files there are."""
        if len(self.files) > 1:
            return f"weights ({len(self.files)} small files)"
        path = self.files[0].path.removeprefix("src/")
        return f"weights {path.encode('utf-8', 'surrogateescape').decode('utf-8', 'replace')}"

    @property
    def why(self) -> str:
        """What it is, and when it changes."""
        return "large files of the project, never compressed; changes when they do, and not with the code"

    @property
    def artifacts(self) -> tuple[()]:
        """None: the files are the user's."""
        return ()

    @cached_property
    def recipe(self) -> str:
        """By the path, mode and content of every file."""
        rows = [(_bytes(entry).hex(), entry.mode, _sha256(entry)) for entry in self.files]
        return recipe("weights", _VERSION, files=sorted(rows))

    @contextmanager
    def open(self, store: Store) -> Iterator[Iterable[Entry]]:  # noqa: ARG002 - nothing of it comes from the store
        """The files; reading one that has changed since it was looked at raises CogError."""
        yield self.files


def weight_layers(files: Iterable[Entry], room: int = 0) -> list[WeightLayer]:
    """The weights among a project's files, a layer each, in the order of their paths.

    By Cog's rule: at least 10 MiB, and no code, package, picture, video, sound or log by its name. An image takes no
    more than so many layers, `room` of them weights (at least 16), so of very many files only the largest are alone;
    each of the others has its place by its path, so that adding one or changing one makes one layer anew.
    """
    most = max(room, _LEAST_ROOM)
    found = sorted((entry for entry in files if _is_weight(entry)), key=lambda entry: (-entry.size, _bytes(entry)))
    alone, others = (found, []) if len(found) <= most else (found[: most - _SHARED], found[most - _SHARED :])
    return sorted(
        [*(WeightLayer((entry,)) for entry in alone), *map(WeightLayer, _shared(others))],
        key=lambda layer: _bytes(layer.files[0]),
    )


def _shared(files: Sequence[Entry]) -> list[tuple[Entry, ...]]:
    groups: dict[int, list[Entry]] = defaultdict(list)
    for entry in sorted(files, key=_bytes):
        number = int.from_bytes(hashlib.sha256(_bytes(entry)).digest()[:8], "big")
        groups[number % _SHARED].append(entry)
    return [tuple(group) for group in groups.values()]


def _is_weight(entry: Entry) -> bool:
    path = entry.path.removeprefix("src/")
    return (
        entry.kind == "file"
        and entry.size >= _LARGE
        and not path.startswith(_NO_WEIGHTS_BELOW)
        and not path.endswith(_NO_WEIGHTS)
    )


def _bytes(entry: Entry) -> bytes:
    return entry.path.encode("utf-8", "surrogateescape")


def _sha256(entry: Entry) -> str:
    match entry.content:
        case OnDisk(sha256=digest):
            return digest
        case other:
            raise TypeError(f"{entry.path} is weights without a hash: {other!r}")
