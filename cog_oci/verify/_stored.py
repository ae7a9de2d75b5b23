"""A layer as it is kept, held against what its image says of it."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from cog_oci.blobs import DamagedBlobError, open_plain
from cog_oci.compare import compare_blobs, path_at, walk
from cog_oci.errors import CogError
from cog_oci.oci import DiffID
from cog_oci.store import DigestMismatchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from cog_oci.oci import StoredLayer
    from cog_oci.transports.sources import Source

    Good = Callable[[], AbstractContextManager[BinaryIO]]
    """Opens the blob as it should be; it can seek."""

__all__ = ["Damage", "locate", "opened_plain", "plain_diff_id", "spooled", "verify_bytes"]

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Damage:
    """Why a blob is not what its image says."""

    reason: str


def verify_bytes(source: Source, layer: StoredLayer) -> Damage | None:
    """Whether the blob is the one that the image names, by its digest and size."""
    try:
        with source.blob(layer.descriptor) as blob:
            _drain(blob)
    except DigestMismatchError as error:
        return Damage(f"its blob is not the one that the image names: expected {error.expected}, got {error.actual}")
    return None


def plain_diff_id(source: Source, layer: StoredLayer) -> DiffID | Damage:
    """What the blob holds, by its diff ID; Damage when it cannot be read or is not the blob that the image names."""
    digest = hashlib.sha256()
    try:
        with opened_plain(source, layer) as plain:
            while chunk := plain.read(_CHUNK):
                digest.update(chunk)
    except DamagedBlobError as error:
        return verify_bytes(source, layer) or Damage(f"its blob cannot be read: {error.reason}")
    except DigestMismatchError:
        damage = verify_bytes(source, layer)
        if damage is None:
            raise CogError(f"{source.name} changed while it was read", hint="try again") from None
        return damage
    return DiffID(f"sha256:{digest.hexdigest()}")


@contextmanager
def opened_plain(source: Source, layer: StoredLayer) -> Iterator[BinaryIO]:
    """The layer's tar, out of the blob as it is kept; the blob's digest is checked once the tar was read to its end."""
    with source.blob(layer.descriptor) as blob:
        yield open_plain(blob, layer.descriptor.media_type)
        _drain(blob)


def locate(source: Source, layer: StoredLayer, good: Good | None = None) -> tuple[str, ...]:
    """Where a blob is damaged, as sentences: by comparing it with a good one, else by where its envelope breaks."""
    try:
        return _by_comparison(source, layer, good) if good is not None else _by_inflating(source, layer)
    except DigestMismatchError:  # cut short or too long: there is no byte to point at
        return ()


@contextmanager
def spooled(source: Source, layer: StoredLayer) -> Iterator[BinaryIO]:
    """The blob as a file that can seek."""
    with tempfile.TemporaryFile() as file:
        with source.blob(layer.descriptor) as blob:
            shutil.copyfileobj(blob, file, _CHUNK)
        file.seek(0)
        yield file


def _by_comparison(source: Source, layer: StoredLayer, good: Good) -> tuple[str, ...]:
    with good() as expected, source.blob(layer.descriptor) as actual:
        offset = compare_blobs(expected, actual)
        if offset is None:
            return ()
        return (f"its blob differs at byte {offset} of {layer.descriptor.size}, in {path_at(expected, offset)}",)


def _by_inflating(source: Source, layer: StoredLayer) -> tuple[str, ...]:
    path = "the beginning"
    try:
        with source.blob(layer.descriptor) as blob:
            for path, _ in walk(open_plain(blob, layer.descriptor.media_type)):  # noqa: B007 - the last one counts
                pass
    except DamagedBlobError as error:
        return (f"{error.reason}; it can be read up to {path}",)
    return ()


def _drain(blob: BinaryIO) -> None:
    """Read to the end, where the digest is checked."""
    while blob.read(_CHUNK):
        pass
