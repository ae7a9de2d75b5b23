"""Laws of the protocol: what is decoded is what was encoded, wherever the stream is cut."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cog_oci.sdk.cog import _wire

text = st.text(st.characters(exclude_categories=[]), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)
messages = st.one_of(
    st.builds(_wire.Predict, text, values, st.dictionaries(text, text, max_size=2)),
    st.builds(_wire.Cancel, text),
    st.just(_wire.CheckHealth()),
    st.just(_wire.Stop()),
    st.builds(_wire.Ready, st.integers(1, 99), st.booleans(), text),
    st.builds(_wire.SetupFailed, text, text),
    st.builds(_wire.Log, st.none() | text, text, text),
    st.builds(_wire.Output, text, values),
    st.builds(_wire.Metric, text, text, text, values),
    st.builds(
        _wire.Done,
        text,
        st.sampled_from(["succeeded", "failed", "canceled"]),
        st.floats(0, 1e6),
        values,
        st.booleans(),
        st.none() | text,
        st.none() | text,
    ),
    st.builds(_wire.Health, st.none() | text),
)


@given(st.lists(messages, max_size=5), st.integers(1, 40))
def test_decoding_undoes_encoding_however_the_stream_is_cut(sent, size):
    stream = b"".join(map(_wire.encode, sent))
    decoder = _wire.Decoder()
    received = [m for start in range(0, len(stream), size) for m in decoder.feed(stream[start : start + size])]
    assert received == sent
    assert [type(message) for message in received] == [type(message) for message in sent]


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_a_number_that_json_lacks_is_not_sent(number):
    with pytest.raises(ValueError, match="JSON"):
        _wire.encode(_wire.Output("x", number))


def test_a_message_of_another_version_is_named():
    body = b'["Nonsense"]'
    with pytest.raises(ValueError, match="Nonsense"):
        _wire.Decoder().feed(len(body).to_bytes(4, "big") + body)
