"""Laws of the encoder between transplanted contents, with zlib as the judge."""

from __future__ import annotations

import zlib

from hypothesis import given, settings
from hypothesis import strategies as st

from cog_oci.layers._deflate import END, Headers, continued
from cog_oci.layers._tar import Bytes, Entry, header, padding

names = st.from_regex(r"[a-z]{1,9}(/[a-zé_.0-9]{1,40}){0,6}", fullmatch=True)
contents = st.one_of(st.binary(max_size=600), st.integers(0, 40_000).map(lambda size: b"ab" * (size // 2)))


def deflated(data: bytes, level: int = 6, strategy: int = zlib.Z_DEFAULT_STRATEGY) -> bytes:
    compress = zlib.compressobj(level, zlib.DEFLATED, -15, 9, strategy)
    return compress.compress(data) + compress.flush()


@given(st.lists(st.tuples(names, contents), min_size=1, max_size=8))
def test_headers_between_contents_inflate_to_the_tar(files):
    between, stream, plain = Headers(), bytearray(), bytearray()
    pad = b""
    for name, content in files:
        piece = pad + header(Entry(path=name, content=Bytes(content)))
        stream += between.block(piece)
        plain += piece
        joined = continued(deflated(content), len(content))
        assert joined is not None
        stream += joined[0]
        plain += content
        between.skip(len(content))
        pad = padding(len(content))
    stream += between.block(pad, final=True)
    plain += pad

    inflate = zlib.decompressobj(-15)
    assert inflate.decompress(bytes(stream)) == plain
    assert inflate.eof
    assert inflate.unused_data == b""


@given(st.binary(max_size=5000))
def test_any_bytes_between_contents_survive(data):
    assert zlib.decompress(Headers().block(data, final=True), -15) == data
    assert zlib.decompress(Headers().block(data) + END, -15) == data


@settings(max_examples=300)
@given(
    st.one_of(st.binary(max_size=3000), st.text(max_size=3000).map(str.encode)),
    st.sampled_from([0, 1, 6, 9]),
    st.sampled_from([zlib.Z_DEFAULT_STRATEGY, zlib.Z_FIXED, zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE]),
)
def test_a_stream_that_is_continued_still_makes_its_content_and_ends_on_a_byte(content, level, strategy):
    joined = continued(deflated(content, level, strategy), len(content))

    assert joined is not None
    stream, made = joined
    assert made == content
    after = zlib.decompressobj(-15)
    assert after.decompress(stream + deflated(b"and more")) == content + b"and more"
    assert after.eof


def test_a_stream_of_several_blocks_is_not_continued():
    compress = zlib.compressobj(6, zlib.DEFLATED, -15)
    stream = (
        compress.compress(b"one") + compress.flush(zlib.Z_FULL_FLUSH) + compress.compress(b"two") + compress.flush()
    )

    assert continued(stream, 6) is None


def test_a_stream_with_something_behind_it_is_not_continued():
    assert continued(deflated(b"content") + b"\x00", 7) is None
    assert continued(deflated(b"content"), 6) is None


@given(st.binary(min_size=1, max_size=200), st.data())
def test_a_stream_whose_spare_bits_are_not_zero_is_never_made_into_a_wrong_one(content, data):
    stream = bytearray(deflated(content, strategy=zlib.Z_FIXED))
    stream[-1] |= data.draw(st.sampled_from([0x80, 0xC0, 0x40]))

    joined = continued(bytes(stream), len(content))

    if joined is not None:
        assert zlib.decompress(joined[0] + deflated(b"tail"), -15) == bytes(joined[1]) + b"tail"


@given(st.binary(min_size=1, max_size=200), st.one_of(st.binary(min_size=1, max_size=40), st.binary().map(deflated)))
def test_whatever_lies_behind_a_stream_it_is_not_taken_for_a_part_of_it(content, behind):
    stream = deflated(content, strategy=zlib.Z_FIXED)

    for rest in (behind, b"\x00" + behind, b"\x00\x00\xff\xff" + behind, b"\x00\x00\x00\xff\xff" + behind):
        joined = continued(stream + rest, len(content))
        assert joined is None or zlib.decompress(joined[0] + deflated(b"tail"), -15) == content + b"tail"
