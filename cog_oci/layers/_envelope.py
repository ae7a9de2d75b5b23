"""Renderings of a layer: what its tar is wrapped in. A layer *is* the tar; this is how it travels (design §1.2)."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Literal, Protocol, Self

from cog_oci.layers import _gzip
from cog_oci.layers._hashing import Hasher
from cog_oci.oci import Descriptor, Digest, MediaType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import ThreadPoolExecutor
    from types import TracebackType

    from cog_oci.oci import DiffID
    from cog_oci.store import Incoming

__all__ = ["COMPRESSIONS", "Compression", "Envelope", "made_by", "open_envelope"]

Compression = Literal["gzip", "zstd", "none"]
COMPRESSIONS: tuple[Compression, ...] = ("gzip", "zstd", "none")

_ZSTD_LEVEL = 3


class Envelope(Protocol):
    """Takes a tar in pieces, writes a blob, and describes it when it is closed."""

    def plain(self, data: bytes | memoryview) -> None:
        """The next bytes of the tar."""

    def close(self, diff_id: DiffID, size: int) -> Descriptor:
        """Write what is left, and say what the blob is; the tar has these bytes."""


def made_by(compression: Compression) -> str:
    """What decides a blob's bytes besides its tar: format, compressor, its version, its level."""
    if compression == "gzip":
        return _gzip.MADE_BY
    if compression == "none":
        return "none"
    import zstandard  # noqa: PLC0415 - nobody else needs it

    version = ".".join(map(str, zstandard.ZSTD_VERSION))
    return f"zstd-{version}/{_ZSTD_LEVEL}"


@contextmanager
def open_envelope(compression: Compression, sink: Incoming) -> Iterator[Envelope]:
    """A new envelope that writes to `sink`, but for `none`: there, it is the tar that is written."""
    with ExitStack() as stack:
        if compression == "none":
            yield _Plain()
            return
        written = stack.enter_context(Hasher(sink.write))
        if compression == "zstd":
            yield _Zstd(written)
            return
        yield _Gzip(written, stack.enter_context(_Compressors()))


def _described(written: Hasher, media_type: str) -> Descriptor:
    return Descriptor(media_type, Digest("sha256:" + written.hexdigest()), written.size)


class _Gzip(_gzip.Members):
    """`application/vnd.oci.image.layer.v1.tar+gzip`."""

    def close(self, diff_id: DiffID, size: int) -> Descriptor:  # noqa: ARG002 - the protocol's
        self.finish()
        return _described(self._written, MediaType.LAYER_GZIP)


class _Zstd:
    """`application/vnd.oci.image.layer.v1.tar+zstd`: one frame, without its content's size, with a checksum.

    Multi-threaded mode always: its bytes do not depend on the number of threads, but differ from those of the
    single-threaded mode.
    """

    def __init__(self, written: Hasher) -> None:
        import zstandard  # noqa: PLC0415 - nobody else needs it

        self._written = written
        self._compress = zstandard.ZstdCompressor(
            level=_ZSTD_LEVEL, threads=_cores(), write_checksum=True, write_content_size=False
        ).compressobj()

    def plain(self, data: bytes | memoryview) -> None:
        if made := self._compress.compress(data):
            self._written.update(made)

    def close(self, diff_id: DiffID, size: int) -> Descriptor:  # noqa: ARG002 - the protocol's
        self._written.update(self._compress.flush())
        return _described(self._written, MediaType.LAYER_ZSTD)


class _Plain:
    """`application/vnd.oci.image.layer.v1.tar`: the tar, whose digest is its diff ID; whoever takes that writes it."""

    def plain(self, data: bytes | memoryview) -> None:
        """Nothing."""

    def close(self, diff_id: DiffID, size: int) -> Descriptor:
        return Descriptor(MediaType.LAYER, Digest(diff_id), size)


class _Compressors:
    """Threads that compress, one for each core, begun by the first member; a context, after which none begins."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None

    def __call__(self, make: Callable[[bytes], bytes], data: bytes) -> Callable[[], bytes]:
        if self._pool is None:
            from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - a layer of one member has no use for it

            self._pool = ThreadPoolExecutor(_cores(), thread_name_prefix="compress")
        return self._pool.submit(make, data).result

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
