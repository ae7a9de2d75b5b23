"""A model's own types, in inputs and in outputs."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Annotated, Optional

import pytest

from cog_oci.sdk.cog import Input, Opaque
from cog_oci.sdk.cog import coder as coder_module
from cog_oci.sdk.cog._inputs import Signature
from cog_oci.sdk.cog._outputs import to_json
from cog_oci.sdk.cog.coder import Coder


class Point:
    def __init__(self, x, y):
        self.x, self.y = x, y


@dataclass
class Range:
    low: int
    high: int


class Points(Coder):
    @staticmethod
    def factory(tpe):
        return Points() if tpe is Point else None

    def encode(self, x):
        return {"x": x.x, "y": x.y}

    def decode(self, x):
        return Point(x["x"], x["y"])


class Ranges(Coder):
    @staticmethod
    def factory(tpe):
        return Ranges() if tpe is Range else None

    def encode(self, x):
        return {"span": [x.low, x.high], "since": dt.date(2026, 1, 2)}

    def decode(self, x):
        return Range(*x["span"])


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setattr(coder_module, "_registered", [])
    Coder.register(Points)
    Coder.register(Ranges)


def test_an_output_is_what_its_coder_writes():
    assert to_json(Point(1, 2), 0) == {"x": 1, "y": 2}
    assert to_json({"a": [Point(1, Point(2, 3))]}, 0) == {"a": [{"x": 1, "y": {"x": 2, "y": 3}}]}


def test_a_coder_goes_before_what_a_type_would_be_otherwise():
    assert to_json(Range(1, 5), 0) == {"span": [1, 5], "since": "2026-01-02"}


def test_an_input_is_what_its_coder_reads(tmp_path):
    def run(
        a: Annotated[Point, Opaque],
        b: Annotated[Optional[Range], Opaque] = None,
        c: Annotated[list[Point], Opaque] = Input(default=[]),
        d: dict = Input(default={}),
    ):
        """Only its signature matters."""

    signature = Signature(run)
    given = signature.arguments(
        {"a": {"x": 1, "y": 2}, "b": {"span": [3, 4]}, "c": [{"x": 5, "y": 6}], "d": {"x": 7, "y": 8}}, tmp_path
    )
    assert (type(given["a"]), given["a"].y) == (Point, 2)
    assert given["b"] == Range(3, 4)
    assert [(type(each), each.x) for each in given["c"]] == [(Point, 5)]
    assert given["d"] == {"x": 7, "y": 8}


def test_the_coder_that_was_registered_last_is_used():
    class Short(Points):
        @staticmethod
        def factory(tpe):
            return Short() if tpe is Point else None

        def encode(self, x):
            return {"at": [x.x, x.y]}

    Coder.register(Short)
    assert to_json(Point(1, 2), 0) == {"at": [1, 2]}
    Coder.register(Points)
    assert to_json(Point(1, 2), 0) == {"x": 1, "y": 2}


def test_a_type_that_no_coder_takes_is_refused_as_before():
    assert Coder.lookup(object) is None
    with pytest.raises(TypeError, match="Object of type object is not JSON serializable"):
        to_json(object(), 0)


def test_a_coder_that_lacks_a_half_says_which():
    with pytest.raises(NotImplementedError, match=r"Coder must define encode\(\)"):
        Coder().encode(1)
    with pytest.raises(NotImplementedError, match=r"Coder must define decode\(\)"):
        Coder().decode({})
