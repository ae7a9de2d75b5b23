"""Laws of predictions: one terminal state whatever happens, no slot lost, no slot given twice."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cog_oci.sdk.cog._wire import Cancel, Done, Kept, Log, Metric, Output, Predict, Withdraw
from cog_oci.server import predictions as predictions_module
from cog_oci.server.prediction import Prediction, Refused, Request, Started
from cog_oci.server.predictions import Predictions
from cog_oci.server.refusals import DuplicateError, UnavailableError

events = st.one_of(
    st.just(Started()),
    st.builds(Log, st.just(1), st.just("stdout"), st.text(max_size=3)),
    st.builds(Output, st.just(1), st.sampled_from([b"1", b'"a"\n"b"'])),
    st.builds(
        Metric, st.just(1), st.sampled_from("ab"), st.sampled_from(["replace", "increment", "delete"]), st.just(1)
    ),
    st.builds(
        Done,
        st.just(1),
        st.sampled_from(["succeeded", "failed", "canceled"]),
        st.floats(0, 9),
        st.sampled_from([b"null", b"[1]"]),
        st.booleans(),
    ),
)


@given(st.lists(events, max_size=12))
def test_a_prediction_reaches_one_terminal_state_and_stays_there(sequence):
    prediction = Prediction("x", Request())
    heard = []
    prediction.listen(lambda _, event: heard.append(event))
    final = None
    for event in sequence:
        prediction.apply(event)
        answer = json.loads(prediction.to_bytes())
        if final is None and isinstance(event, Done):
            final = answer
        assert prediction.status.terminal is (final is not None)
        assert answer == final or final is None
    ends = [event for event in sequence if isinstance(event, Done)]
    assert [event for event in heard if isinstance(event, Done)] == ends[:1]
    if final is not None:
        assert final["status"] == ends[0].status
        assert heard[-1] is ends[0]


_AHEAD = 8


@pytest.fixture(autouse=True, scope="module")
def few_ahead():
    """Fewer than a law has steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(predictions_module, "_AHEAD", _AHEAD)
        yield


class Workers:
    """What workers do: run what they are sent in its order, `slots` at a time, and obey."""

    def __init__(self, predictions, count, slots, ahead):
        self.predictions, self.slots, self.ahead = predictions, slots, ahead
        self.queues: dict[int, list[int]] = {}
        self.canceled: set[int] = set()
        self.said: list = []
        for worker in range(count):
            self.start(worker)

    def start(self, worker):
        if worker in self.queues:
            return
        self.queues[worker] = []
        self.predictions.open(worker, self.slots, lambda message: self.take(worker, message), ahead=self.ahead)

    def take(self, worker, message):
        queue = self.queues[worker]
        begun = queue[: self.slots]
        match message:
            case Predict():
                assert not any(message.number in other for other in self.queues.values()), "it is sent once"
                queue.append(message.number)
                assert len([each for each in queue if each not in self.canceled]) <= self.slots + _AHEAD * self.ahead
            case Cancel() if message.number in queue and message.number not in begun:
                self.canceled.add(message.number)
            case Withdraw() if message.number in queue and message.number not in begun:
                queue.remove(message.number)
                self.say(Done(message.number, "withdrawn", 0.0))
            case Withdraw() if message.number in begun:
                self.say(Kept(message.number))

    def say(self, event):
        """Soon: the server does not hear of it in the same moment."""
        self.said.append(event)

    def arrive(self):
        said, self.said = self.said, []
        for event in said:
            self.predictions.handle(event)

    def end(self, worker):
        if self.queues.get(worker):
            number = self.queues[worker].pop(0)
            self.say(Done(number, "canceled" if number in self.canceled else "succeeded", 0.0))

    def crash(self, worker):
        """It goes; its successor comes with `start`, then or later."""
        if worker not in self.queues:
            return
        self.arrive()
        del self.queues[worker]
        self.predictions.close(worker, "crashed", "Worker crashed", replaced=True)


steps = st.lists(
    st.tuples(st.sampled_from(["begin", "end", "cancel", "crash", "start", "wait", "arrive"]), st.integers(0, 2)),
    max_size=30,
)


@settings(max_examples=300, deadline=None)
@given(steps, st.integers(1, 3), st.integers(0, 2), st.integers(1, 3), st.booleans())
def test_no_slot_is_lost_or_given_twice(sequence, slots, queue, workers, ahead):
    asyncio.run(_play(sequence, slots, queue, workers, ahead))


async def _play(sequence, slots, queue, count, ahead):
    predictions = Predictions("not yet", queue=queue, grace=0.0)
    workers = Workers(predictions, count, slots, ahead)
    begun: list[Prediction] = []
    ends: dict[str, list] = {}

    def listen(prediction, event):
        if isinstance(event, (Done, Refused)):
            ends[prediction.id].append(event)

    def begin(identity):
        ends[identity] = []
        begun.append(predictions.begin(identity, Request(), (listen,)))
        return begun[-1]

    for turn, (step, which) in enumerate(sequence):
        if step == "begin" and workers.queues:
            begin(str(turn))
        elif step == "cancel":
            predictions.cancel(str(turn - 1 - which))
        elif step == "wait":
            await asyncio.sleep(0)
        elif step == "arrive":
            workers.arrive()
        elif step in {"start", "end", "crash"}:
            getattr(workers, step)(which % count)
        assert not _in_vain(predictions, workers, begun)
    for worker in range(count):
        workers.start(worker)
    while any(workers.queues.values()) or workers.said:
        for worker in workers.queues:
            workers.end(worker)
        workers.arrive()
    assert not predictions.busy
    assert (predictions.running, predictions.waiting) == (0, 0)
    assert all(len(heard) == 1 for heard in ends.values()), "every prediction ends, once"
    fresh = [begin(f"fresh {number}") for number in range(slots * count)]
    assert all(prediction.status == "processing" for prediction in fresh)


def _in_vain(predictions, workers, begun):
    """Who waits although a slot is free, where everything has been heard that workers have said."""
    if workers.said or predictions.busy or not workers.queues:
        return []
    return [each for each in begun if predictions.get(each.id) is each and not each.sent]


def _ready(slots=1, queue=0):
    sent: list = []
    predictions = Predictions("not yet", queue=queue)
    predictions.open("worker", slots, sent.append)
    return predictions, sent


async def test_who_waits_for_a_slot_gets_it_when_it_is_free():
    predictions, _ = _ready()
    first = predictions.begin("first", Request())
    second = predictions.begin("second", Request())
    assert second.status == "starting"
    predictions.handle(Done(first.number, "succeeded", 0.0))
    assert predictions.busy, "the slot was handed on, not put back"
    assert second.status == "processing"


async def test_a_model_that_stays_busy_is_at_capacity():
    predictions, _ = _ready()
    predictions.begin("first", Request())
    heard: asyncio.Queue = asyncio.Queue()
    predictions.begin("second", Request(), (lambda _, event: heard.put_nowait(event),))
    assert isinstance(await heard.get(), Refused)
    assert predictions.get("second") is None


async def test_where_slots_become_free_all_the_time_nobody_is_turned_away():
    predictions = Predictions("not yet", grace=0.05)
    predictions.open("worker", 1, lambda _: None)
    running = [predictions.begin(str(turn), Request()) for turn in range(10)]
    for prediction in running:
        assert prediction.status == "processing", "it waited longer than the grace, but others had their turn"
        await asyncio.sleep(0.02)
        predictions.handle(Done(prediction.number, "succeeded", 0.0))


async def test_what_was_sent_ahead_is_withdrawn_when_its_moment_is_over():
    sent: list = []
    predictions = Predictions("not yet", grace=0.0)
    predictions.open("worker", 1, sent.append, ahead=True)
    predictions.begin("first", Request())
    heard: asyncio.Queue = asyncio.Queue()
    second = predictions.begin("second", Request(), (lambda _, event: heard.put_nowait(event),))
    await asyncio.sleep(0.01)
    assert [type(message) for message in sent] == [Predict, Predict, Withdraw]
    assert heard.empty(), "its worker may have begun it, and has not said"
    predictions.handle(Done(second.number, "withdrawn", 0.0))
    assert isinstance(await heard.get(), Refused)


async def test_what_has_begun_by_then_is_not_withdrawn():
    predictions = Predictions("not yet", grace=0.0)
    predictions.open("worker", 1, lambda _: None, ahead=True)
    first = predictions.begin("first", Request())
    second = predictions.begin("second", Request())
    await asyncio.sleep(0.01)
    predictions.handle(Done(first.number, "succeeded", 0.0))
    assert second.status == "starting", "its worker has been asked to leave it out, and has not said whether it could"
    predictions.handle(Kept(second.number))
    assert second.status == "processing"
    predictions.handle(Done(second.number, "succeeded", 0.0))
    assert second.status == "succeeded"


async def test_who_is_cancelled_while_it_is_withdrawn_keeps_nobody_waiting():
    predictions = Predictions("not yet", grace=0.0)
    predictions.open("worker", 1, lambda _: None, ahead=True)
    first, _ = (predictions.begin(name, Request()) for name in ("first", "second"))
    await asyncio.sleep(0.01)
    predictions.handle(Done(first.number, "succeeded", 0.0))
    third = predictions.begin("third", Request())
    assert predictions.cancel("second")
    assert third.status == "processing"


async def test_who_is_in_the_queue_waits_for_as_long_as_it_takes():
    predictions, _ = _ready(queue=1)
    first = predictions.begin("first", Request())
    second = predictions.begin("second", Request())
    assert predictions.queued(second)
    assert not predictions.queued(predictions.begin("third", Request()))
    await asyncio.sleep(0.3)
    assert predictions.get("third") is None
    predictions.handle(Done(first.number, "succeeded", 0.0))
    assert second.status == "processing"


async def test_a_prediction_that_waits_can_be_cancelled():
    predictions, sent = _ready()
    first = predictions.begin("first", Request())
    second = predictions.begin("second", Request())
    assert predictions.cancel("second")
    assert second.status == "canceled"
    assert [type(message) for message in sent] == [Predict]
    assert predictions.cancel("first")
    assert sent[-1] == Cancel(first.number)


async def test_an_id_in_flight_is_not_taken_twice():
    predictions, _ = _ready(slots=2)
    first = predictions.begin("same", Request())
    with pytest.raises(DuplicateError) as caught:
        predictions.begin("same", Request())
    assert caught.value.prediction is first


async def test_d26_what_has_ended_can_be_seen_for_a_while():
    predictions, _ = _ready()
    first = predictions.begin("same", Request())
    predictions.handle(Done(first.number, "succeeded", 0.0))
    assert predictions.get("same") is None
    assert predictions.recent.get("same") is first
    for turn in range(1000):
        other = predictions.begin(str(turn), Request())
        predictions.handle(Done(other.number, "succeeded", 0.0))
    assert predictions.recent.get("same") is None


async def test_without_a_worker_nothing_starts():
    predictions = Predictions("not yet")
    with pytest.raises(UnavailableError, match="not yet"):
        predictions.begin(None, Request())


async def test_the_queue_outlives_a_worker_that_is_replaced():
    predictions, _ = _ready(queue=1)
    running, queued, hopeful = (predictions.begin(name, Request()) for name in ("running", "queued", "hopeful"))
    predictions.close("worker", "crashed", "Worker crashed", replaced=True)
    assert [each.status for each in (running, queued, hopeful)] == ["failed", "starting", "failed"]
    predictions.open("its successor", 1, lambda _: None)
    assert queued.status == "processing"


def _crashed():
    """One in the queue of a server whose only worker is being replaced."""
    predictions, _ = _ready(queue=1)
    _, queued = (predictions.begin(name, Request()) for name in ("running", "queued"))
    predictions.close("worker", "crashed", "Worker crashed", replaced=True)
    return predictions, queued


async def test_the_queue_ends_with_a_worker_that_is_given_up():
    predictions, queued = _crashed()
    predictions.close("worker", "could not be started again", "Worker crashed")
    assert (queued.status, queued.error) == ("failed", "Worker crashed, before its turn")


async def test_the_queue_waits_for_a_worker_that_comes_again_when_another_one_is_given_up():
    predictions, queued = _crashed()
    predictions.close("other", "could not be started again", "Worker crashed")
    assert (queued.status, predictions.unavailable) == ("starting", "crashed")
    predictions.open("worker", 1, lambda _: None)
    assert queued.status == "processing"


async def test_with_another_worker_left_what_waits_goes_on_waiting():
    predictions, _ = _ready()
    predictions.open("other", 1, lambda _: None)
    running = [predictions.begin(str(turn), Request()) for turn in range(2)]
    waiting = predictions.begin("waiting", Request())
    predictions.close("worker", "crashed", "Worker crashed")
    assert sorted(prediction.status for prediction in running) == ["failed", "processing"]
    assert waiting.status == "starting"
    assert predictions.unavailable is None


async def test_a_worker_that_comes_up_takes_nothing_that_another_one_has_been_sent():
    sent: dict[str, list[int]] = {"first": [], "second": []}
    predictions = Predictions("not yet")
    predictions.open("first", 1, lambda message: sent["first"].append(message.number), ahead=True)
    asked = [predictions.begin(str(turn), Request()) for turn in range(_AHEAD + 3)]
    predictions.open("second", 1, lambda message: sent["second"].append(message.number), ahead=True)
    numbers = [prediction.number for prediction in asked]
    assert sent == {"first": numbers[: _AHEAD + 1], "second": [numbers[_AHEAD + 1]]}
    predictions.handle(Done(numbers[_AHEAD + 1], "succeeded", 0.0))
    predictions.handle(Done(numbers[0], "succeeded", 0.0))
    assert sent == {"first": numbers[: _AHEAD + 1], "second": numbers[_AHEAD + 1 :]}
    assert [prediction.status for prediction in asked[:2]] == ["succeeded", "processing"]


async def test_what_waited_at_a_worker_that_goes_is_given_to_one_that_is_free():
    predictions = Predictions("not yet", queue=1)
    predictions.open("first", 1, lambda _: None, ahead=True)
    running, waiting = (predictions.begin(name, Request()) for name in ("running", "waiting"))
    predictions.open("second", 1, lambda _: None, ahead=True)
    assert waiting.status == "starting", "the first worker has it already"
    predictions.close("first", "crashed", "Worker crashed", replaced=True)
    assert (running.status, waiting.status) == ("failed", "processing")


async def test_a_moment_that_was_over_at_a_worker_that_goes_is_over_at_another_that_is_busy():
    predictions = Predictions("not yet", grace=0.0)
    predictions.open("first", 1, lambda _: None, ahead=True)
    predictions.begin("running", Request())
    heard: list = []
    predictions.begin("waiting", Request(), (lambda _, event: heard.append(event),))
    await asyncio.sleep(0.01)
    predictions.open("second", 1, lambda _: None)
    predictions.begin("running too", Request())
    assert not heard, "the first worker has been asked to leave it out, and has not said whether it could"
    predictions.close("first", "crashed", "Worker crashed", replaced=True)
    assert heard == [Refused()]


async def test_those_that_wait_at_one_worker_keep_nobody_from_another_that_is_free():
    predictions = Predictions("not yet")
    predictions.open("first", 1, lambda _: None, ahead=True)
    for name in ("running", "waiting"):
        predictions.begin(name, Request())
    predictions.open("second", 1, lambda _: None, ahead=True)
    assert predictions.begin("new", Request()).status == "processing"
