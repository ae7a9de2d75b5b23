"""Renderings of a layer: what its tar is wrapped in. A layer *is* the tar; this is how it travels (design §1.2)."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Literal, Protocol

import zstandard

from cog_oci.layers import _gzip
from cog_oci.layers._hashing import Hasher
from cog_oci.oci import Descriptor, Digest, MediaType

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cog_oci.oci import DiffID
    from cog_oci.store import Incoming

__all__ = ["COMPRESSIONS", "Compression", "Envelope", "made_by", "open_envelope"]

Compression = Literal["gzip", "zstd", "none"]
COMPRESSIONS: tuple[Compression, ...] = ("gzip", "zstd", "none")

_ZSTD_LEVEL = 3
_ZSTD_VERSION = ".".join(map(str, zstandard.ZSTD_VERSION))
_MADE_BY: dict[Compression, str] = {
    "gzip": _gzip.MADE_BY,
    "zstd": f"zstd-{_ZSTD_VERSION}/{_ZSTD_LEVEL}",
    "none": "none",
}


class Envelope(Protocol):
    """Takes a tar in pieces, writes a blob, and describes it when it is closed."""

    def plain(self, data: bytes | memoryview) -> None:
        """The next bytes of the tar."""

    def close(self, diff_id: DiffID) -> Descriptor:
        """Write what is left, and say what the blob is."""


def made_by(compression: Compression) -> str:
    """What decides a blob's bytes besides its tar: format, compressor, its version, its level."""
    return _MADE_BY[compression]


@contextmanager
def open_envelope(compression: Compression, sink: Incoming) -> Iterator[Envelope]:
    """A new envelope that writes to `sink`."""
    with ExitStack() as stack:
        if compression == "none":
            yield _Plain(sink)
            return
        written = stack.enter_context(Hasher(sink.write))
        if compression == "zstd":
            yield _Zstd(written)
            return
        pool = stack.enter_context(_Compressors())
        yield _Gzip(written, pool)


def _described(written: Hasher, media_type: str) -> Descriptor:
    return Descriptor(media_type, Digest("sha256:" + written.hexdigest()), written.size)


class _Gzip(_gzip.Members):
    """`application/vnd.oci.image.layer.v1.tar+gzip`."""

    def __init__(self, written: Hasher, pool: ThreadPoolExecutor) -> None:
        super().__init__(written.update, pool)
        self._written = written

    def close(self, diff_id: DiffID) -> Descriptor:  # noqa: ARG002 - the protocol's
        self.finish()
        return _described(self._written, MediaType.LAYER_GZIP)


class _Zstd:
    """`application/vnd.oci.image.layer.v1.tar+zstd`: one frame, without its content's size, with a checksum.

    Multi-threaded mode always: its bytes do not depend on the number of threads, but differ from those of the
    single-threaded mode.
    """

    def __init__(self, written: Hasher) -> None:
        self._written = written
        self._compress = zstandard.ZstdCompressor(
            level=_ZSTD_LEVEL, threads=_cores(), write_checksum=True, write_content_size=False
        ).compressobj()

    def plain(self, data: bytes | memoryview) -> None:
        if made := self._compress.compress(data):
            self._written.update(made)

    def close(self, diff_id: DiffID) -> Descriptor:  # noqa: ARG002 - the protocol's
        self._written.update(self._compress.flush())
        return _described(self._written, MediaType.LAYER_ZSTD)


class _Plain:
    """`application/vnd.oci.image.layer.v1.tar`: the tar, whose digest is its diff ID."""

    def __init__(self, sink: Incoming) -> None:
        self._sink, self._size = sink, 0

    def plain(self, data: bytes | memoryview) -> None:
        self._sink.write(data)
        self._size += len(data)

    def close(self, diff_id: DiffID) -> Descriptor:
        return Descriptor(MediaType.LAYER, Digest(diff_id), self._size)


@contextmanager
def _Compressors() -> Iterator[ThreadPoolExecutor]:  # noqa: N802 - reads as the thing that it gives
    """The threads that compress, one for each core; what has not begun when the context ends does not begin."""
    pool = ThreadPoolExecutor(_cores(), thread_name_prefix="compress")
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
