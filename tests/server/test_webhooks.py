"""What a webhook hears of a prediction, and in which order: a real server receives it."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import socket

import pytest

from cog_oci.sdk.cog._wire import Log, Metric, Output
from cog_oci.server.prediction import Refused, Started
from cog_oci.server.webhooks import Webhooks
from tests.receiver import Answer
from tests.server.live import event, live_server
from tests.server.stories import apply, bodies, done, prediction


def _brief(body):
    return body["status"], body.get("output"), body["logs"]


async def test_an_iterators_items_are_told_one_by_one_between_the_start_and_the_end(hook, webhooks):
    it = prediction(webhooks, hook.url)
    items = [event for n in range(3) for event in (Log(1, "stdout", f"tick {n}\n"), Output(1, b'"c%d"' % n))]
    await apply(it, Started(), Metric(1, "m", "replace", 1), every=0.03)
    for n in range(3):
        await apply(it, *items[2 * n : 2 * n + 2])
        await asyncio.sleep(0.03)
    await apply(it, done(streamed=True))
    assert await webhooks.drain(10)
    told = bodies(hook)
    assert [_brief(body) for body in told] == [
        ("starting", None, ""),
        ("processing", ["c0"], "tick 0\n"),
        ("processing", ["c0", "c1"], "tick 0\ntick 1\n"),
        ("processing", ["c0", "c1", "c2"], "tick 0\ntick 1\ntick 2\n"),
        ("succeeded", ["c0", "c1", "c2"], "tick 0\ntick 1\ntick 2\n"),
    ]
    assert [body["metrics"] for body in told] == [{}, *[{"m": 1}] * 3, {"m": 1, "predict_time": 0.5}]
    assert ["started_at" in body for body in told] == [False, True, True, True, True]
    assert ["completed_at" in body for body in told] == [False, False, False, False, True]
    assert len({body["created_at"] for body in told}) == 1


@pytest.mark.parametrize(
    ("output", "items"),
    [("hello", [["hello"]]), ({"a": 1}, [[{"a": 1}]]), ([1, 2], [[1, 2]]), ("", [[""]]), ([], []), (None, [])],
)
async def test_an_output_that_comes_at_once_is_told_as_a_list_before_the_end_as_cog_does(hook, webhooks, output, items):
    await apply(prediction(webhooks, hook.url), Started(), done(output=json.dumps(output).encode()))
    assert await webhooks.drain(10)
    assert [_brief(body)[:2] for body in bodies(hook)] == [
        ("starting", None),
        *[("processing", item) for item in items],
        ("succeeded", output),
    ]
    assert all("predict_time" not in body["metrics"] for body in bodies(hook)[:-1])


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        (["start"], [("starting", None)]),
        (["output"], [("processing", ["a"]), ("processing", ["a", "b"])]),
        (["logs"], [("processing", None), ("processing", ["a", "b"])]),
        (["completed"], [("succeeded", ["a", "b"])]),
        (["start", "completed"], [("starting", None), ("succeeded", ["a", "b"])]),
        ([], []),
    ],
)
async def test_a_filter_chooses_events(hook, webhooks, events, expected):
    it = prediction(webhooks, hook.url, events)
    story = [Started(), Log(1, "stdout", "1\n"), Output(1, b'"a"'), Output(1, b'"b"'), Log(1, "stdout", "2\n")]
    await apply(it, *story, done(streamed=True), every=0.02)
    assert await webhooks.drain(10)
    assert [_brief(body)[:2] for body in bodies(hook)] == expected


async def test_d6_events_arrive_in_order_and_the_terminal_one_last_however_long_each_takes(hook, webhooks):
    chance = random.Random(6)
    hook.answer = lambda _: Answer(after=chance.random() * 0.02)
    it = prediction(webhooks, hook.url)
    await apply(it, Started())
    await apply(it, *[Output(1, b"%d" % n) for n in range(40)], every=0.002)
    await apply(it, done(streamed=True))
    assert await webhooks.drain(10)
    lengths = [len(body.get("output", [])) for body in bodies(hook)]
    assert lengths == sorted(lengths)
    assert [body["status"] for body in bodies(hook)] == ["starting", *["processing"] * (len(lengths) - 2), "succeeded"]


async def test_a_failed_prediction_is_told_with_its_error_its_logs_and_its_partial_output(hook, webhooks):
    it = prediction(webhooks, hook.url, ["completed"])
    await apply(it, Started(), Log(1, "stdout", "x\n"), Output(1, b"1"), done("failed", error="ValueError: no"))
    assert await webhooks.drain(10)
    (body,) = bodies(hook)
    assert (body["status"], body["error"], body["logs"], body["output"]) == ("failed", "ValueError: no", "x\n", [1])


async def test_of_a_prediction_that_has_never_been_nothing_is_told(hook, webhooks):
    await apply(prediction(webhooks, hook.url), Refused(), every=0.05)
    assert await webhooks.drain(10)
    assert hook.received == []


async def test_logs_are_throttled_and_what_was_printed_last_follows(hook):
    webhooks = Webhooks(interval=0.1, token=None)
    it = prediction(webhooks, hook.url, ["logs"])
    await apply(it, Started(), *[Log(1, "stdout", f"{n}") for n in range(5)])
    await asyncio.to_thread(hook.wait_for, 2)
    assert [body["logs"] for body in bodies(hook)] == ["0", "01234"]


async def test_the_terminal_event_takes_the_place_of_logs_that_were_held_back(hook, webhooks):
    it = prediction(webhooks, hook.url, ["start", "logs", "completed"])
    await apply(it, Started(), Log(1, "stdout", "a"), Log(1, "stdout", "b"), done("canceled"))
    assert await webhooks.drain(10)
    assert [(body["status"], body["logs"]) for body in bodies(hook)] == [("starting", ""), ("canceled", "ab")]


async def test_logs_that_were_held_back_are_told_at_the_end_to_who_hears_of_no_end(hook, webhooks):
    it = prediction(webhooks, hook.url, ["logs"])
    await apply(it, Started(), Log(1, "stdout", "a"), Log(1, "stdout", "b"), done("failed", error="no"))
    assert await webhooks.drain(10)
    assert [(body["status"], body["logs"], "error" in body) for body in bodies(hook)] == [
        ("processing", "a", False),
        ("processing", "ab", False),
    ]


async def test_without_an_interval_every_line_is_told(hook):
    webhooks = Webhooks(interval=0, token=None)
    it = prediction(webhooks, hook.url, ["logs"])
    await apply(it, *[Log(1, "stdout", f"{n}") for n in range(5)], done())
    assert await webhooks.drain(10)
    assert [body["logs"] for body in bodies(hook)] == ["0", "01", "012", "0123", "01234"]


async def test_a_receiver_that_cannot_keep_up_hears_of_the_latest_state_only(hook, webhooks, monkeypatch):
    monkeypatch.setattr("cog_oci.server.webhooks._PATIENCE", 0.1)
    hook.answer = lambda _: Answer(after=0.05)
    it = prediction(webhooks, hook.url)
    line = json.dumps("x" * 1000).encode()
    await apply(it, Started())
    for _ in range(20):
        await apply(it, *[Output(1, line)] * 250)  # in full, what they add up to is 12 GB
        await asyncio.sleep(0.005)
    await apply(it, done(streamed=True))
    assert await webhooks.drain(30)
    assert len(hook.received) < 30
    assert (bodies(hook)[-1]["status"], len(bodies(hook)[-1]["output"])) == ("succeeded", 5000)


async def test_a_slow_receiver_is_told_of_the_end_soon(hook, webhooks, monkeypatch):
    monkeypatch.setattr("cog_oci.server.webhooks._PATIENCE", 0.1)
    hook.answer = lambda _: Answer(after=0.05)
    it = prediction(webhooks, hook.url)
    await apply(it, Started(), *[Output(1, b"%d" % n) for n in range(15)], done(streamed=True))
    assert await webhooks.drain(10)
    assert len(hook.received) < 8
    assert bodies(hook)[-1]["status"] == "succeeded"


async def test_a_large_output_is_sent_once(hook, webhooks):
    await apply(prediction(webhooks, hook.url), Started(), done(output=json.dumps("x" * (2 << 20)).encode()))
    assert await webhooks.drain(10)
    assert [body["status"] for body in bodies(hook)] == ["starting", "succeeded"]


TRACE = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "tracestate": "a=b"}


def test_a_request_with_a_webhook_is_answered_and_told_of(hook, tokens):
    body = {"id": "w1", "input": {"n": 2}, "webhook": f"{hook.url}/x", "webhook_events_filter": ["start", "completed"]}
    answer = tokens.post("/predictions", body, headers=TRACE).json()
    start, end = (request.json() for request in hook.wait_for(2))
    assert (start["id"], start["status"], start["logs"], start["metrics"]) == ("w1", "starting", "", {})
    assert end == answer
    assert {name: hook.received[0].headers[name] for name in TRACE} == TRACE


def test_d7_a_server_that_is_told_to_end_delivers_what_is_pending_first(hook):
    answers = iter([Answer(500), Answer(503)])
    hook.answer = lambda _: next(answers, Answer())
    with live_server("plain") as server:
        body = {"input": {"op": "sleep", "seconds": 0.3}, "webhook": hook.url, "webhook_events_filter": ["completed"]}
        assert server.post("/predictions", body, headers={"Prefer": "respond-async"}).status_code == 202
        assert server.end() == 0
    assert [(body["status"], body["output"]) for body in bodies(hook)] == [("succeeded", "slept")] * 3


def test_the_end_does_not_wait_longer_for_a_receiver_that_hangs_than_it_may():
    with socket.create_server(("127.0.0.1", 0)) as silent, live_server("plain", COG_DRAIN_TIMEOUT="1") as server:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        server.post("/predictions", {"input": {}, "webhook": url, "webhook_events_filter": ["completed"]})
        assert server.end() == 0
        assert "before the webhooks of 1 prediction(s) have been sent" in server.log


def test_d6_a_worker_that_is_killed_ends_its_predictions_for_their_webhooks_too(hook):
    with live_server("plain") as server:
        worker = server.predict(op="pid")["output"]
        body = {"input": {"op": "sleep", "seconds": 60}, "webhook": hook.url}
        assert server.post("/predictions", body, headers={"Prefer": "respond-async"}).status_code == 202
        event(server, '"message": "begin"')
        os.kill(worker, signal.SIGKILL)
        end = next(body for body in _until_the_end(hook) if body["status"] == "failed")
        assert end["error"].startswith("Worker crashed: killed by SIGKILL")
        assert end["logs"] == "begin\n"
        server.wait_for("READY")
        server.post("/predictions", {"input": {}, "webhook": hook.url, "webhook_events_filter": ["completed"]})
        assert server.end() == 0
    assert bodies(hook)[-1]["output"] == "hello "


def test_a_canceled_prediction_is_told_of(hook, plain):
    body = {"id": "c1", "input": {"op": "sleep", "seconds": 60}, "webhook": hook.url}
    plain.post("/predictions", body, headers={"Prefer": "respond-async"})
    plain.wait_for("BUSY")
    assert plain.post("/predictions/c1/cancel").status_code == 200
    assert _until_the_end(hook)[-1]["status"] == "canceled"
    plain.wait_for("READY")


def _until_the_end(hook):
    """Everything that has been received, once the terminal event is there."""
    count = 1
    while (received := hook.wait_for(count)) and received[-1].json()["status"] in {"starting", "processing"}:
        count = len(received) + 1
    return bodies(hook)
