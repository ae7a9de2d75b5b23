"""Inputs: types, limits, choices, defaults and what is said when they do not fit."""

from __future__ import annotations

from typing import Any

from tests.server.oracle.asked import Asked, Cases, post, run

__all__ = ["CASES"]


def _typed(**given: Any) -> Asked:
    """Cog shares mutable defaults between predictions, so the list is given."""
    return run(**{"strings": ["x"], **given})


def _needed(**given: Any) -> Asked:
    return run(**{"needed": "a", **given})


CASES: Cases = {
    "types": {
        "types": run(),
        "types again": run(),
        "whole float": _typed(i=3.0),
        "int for float": _typed(f=1),
        "given null": _typed(maybe=None),
        "unknown field": _typed(nonsense=1),
        "secret among others": _typed(secret="hush"),
        "not a string": _typed(s=5),
        "several problems": _typed(choice="q", f="x", i=0),
        "too much": _typed(i=11),
        "not whole": _typed(i=3.5),
        "boolean for int": _typed(i=True),
        "int for boolean": _typed(b=1),
        "text for boolean": _typed(b="true"),
        "null for boolean": _typed(b=None),
        "text for int": _typed(i="3"),
        "text for float": _typed(f="0.5"),
        "true for float": _typed(f=True),
        "too short": _typed(s="a"),
        "too long": _typed(s="abcdef"),
        "no match": _typed(s="ABC"),
        "short and no match": _typed(s="A"),
        "null string": _typed(s=None),
        "object for a string": _typed(s={"a": 1}),
        "list for a string": _typed(s=["a"]),
        "unicode in a problem": _typed(s="ünï 🎈"),
        "null choice": _typed(choice=None),
        "item of another type": _typed(strings=["a", 5]),
        "items of other types": _typed(strings=[None, 1.5, {}]),
        "text for a list": _typed(strings="a"),
        "null for a list": _typed(strings=None),
        "empty list": _typed(strings=[]),
        "object of another type": _typed(things=[]),
        "object": _typed(things={"a": [1, {"b": None}]}),
        "input is a list": post({"input": []}),
        "input is text": post({"input": "x"}),
        "input is a number": post({"input": 5}),
        "input is true": post({"input": True}),
        "big integer": _typed(i=10**20),
        "big float": _typed(f=1e300),
        "small exponent": _typed(f=1e-7),
        "negative zero": _typed(f=-0.0),
    },
    "limits": {
        "limits: defaults": run(),
        "limits: least": run(whole=-3, low=2, real=0.25, text="a"),
        "limits: most": run(whole=10, high=2**40, real=1.5, text="abcd"),
        "limits: too little": run(whole=-4, low=1, real=0.2, text=""),
        "limits: too much": run(whole=11, high=2**40 + 1, real=1.51, text="abcde"),
        "limits: characters are counted, not bytes": run(text="🎈🎈🎈🎈"),
        "limits: too many characters": run(text="🎈🎈🎈🎈🎈"),
        "limits: pattern": run(code="z-9"),
        "limits: pattern does not match": run(code="z-99"),
        "limits: line after the pattern": run(code="z-9\n"),
        "limits: digit of another script": run(code="z-\u0665"),
        "limits: great float": run(real=1e30),
        "limits: whole number too great": run(whole=2**63),
        "limits: whole float for a limited int": run(whole=4.0),
        "limits: negative": run(whole=-2, high=-(2**62)),
        "limits: lists": run(numbers=[3, 4.0], texts=["a", "ü"], reals=[1, 2.5], flags=[]),
        "limits: lists of other things": run(numbers=["1"], texts=[1], reals=["x"], flags=[0]),
        "limits: list that is an object": run(numbers={"0": 1}),
        "limits: ten problems": run(numbers=list("abcdefghij")),
    },
    "optional": {
        "optional: only what is needed": run(needed="x"),
        "optional: nothing": run(),
        "optional: null for what is needed": run(needed=None),
        "optional: all": run(needed="x", a=1, b="b", c=0.5, d=True, e=["e"], f="f", g="y"),
        "optional: nulls": run(needed="x", a=None, b=None, c=None, d=None, e=None, f=None, g=None),
        "optional: wrong types": run(needed="x", a="1", b=2, c="x", d=0, e="e", f=1),
        "optional: below the limit": run(needed="x", c=-1),
        "optional: no choice": run(needed="x", g="z"),
        "optional: item is null": run(needed="x", e=[None]),
    },
    "unions": {
        "unions: defaults": run(),
        "unions: first": run(either=5, number=2, listed=["a"]),
        "unions: second": run(either="five", number=2.5, listed="a"),
        "unions: neither": run(either=[1]),
        "unions: true": run(either=True),
        "unions: whole float": run(number=2.0),
        "unions: wrong list": run(listed=[1]),
        "unions: anything null": run(anything=None),
        "unions: anything": run(anything={"a": [1, None, 2.5]}),
        "unions: object": run(thing={"a": {}}),
        "unions: no object": run(thing="x"),
    },
    "enums": {
        "choices: all": run(colour="green", size=4, needed="b"),
        "choices: defaults": run(needed="a"),
        "choices: missing": run(),
        "choices: none of them": _needed(colour="blue"),
        "choices: other letters": _needed(colour="Red"),
        "choices: number": _needed(size=3),
        "choices: text for a number": _needed(size="1"),
        "choices: whole float": _needed(size=2.0),
        "choices: true for a number": _needed(size=True),
        "choices: null": _needed(size=None),
    },
    "secrets": {
        "secret": run(one="hush"),
        "secrets": run(one="hush", maybe="more"),
        "empty secret": run(one=""),
        "secret of another type": run(one=5),
        "null secret": run(one=None),
        "secret missing": run(),
    },
    "typed dict": {
        "typed dict": run(point={"x": 1, "y": 2.5}),
        "typed dict: whole float": run(point={"x": 1.0, "y": 2}),
        "typed dict: missing": run(point={"x": 1}),
        "typed dict: more": run(point={"x": 1, "y": 2, "z": 3}),
        "typed dict: wrong type": run(point={"x": "a", "y": 2}),
        "typed dict: no object": run(point=[1, 2]),
        "typed dict: list": run(point={"x": 1, "y": 2}, points=[{"x": 3, "y": 4}]),
        "typed dict: wrong list": run(point={"x": 1, "y": 2}, points=[{"x": 3}]),
    },
}
