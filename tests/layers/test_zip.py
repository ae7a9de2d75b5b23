"""Members of a zip: each is what zlib makes of it, wherever it lies and in whatever order it is read."""

from __future__ import annotations

import zipfile
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cog_oci.layers import _tar, _zip
from cog_oci.layers._zip import DamagedWheelError, Member, open_zip

contents = st.one_of(
    st.binary(max_size=200),
    st.integers(0, 5000).map(lambda size: b"ab" * size),
    st.integers(0, 3000).map(lambda size: bytes(number * number % 251 for number in range(size))),
)


class Bytes:
    """A file in memory."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, start: int, size: int) -> bytes:
        return self._data[start : start + size]


def member(stream: bytes, content: bytes) -> Member:
    info = zipfile.ZipInfo("file")
    info.compress_type, info.CRC = zipfile.ZIP_DEFLATED, zlib.crc32(content)
    return Member("some.whl", info, _tar.Deflated(Bytes(stream), 0, len(stream), info.CRC), len(content))


def one_whole_stream(stream: bytes, content: bytes) -> bool:
    """Whether this is a deflate stream of the content and nothing more, as zlib has it."""
    inflate = zlib.decompressobj(-15)
    try:
        return inflate.decompress(stream) == content and inflate.eof and not inflate.unused_data
    except zlib.error:
        return False


@settings(max_examples=200)
@given(contents, st.sampled_from([0, 1, 6]), st.sampled_from([1, 7, 64, 1000]), st.sampled_from([1, 3, 50]), st.data())
def test_a_member_is_inflated_exactly_when_it_is_one_whole_stream(content, level, chunk, piece, data):
    compress = zlib.compressobj(level, zlib.DEFLATED, -15)
    whole = compress.compress(content) + compress.flush()
    stream = data.draw(
        st.one_of(
            st.just(whole),
            st.binary(min_size=1, max_size=12).map(lambda behind: whole + behind),
            st.integers(0, len(whole) - 1).map(lambda end: whole[:end]),
        )
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_zip, "_CHUNK", chunk)
        patch.setattr(_tar, "_SLICE", piece)
        try:
            made = b"".join(member(stream, content).chunks())
        except DamagedWheelError:
            made = None

    assert made == (content if one_whole_stream(stream, content) else None)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.one_of(contents, st.integers(60_000, 70_000).map(bytes)), min_size=1, max_size=12), st.randoms())
def test_members_are_the_same_in_whatever_order_they_are_read(tmp_path_factory, files, order):
    path = tmp_path_factory.mktemp("zip") / "some.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for number, content in enumerate(files):
            archive.writestr(f"folder/{number}", content, order.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))
    with open_zip(path, "some.whl") as members:
        asked = list(enumerate(members)) * 2
        order.shuffle(asked)
        made = [(number, b"".join(one.chunks()), b"".join(one.stream.slices())) for number, one in asked]

    raw = path.read_bytes()
    for number, content, stream in made:
        assert content == files[number]
        assert stream in raw
    assert len(made) == 2 * len(files)
