"""What marks on `run()` say, and when they cannot be meant."""

from __future__ import annotations

import pytest

from cog_oci.sdk import cog
from cog_oci.sdk.cog._decorators import Batching, batching, concurrent_max


def plain(): ...


async def coroutine(): ...


async def generator():
    yield 1


@pytest.mark.parametrize("decorator", [cog.streaming, cog.streaming(), cog.concurrent, cog.concurrent(), cog.batch])
def test_a_mark_leaves_the_function_as_it_is(decorator):
    def run(): ...

    assert decorator(run) is run


@pytest.mark.parametrize("function", [coroutine, generator])
def test_an_asynchronous_function_may_run_several_times_at_once(function):
    assert concurrent_max(cog.concurrent(max=5)(function)) == 5
    assert concurrent_max(cog.concurrent(function)) == 1


@pytest.mark.parametrize(
    ("use", "error", "text"),
    [
        (lambda: cog.concurrent(max=2)(plain), TypeError, r"greater than 1 requires an async function, plain\(\)"),
        (lambda: cog.concurrent(max="2"), TypeError, "must be an int, got str"),
        (lambda: cog.concurrent(max=True), TypeError, "must be an int, got bool"),
        (lambda: cog.concurrent(max=0), ValueError, "at least 1, got 0"),
        (lambda: cog.concurrent(3), TypeError, r"@concurrent or @concurrent\(max=...\)"),
        (lambda: cog.batch(max_size=0), ValueError, "at least 1, got 0"),
        (lambda: cog.batch(max_size=1.5), TypeError, "must be an int, got float"),
        (lambda: cog.batch(max_wait=-1), ValueError, "from 0 up, got -1"),
        (lambda: cog.batch(max_wait=float("nan")), ValueError, "from 0 up, got nan"),
        (lambda: cog.batch(max_wait="1"), TypeError, "number of seconds, got str"),
    ],
)
def test_a_number_that_is_none_is_refused_when_the_model_is_imported(use, error, text):
    with pytest.raises(error, match=text):
        use()


def test_a_batch_says_how_large_it_may_be_and_how_long_it_may_wait():
    assert batching(cog.batch(max_size=3, max_wait=1)(lambda: 1)) == Batching(3, 1.0)
    assert batching(lambda: 1) is None


@pytest.mark.parametrize("argument", ["default_factory"])
def test_a_default_is_no_factory(argument):
    with pytest.raises(TypeError, match=r"takes no default_factory, write the default itself"):
        cog.Input(**{argument: list})


def test_an_input_that_says_nothing_has_no_default():
    assert cog.Input() == cog.FieldInfo()
    assert cog.Input(default=None) != cog.FieldInfo()
