"""What is known of a function without `inspect`, beside what that says."""

from __future__ import annotations

import functools
import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cog_oci.sdk.cog._functions import MISSING, Parameter, is_asynchronous, parameters

SDK = Path(__file__).parents[2] / "cog_oci/sdk"


def by_inspect(function):
    """The same, with the standard library's means."""
    empty = inspect.Parameter.empty
    return [
        Parameter(p.name, Any if p.annotation is empty else p.annotation, MISSING if p.default is empty else p.default)
        for p in inspect.signature(function).parameters.values()
        if p.kind not in {p.VAR_KEYWORD, p.VAR_POSITIONAL}
    ]


NAMES = st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=8)


@st.composite
def signatures(draw):
    """The text between the parentheses of a `def`."""
    names = draw(NAMES)
    first, second = sorted((draw(st.integers(0, len(names))), draw(st.integers(0, len(names)))))
    with_defaults = draw(st.integers(0, second))
    parts = []
    for number, name in enumerate(names):
        note = draw(st.sampled_from(["", ": int", ": 'str'"]))
        has_default = number >= with_defaults if number < second else draw(st.booleans())
        parts.append(name + note + (f" = {number}" if has_default else ""))
        if number + 1 == first:
            parts.append("/")
    after = len(names) > second
    star = draw(st.sampled_from(["*args", "*"])) if after else draw(st.sampled_from(["*args", None]))
    if star:
        parts.insert(second + (1 if first else 0), star)
    if draw(st.booleans()):
        parts.append("**rest")
    return ", ".join(parts)


@given(signatures(), st.sampled_from(["def", "async def"]))
def test_the_parameters_of_a_function_are_those_that_inspect_finds(text, kind):
    names: dict[str, Any] = {}
    exec(f"{kind} f({text}): ...", names)

    assert parameters(names["f"]) == by_inspect(names["f"])
    assert is_asynchronous(names["f"]) == (kind == "async def")


@given(signatures())
def test_a_method_has_them_without_its_first(text):
    names: dict[str, Any] = {}
    exec(f"class C:\n  def f(self, {text}): ...\n  @staticmethod\n  def s({text}): ...", names)
    method = names["C"]().f

    assert parameters(method) == by_inspect(method)
    assert parameters(names["C"].s) == by_inspect(names["C"].s)


def plain(a: int, b=2): ...


@functools.wraps(plain)
def wrapped(*args, **kwargs): ...


class Callable:
    def __call__(self, x: str): ...

    def method(*args, y=1): ...

    @classmethod
    def of_class(cls, z): ...


class AsyncCallable:
    async def __call__(self, x): ...


@pytest.mark.parametrize(
    "odd",
    [wrapped, functools.partial(plain, 1), Callable(), Callable().method, Callable.of_class, lambda q, /, *, r=None: q],
    ids=["wrapped", "partial", "object", "self in *args", "classmethod", "lambda"],
)
def test_what_is_no_plain_function_has_those_that_inspect_finds(odd):
    assert parameters(odd) == by_inspect(odd)


def test_a_method_that_takes_nothing_is_the_error_that_inspect_makes_of_it():
    class Wrong:
        def run(): ...

    with pytest.raises(ValueError, match="invalid method signature"):
        parameters(Wrong().run)


def test_generators_and_partial_functions_are_asynchronous_where_python_says_so():
    async def generator():
        yield 1

    async def coroutine(): ...

    def ordinary():
        yield 1

    assert is_asynchronous(generator)
    assert is_asynchronous(functools.partial(coroutine))
    assert not is_asynchronous(ordinary)
    assert not is_asynchronous(AsyncCallable())
    assert not is_asynchronous(functools.partial(ordinary))


def test_a_worker_starts_without_what_few_models_need():
    script = "import sys; sys.path[0] = sys.argv[1]; import cog._worker; print(*sys.modules)"

    done = subprocess.run([sys.executable, "-S", "-c", script, SDK], capture_output=True, text=True, check=True)

    unwanted = {
        "asyncio",
        "dataclasses",
        "http",
        "inspect",
        "mimetypes",
        "shutil",
        "subprocess",
        "tempfile",
        "traceback",
    }
    assert unwanted.isdisjoint(done.stdout.split())
