"""What comes out of a model: values of all kinds, errors, logs."""

from __future__ import annotations

from tests.server.oracle.asked import Cases, run

__all__ = ["CASES"]

KINDS = (
    "none", "true", "integer", "big", "large", "real", "whole real", "tiny", "nan", "infinity", "text", "subclass",
    "surrogate", "bytes", "list", "tuple", "set", "frozenset", "generator", "range", "dict", "integer keys",
    "other keys", "ordered", "named tuple", "date", "moment", "aware moment", "time", "duration", "decimal", "fraction",
    "uuid", "enum", "integer enum", "enum in a list", "dataclass", "nested dataclass", "pure path", "missing path",
    "text stream", "byte stream", "function", "class", "object", "exception", "long", "deep",
)  # fmt: skip

CASES: Cases = {
    "returns": {f"returns: {kind}": run(what=kind) for kind in KINDS},
    "plain": {
        "hello": run(text="bob"),
        "failure": run(op="fail", text="bad thing"),
        "failure without text": run(op="fail"),
        "failure in unicode": run(op="fail", text="ünï\n🎈"),
        "exit": run(op="leave"),
        "unknown attribute": run(op="nonsense"),
        "none": run(op="quiet"),
        "all kinds of output": run(op="mixed"),
        "thread": run(op="threads"),
        "numbers": run(op="numbers"),
        "days": run(op="days"),
        "alien": run(op="alien"),
        "forked": run(op="fork"),
        "standard input": run(op="quiet"),
    },
    "structured": {
        "structured": run(),
        "structured: more": run(text="ü", n=3, maybe="yes"),
        "structured: no items": run(n=0),
    },
    "dictionary": {
        "dictionary": run(),
        "dictionary: several": run(keys=["b", "a", "ü"]),
        "dictionary: empty": run(keys=[]),
    },
    "tokens": {
        "tokens": run(),
        "no tokens": run(n=0),
        "failing tokens": run(fail_at=1),
        "failing at once": run(fail_at=0),
    },
    "iterator": {
        "iterator": run(n=3, delay=0),
        "iterator: nothing": run(n=0),
        "iterator: failing": run(fail_at=1),
    },
    "async": {
        "async": run(),
        "async: failing": run(fail=True),
    },
    "async tokens": {
        "async tokens": run(),
        "async tokens: none": run(n=0),
        "async tokens: failing": run(fail_at=1),
    },
    "several": {
        "several": run(name="x"),
        "several: failing": run(name="x", fail=True),
    },
}
