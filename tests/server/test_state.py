"""Laws of predictions: one terminal state whatever happens, no slot lost, no slot given twice."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cog_oci.sdk.cog._wire import Cancel, Done, Log, Metric, Output, Predict
from cog_oci.server.prediction import Prediction, Started
from cog_oci.server.predictions import AtCapacityError, DuplicateError, Predictions, UnavailableError

events = st.one_of(
    st.just(Started()),
    st.builds(Log, st.just("x"), st.just("stdout"), st.text(max_size=3)),
    st.builds(Output, st.just("x"), st.integers()),
    st.builds(
        Metric, st.just("x"), st.sampled_from("ab"), st.sampled_from(["replace", "increment", "delete"]), st.just(1)
    ),
    st.builds(
        Done,
        st.just("x"),
        st.sampled_from(["succeeded", "failed", "canceled"]),
        st.floats(0, 9),
        st.integers(),
        st.booleans(),
    ),
)


@given(st.lists(events, max_size=12))
def test_a_prediction_reaches_one_terminal_state_and_stays_there(sequence):
    prediction = Prediction("x", {}, {})
    heard = []
    prediction.listen(lambda _, event: heard.append(event))
    final = None
    for event in sequence:
        prediction.apply(event)
        if final is None and isinstance(event, Done):
            final = prediction.answer()
        assert prediction.status.terminal is (final is not None)
    ends = [event for event in sequence if isinstance(event, Done)]
    assert [event for event in heard if isinstance(event, Done)] == ends[:1]
    if final is not None:
        assert prediction.answer() == final
        assert final["status"] == ends[0].status
        assert heard[-1] is ends[0]


steps = st.lists(st.sampled_from(["start", "end", "cancel", "crash", "wait"]), max_size=25)


@settings(max_examples=60, deadline=None)
@given(steps, st.integers(1, 3))
def test_no_slot_is_lost_or_given_twice(sequence, slots):
    asyncio.run(_play(sequence, slots))


async def _play(sequence, slots):
    sent: list = []
    predictions = Predictions("not yet")
    predictions.open(slots, sent.append)
    tasks = []
    running: list[str] = []
    for number, step in enumerate(sequence):
        if step == "start":
            tasks.append(asyncio.create_task(predictions.start(str(number), {}, {})))
        elif step == "end" and running:
            predictions.handle(Done(running.pop(0), "succeeded", 0.0))
        elif step == "cancel" and tasks:
            tasks[-1].cancel()
        elif step == "crash":
            predictions.close("crashed", "Worker crashed")
            predictions.open(slots, sent.append)
            running.clear()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        running += [message.id for message in sent if isinstance(message, Predict)]
        sent.clear()
        assert len(running) <= slots
    for identity in running:
        predictions.handle(Done(identity, "succeeded", 0.0))
    await asyncio.gather(*tasks, return_exceptions=True)
    running = [message.id for message in sent if isinstance(message, Predict)]
    for identity in running:
        predictions.handle(Done(identity, "succeeded", 0.0))
    assert not predictions.busy
    assert await predictions.drain(1)
    predictions.open(slots, sent.append)
    fresh = [await predictions.start(f"fresh {number}", {}, {}) for number in range(slots)]
    assert all(prediction.status == "processing" for prediction in fresh)


async def test_who_waits_for_a_slot_gets_it_when_it_is_free():
    predictions = Predictions("not yet")
    predictions.open(1, lambda _: None)
    await predictions.start("first", {}, {})
    second = asyncio.create_task(predictions.start("second", {}, {}))
    await asyncio.sleep(0)
    predictions.handle(Done("first", "succeeded", 0.0))
    assert predictions.busy, "the slot was handed on, not put back"
    assert (await second).status == "processing"


async def test_a_model_that_stays_busy_is_at_capacity():
    predictions = Predictions("not yet")
    predictions.open(1, lambda _: None)
    await predictions.start("first", {}, {})
    with pytest.raises(AtCapacityError):
        await predictions.start("second", {}, {})
    assert predictions.get("second") is None


async def test_a_prediction_that_waits_can_be_cancelled():
    sent: list = []
    predictions = Predictions("not yet")
    predictions.open(1, sent.append)
    await predictions.start("first", {}, {})
    second = asyncio.create_task(predictions.start("second", {}, {}))
    await asyncio.sleep(0)
    assert predictions.cancel("second")
    assert (await second).status == "canceled"
    assert [type(message) for message in sent] == [Predict]
    assert predictions.cancel("first")
    assert sent[-1] == Cancel("first")


async def test_an_id_in_flight_is_not_taken_twice():
    predictions = Predictions("not yet")
    predictions.open(2, lambda _: None)
    first = await predictions.start("same", {}, {})
    with pytest.raises(DuplicateError) as caught:
        await predictions.start("same", {}, {})
    assert caught.value.prediction is first


async def test_without_a_worker_nothing_starts():
    predictions = Predictions("not yet")
    with pytest.raises(UnavailableError, match="not yet"):
        await predictions.start(None, {}, {})
