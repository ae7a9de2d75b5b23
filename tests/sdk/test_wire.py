"""Laws of the protocol: what is decoded is what was encoded, wherever the stream is cut."""

from __future__ import annotations

import json
import math
import struct
import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cog_oci.sdk.cog import _wire

text = st.text(st.characters(exclude_categories=[]), max_size=20)
number = st.integers(1, 2**64 - 1)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)
lines = st.builds(_wire.to_line, values)
messages = st.one_of(
    st.builds(
        _wire.Predict,
        number,
        text,
        st.dictionaries(text, text, max_size=2),
        st.binary(max_size=40),
        st.none() | text,
        st.none() | st.dictionaries(text, text, max_size=2),
    ),
    st.builds(_wire.Cancel, number),
    st.builds(_wire.Withdraw, number),
    st.builds(_wire.Kept, number),
    st.just(_wire.CheckHealth()),
    st.just(_wire.Stop()),
    st.builds(_wire.Hello, text),
    st.builds(_wire.Ready, st.integers(1, 99), st.booleans(), st.booleans()),
    st.builds(_wire.SetupFailed, text, text),
    st.builds(_wire.Log, st.just(0) | number, text, text),
    st.builds(_wire.Output, number, lines),
    st.builds(_wire.Metric, number, text, text, values),
    st.builds(
        _wire.Done,
        number,
        st.sampled_from(["succeeded", "failed", "canceled", "withdrawn"]),
        st.floats(0, 1e6),
        lines,
        st.booleans(),
        st.none() | text,
        st.none() | text,
        st.none() | text,
    ),
    st.builds(_wire.Predict, number, text, st.just({}), st.binary(max_size=40)),
    st.builds(_wire.Done, number, st.just("succeeded"), st.floats(0, 1e6), lines),
    st.builds(_wire.Health, st.none() | text),
)


@given(st.lists(messages, max_size=5), st.integers(1, 40))
def test_decoding_undoes_encoding_however_the_stream_is_cut(sent, size):
    stream = b"".join(map(_wire.encode, sent))
    decoder = _wire.Decoder()
    received = [m for start in range(0, len(stream), size) for m in decoder.feed(stream[start : start + size])]
    assert received == sent
    assert [type(message) for message in received] == [type(message) for message in sent]


@given(messages, messages)
def test_beside_a_large_body_everything_is_read_as_well(before, after):
    sent = [before, _wire.Predict(1, "large", {}, bytes(1 << 17)), after]
    assert _wire.Decoder().feed(b"".join(map(_wire.encode, sent))) == sent


@given(st.sampled_from([*range(16), 0x80, 0x81, 0x82]), st.binary(max_size=12) | lines, st.binary(max_size=4))
def test_what_is_no_frame_is_said_to_be_none(code, head, body):
    frame = struct.pack(">BQII", code, 1, len(head), len(body)) + head + body
    try:
        (message,) = _wire.Decoder().feed(frame)
    except ValueError:
        return
    assert type(message) in typing.get_args(_wire.Message)


@given(values)
def test_a_line_of_json_is_one_line_and_says_the_value(value):
    line = _wire.to_line(value)
    assert b"\n" not in line
    assert json.loads(line) == value


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_number_that_json_lacks_is_not_sent(value):
    with pytest.raises(ValueError, match="JSON"):
        _wire.to_line(value)
    with pytest.raises(ValueError, match="JSON"):
        _wire.encode(_wire.Metric(1, "x", "replace", value))


def test_a_message_of_another_version_is_named():
    frame = bytes([99]) + bytes(16)
    with pytest.raises(ValueError, match="99"):
        _wire.Decoder().feed(frame)
