"""What is inside a layer's blob: its tar as a stream, whatever the envelope it travels in.

The first bytes say what the envelope is; a media type only says what somebody believed (containerd, for one, labels
every compressed layer of a `docker save` archive as gzip).
"""

from __future__ import annotations

import gzip
import io
from typing import TYPE_CHECKING, BinaryIO, cast

from cog_oci.errors import CogError
from cog_oci.oci import MediaType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["MAGIC_SIZE", "DamagedBlobError", "Stream", "envelope", "open_plain"]

_GZIP = b"\x1f\x8b"  # RFC 1952 §2.3.1
_ZSTD = b"\x28\xb5\x2f\xfd"  # RFC 8878 §3.1.1
_SKIPPABLE = b"\x2a\x4d\x18"  # RFC 8878 §3.1.2, after a byte of 0x50 to 0x5f
_FOREIGN = {b"BZh": "bzip2", b"\xfd7zXZ": "xz"}
MAGIC_SIZE = 6
"""How many bytes from its beginning tell what a blob is."""
_CHUNK = 1 << 18
# A block of 128 KiB can be four bytes of zstd (RFC 8878 §3.1.1.2): slices so small bound what a hostile one becomes, at
# 64 MiB, and cost nothing that can be measured.
_ZSTD_SLICE = 2048


class DamagedBlobError(CogError):
    """A blob whose envelope cannot be opened, or breaks off: `media_type` is what it is said to be."""

    def __init__(self, media_type: str, reason: str) -> None:
        self.media_type, self.reason = media_type, reason
        super().__init__(
            f"a layer of type {media_type} cannot be read: {reason}", hint="get the image again from where it came"
        )


class Stream(io.RawIOBase):
    """Bytes from a function that gives some when asked for up to so many, and none at the end.

    `read(n)` gives n bytes except right before the end or an error: an error is raised after all bytes that came before
    it have been given, so that whoever looks for what is wrong has seen everything.
    """

    def __init__(self, more: Callable[[int], bytes]) -> None:
        self._more = more
        self._error: Exception | None = None
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # what io.RawIOBase really passes
        """As many bytes as fit, as long as there are any."""
        target = memoryview(buffer).cast("B")
        filled = 0
        while filled < len(target):
            if not self._rest and not self._refill(len(target) - filled, first=not filled):
                break
            size = min(len(self._rest), len(target) - filled)
            target[filled : filled + size] = self._rest[:size]
            self._rest = self._rest[size:]
            filled += size
        return filled

    def peek(self, size: int) -> bytes:
        """The next `size` bytes, or those that there are, which the next `read` gives again."""
        head = self.read(size) or b""
        self._rest = memoryview(head + bytes(self._rest))
        return head

    def _refill(self, size: int, *, first: bool) -> bool:
        try:
            if self._error is None:
                self._rest = memoryview(self._more(size))
                return len(self._rest) > 0
        except Exception as error:  # noqa: BLE001 - kept, and raised by the next read
            self._error = error
        if first and self._error is not None:
            raise self._error
        return False


def open_plain(blob: BinaryIO, media_type: str) -> BinaryIO:
    """The layer's tar, to be read once from front to back; `blob` stays open and is the caller's to close.

    Reading to the end reads `blob` to its end. gzip may have many members and zstd many frames; `media_type` serves for
    messages. Raises DamagedBlobError, here or while reading, for an envelope that is broken, cut short or unknown.
    """
    whole = Stream(blob.read)
    head = whole.peek(MAGIC_SIZE)
    for magic, name in _FOREIGN.items():
        if head.startswith(magic):
            raise DamagedBlobError(media_type, f"it is compressed with {name}, which OCI images do not use")
    found = envelope(head)
    if found == MediaType.LAYER and media_type.endswith(("gzip", "zstd")):
        raise DamagedBlobError(media_type, "it is neither gzip nor zstd")
    opened = {MediaType.LAYER_GZIP: _gunzipped, MediaType.LAYER_ZSTD: _unzstd}.get(found)
    return cast("BinaryIO", opened(whole, media_type) if opened else whole)


def envelope(head: bytes) -> str:
    """The media type of a layer that begins with these bytes, of which MAGIC_SIZE are enough."""
    if head.startswith(_GZIP):
        return MediaType.LAYER_GZIP
    if head.startswith(_ZSTD) or (head[1:4] == _SKIPPABLE and head[0] >> 4 == 5):
        return MediaType.LAYER_ZSTD
    return MediaType.LAYER


def _gunzipped(blob: Stream, media_type: str) -> Stream:
    from isal import igzip, igzip_lib  # noqa: PLC0415 - a plain layer needs no inflating

    broken: type[Exception] = igzip_lib.error  # type: ignore[assignment]  # the stubs call the class an instance
    file = igzip.IGzipFile(fileobj=blob, mode="rb")  # type: ignore[no-untyped-call]  # isal has no hints here

    def more(size: int) -> bytes:
        try:
            return file.read1(max(size, _CHUNK))
        except EOFError:
            raise DamagedBlobError(media_type, "its gzip stream breaks off") from None
        except (gzip.BadGzipFile, broken) as error:
            raise DamagedBlobError(media_type, f"its gzip stream is damaged ({error})") from None

    return Stream(more)


def _unzstd(blob: Stream, media_type: str) -> Stream:
    pieces = _frames(blob, media_type)
    return Stream(lambda _size: next(pieces, b""))


def _frames(blob: Stream, media_type: str) -> Iterator[bytes]:
    """What the frames hold, one after another; a frame that is not whole is an error."""
    import zstandard  # noqa: PLC0415 - takes 10 ms, and most layers are gzip

    inflater = zstandard.ZstdDecompressor()
    frame, data = inflater.decompressobj(), blob.read(_ZSTD_SLICE)
    try:
        while data:
            if plain := frame.decompress(data):
                yield plain
            whole, data = frame.eof, frame.unused_data or blob.read(_ZSTD_SLICE)
            if whole and data:
                frame = inflater.decompressobj()
    except zstandard.ZstdError as error:
        raise DamagedBlobError(media_type, f"its zstd stream is damaged ({error})") from None
    if not frame.eof:
        raise DamagedBlobError(media_type, "its zstd stream breaks off")
