"""The tar comes out of every envelope whole, or not at all."""

from __future__ import annotations

import gzip
import io
import subprocess
import tracemalloc

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from cog_oci.blobs import DamagedBlobError, Stream, envelope, open_plain
from cog_oci.oci import MediaType
from tests.conftest import need


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


WRAPPED = {"gzip": gzip.compress, "zstd": zstd}
SKIPPABLE = b"\x5a\x2a\x4d\x18\x03\x00\x00\x00abc"
TYPE = MediaType.LAYER_GZIP


def plain(blob: bytes, media_type: str = TYPE, step: int = -1) -> bytes:
    stream = open_plain(io.BytesIO(blob), media_type)
    pieces = [piece := stream.read(step)]
    while step > 0 and piece:
        pieces.append(piece := stream.read(step))
    return b"".join(pieces)


@given(st.lists(st.binary(max_size=300), min_size=1), st.sampled_from(sorted(WRAPPED)), st.integers(1, 400))
def test_members_and_frames_are_one_stream_however_it_is_read(pieces, kind, step):
    blob = b"".join(WRAPPED[kind](piece) for piece in pieces)

    assert plain(blob, step=step) == b"".join(pieces)


def test_the_first_bytes_decide_and_not_the_media_type():
    assert plain(zstd(b"tar"), MediaType.LAYER_GZIP) == b"tar"
    assert plain(gzip.compress(b"tar"), MediaType.LAYER) == b"tar"
    assert plain(b"tar", MediaType.LAYER) == b"tar"
    assert plain(b"", MediaType.LAYER) == b""


def test_skippable_frames_are_skipped_wherever_they_are():
    """zstd:chunked images and parallel compressors have them."""
    assert plain(SKIPPABLE + zstd(b"first") + SKIPPABLE + zstd(b" second") + SKIPPABLE) == b"first second"


@settings(max_examples=60)
@given(st.binary(min_size=1, max_size=3000), st.sampled_from(sorted(WRAPPED)), st.data())
def test_what_breaks_off_is_an_error_after_everything_before_it(content, kind, data):
    blob = WRAPPED[kind](content)
    cut = data.draw(st.integers(6, len(blob) - 1))
    stream = open_plain(io.BytesIO(blob[:cut]), TYPE)
    seen = b""

    with pytest.raises(DamagedBlobError, match=f"{kind} stream breaks off"):
        while piece := stream.read(100):
            seen += piece

    assert content.startswith(seen)


@settings(max_examples=100)
@given(st.binary(min_size=1, max_size=2000), st.sampled_from(sorted(WRAPPED)), st.data())
def test_a_changed_byte_never_gives_another_tar(content, kind, data):
    blob = bytearray(WRAPPED[kind](content))
    blob[data.draw(st.integers(0, len(blob) - 1))] ^= data.draw(st.integers(1, 255))

    try:
        found = plain(bytes(blob))
    except DamagedBlobError:
        return
    assert found == content  # the byte was one that says nothing, such as gzip's time stamp


@pytest.mark.parametrize(
    ("blob", "says"),
    [
        (b"plain", "neither gzip nor zstd"),
        (b"BZh91AY", "compressed with bzip2"),
        (b"\xfd7zXZ\0", "compressed with xz"),
        (gzip.compress(b"a") + b"more", "its gzip stream"),
        (zstd(b"a") + b"more", "its zstd stream is damaged"),
    ],
    ids=["plain", "bzip2", "xz", "gzip", "zstd"],  # the bytes of a gzip stream tell the time
)
def test_what_is_no_envelope_is_said(blob, says):
    with pytest.raises(DamagedBlobError, match=says):
        plain(blob)


def test_an_error_of_the_place_where_the_blob_is_comes_through_after_the_bytes_before_it():
    pieces = [b"abc", b"def"]

    def more(_size: int) -> bytes:
        if not pieces:
            raise OSError(5, "the disk is gone")
        return pieces.pop(0)

    stream = Stream(more)

    assert stream.read(100) == b"abcdef"
    with pytest.raises(OSError, match="the disk is gone"):
        stream.read(100)


def test_a_small_blob_that_becomes_huge_does_not_fill_the_memory():
    compress = zstandard.ZstdCompressor().compressobj()
    bomb = b"".join(compress.compress(bytes(1 << 20)) for _ in range(512)) + compress.flush()
    tracemalloc.start()
    try:
        stream = open_plain(io.BytesIO(bomb), TYPE)
        size = 0
        while piece := stream.read(1 << 20):
            size += len(piece)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert size == 512 << 20
    assert peak < 200 << 20


@pytest.mark.oracle
@pytest.mark.parametrize("command", [["gzip", "-9"], ["zstd", "-19", "-T2"], ["zstd", "--long=27", "--no-check"]])
def test_other_programs_blobs_are_read(command):
    need(command[0])
    content = b"".join(str(n).encode() for n in range(100_000))
    blob = subprocess.run([*command, "-c"], input=content, capture_output=True, check=True).stdout

    assert plain(blob, MediaType.LAYER) == content


def test_an_envelope_is_named_by_its_media_type():
    assert envelope(gzip.compress(b"")[:6]) == MediaType.LAYER_GZIP
    assert envelope(zstd(b"")[:6]) == envelope(SKIPPABLE) == MediaType.LAYER_ZSTD
    assert envelope(b"file\0\0") == envelope(b"") == MediaType.LAYER
