"""Metrics: what may be recorded, and what is said about the rest. And the context of a request."""

from __future__ import annotations

from typing import Any

from tests.server.oracle.asked import Asked, Cases, post, run

__all__ = ["CASES"]


def _calls(*calls: list[Any]) -> Asked:
    return run(calls=list(calls))


NAMES = {
    "empty": "",
    "dot first": ".a",
    "dot last": "a.",
    "two dots": "a..b",
    "four segments": "a.b.c.d",
    "five segments": "a.b.c.d.e",
    "long": "a" * 128,
    "too long": "a" * 129,
    "underscore first": "_a",
    "underscore last": "a_",
    "two underscores": "a__b",
    "digit first": "1a",
    "digit of a segment": "a.1b",
    "digit last": "a1",
    "space": "a b",
    "hyphen": "a-b",
    "letter of another script": "ä",
    "reserved": "predict_time",
    "reserved prefix": "cog.x",
    "like the reserved prefix": "cogs",
    "prefix alone": "cog",
    "upper case": "Aa_B",
    "reserved below": "x.predict_time",
}

CASES: Cases = {
    "plain": {
        "metrics": post({"input": {"op": "metrics"}, "context": {"k": "v"}}),
        "retyped metric": run(op="retype"),
    },
    "metered": {
        **{f"metric name: {name}": _calls([text, 1]) for name, text in NAMES.items()},
        "metric: all types": _calls(["a", 1], ["b", 1.5], ["c", "x"], ["d", True], ["e", [1, "a"]], ["f", {"k": None}]),
        "metric: null": _calls(["a", None]),
        "metric: object": _calls(["a", "object"]),
        "metric: nan": _calls(["a", "nan"], ["b", 1]),
        "metric: replaced": _calls(["a", 1], ["a", 2]),
        "metric: text for a number": _calls(["a", 1], ["a", "x"]),
        "metric: float for an int": _calls(["a", 1], ["a", 1.5]),
        "metric: true for an int": _calls(["a", 1], ["a", True]),
        "metric: deleted and retyped": _calls(["a", 1], ["a", "delete"], ["a", "x"]),
        "metric: deleted": _calls(["a", 1], ["b", 2], ["a", "delete"]),
        "metric: deleted, not there": _calls(["a", "delete"]),
        "metric: increment": _calls(["a", 1, "increment"], ["a", 2, "incr"]),
        "metric: increment by a float": _calls(["a", 1, "increment"], ["a", 0.5, "increment"]),
        "metric: increment after replace": _calls(["a", 1], ["a", 2, "increment"]),
        "metric: increment by text": _calls(["a", "x", "increment"]),
        "metric: increment by true": _calls(["a", True, "increment"]),
        "metric: increment of text": _calls(["a", "x"], ["a", 1, "increment"]),
        "metric: append": _calls(["a", 1, "append"], ["a", "x", "append"]),
        "metric: append to a number": _calls(["a", 1], ["a", 2, "append"]),
        "metric: append a list": _calls(["a", [1], "append"], ["a", [2], "append"]),
        "metric: append to a list": _calls(["a", [1]], ["a", 2, "append"]),
        "metric: replace a list by a number": _calls(["a", 1, "append"], ["a", 2]),
        "metric: unknown mode": _calls(["a", 1, "zzz"]),
        "metric: nested": _calls(["t.a", 1], ["t.b", 2], ["u.v.w", 3]),
        "metric: nested in a value": _calls(["t", 1], ["t.a", 2]),
        "metric: value over nested": _calls(["t.a", 2], ["t", 1]),
        "metric: nested in an object": _calls(["t", {"b": 1}], ["t.a", 2]),
        "metric: by item": run(calls=[["a", 1], ["b.c", 2]], item=True),
        "metric: by item, retyped": run(calls=[["a", 1], ["a", "x"]], item=True),
        "metric: fails half way": _calls(["a", 1], ["_", 2]),
    },
    "context": {
        "context": post({"context": {"k": "v", "a": "b"}, "input": {}}),
        "no context": post({"input": {}}),
        "empty context": post({"context": {}, "input": {"key": "x"}}),
        "context with unicode": post({"context": {"ü": "🎈"}, "input": {"key": "ü"}}),
        "context of the one before": post({"input": {"key": "k"}}),
    },
    "function": {"metrics of a function": run(times=1)},
}
