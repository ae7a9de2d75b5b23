"""Values of every kind out."""

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import io
import pathlib
import uuid
from typing import Any

from cog import BaseRunner


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


@dataclasses.dataclass
class Point:
    x: int
    y: Any = None


class Text(str):
    pass


class Runner(BaseRunner):
    def run(self, what: str) -> Any:
        return VALUES[what]()


def numbers():
    yield 1
    yield 2


VALUES = {
    "none": lambda: None,
    "true": lambda: True,
    "integer": lambda: 42,
    "big": lambda: 2**70,
    "large": lambda: 2**60,
    "real": lambda: 0.1,
    "whole real": lambda: 3.0,
    "tiny": lambda: 1e-300,
    "nan": lambda: float("nan"),
    "infinity": lambda: [float("inf"), -float("inf")],
    "text": lambda: "ünï 🎈\x00\n\"\\ \u2028",
    "subclass": lambda: Text("sub"),
    "surrogate": lambda: "\ud800",
    "bytes": lambda: b"bytes",
    "list": lambda: [1, "a", None, [2]],
    "tuple": lambda: (1, 2),
    "set": lambda: {1},
    "frozenset": lambda: frozenset({"a"}),
    "generator": numbers,
    "range": lambda: list(range(3)),
    "dict": lambda: {"a": {"b": [1]}},
    "integer keys": lambda: {1: "a", 2: "b"},
    "other keys": lambda: {None: 1, True: 2, 1.5: 3},
    "ordered": lambda: collections.OrderedDict(b=1, a=2),
    "named tuple": lambda: collections.namedtuple("P", "x y")(1, 2),
    "date": lambda: dt.date(2024, 2, 29),
    "moment": lambda: dt.datetime(2024, 2, 29, 12, 30, 1, 500),
    "aware moment": lambda: dt.datetime(2024, 2, 29, tzinfo=dt.timezone.utc),
    "time": lambda: dt.time(12, 30),
    "duration": lambda: dt.timedelta(seconds=90),
    "decimal": lambda: decimal.Decimal("1.5"),
    "fraction": lambda: fractions.Fraction(1, 2),
    "uuid": lambda: uuid.UUID(int=5),
    "enum": lambda: Colour.RED,
    "integer enum": lambda: Level.HIGH,
    "enum in a list": lambda: [Colour.RED],
    "dataclass": lambda: Point(1),
    "nested dataclass": lambda: {"p": Point(1, Point(2))},
    "pure path": lambda: pathlib.PurePosixPath("/nowhere/x.png"),
    "missing path": lambda: pathlib.Path("/nowhere/x.png"),
    "text stream": lambda: io.StringIO("text"),
    "byte stream": lambda: io.BytesIO(b"bytes"),
    "function": lambda: print,
    "class": lambda: Point,
    "object": lambda: object(),
    "exception": lambda: ValueError("returned"),
    "long": lambda: "x" * 1_000_000,
    "deep": lambda: [[[[[[[[[[1]]]]]]]]]],
}
