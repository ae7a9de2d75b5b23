"""Blobs of somebody else's keeping, verified while they are read."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from cog_oci.blobs import Stream
from cog_oci.errors import CogError
from cog_oci.store import DigestMismatchError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cog_oci.oci import Descriptor

__all__ = ["AlteredBlobError", "verified", "whole"]


class AlteredBlobError(DigestMismatchError):
    """A blob of an image that is not what the image says it is."""

    def __init__(self, name: str, *, expected: str, actual: str) -> None:
        self.name, self.expected, self.actual = name, expected, actual
        CogError.__init__(  # not the parent's: it speaks of a lock
            self,
            f"{name} is not what the image says: expected {expected}, got {actual}",
            hint="the image was changed after it was made, or was not copied whole",
        )


def verified(read: Callable[[int], bytes], descriptor: Descriptor, name: str) -> Stream:
    """The bytes that `read` gives, as long as they are those that the descriptor names.

    Raises AlteredBlobError in place of the end, after all bytes up to the size that was promised.
    """
    digest = hashlib.sha256()
    size = 0

    def more(wanted: int) -> bytes:
        nonlocal size
        data = read(wanted)
        digest.update(data)
        size += len(data)
        if size > descriptor.size:
            raise AlteredBlobError(name, expected=f"{descriptor.size} bytes", actual="more")
        if not data and size < descriptor.size:
            raise AlteredBlobError(name, expected=f"{descriptor.size} bytes", actual=f"{size}")
        if not data and (actual := f"sha256:{digest.hexdigest()}") != descriptor.digest:
            raise AlteredBlobError(name, expected=descriptor.digest, actual=actual)
        return data

    return Stream(more)


def whole(read: Callable[[int], bytes], descriptor: Descriptor, name: str, *, limit: int) -> bytes:
    """A document in one piece, verified; a CogError when it is larger than `limit` bytes."""
    if descriptor.size > limit:
        raise CogError(f"{name} is {descriptor.size} bytes large, and no document of its kind is over {limit}")
    return verified(read, descriptor, name).read() or b""
