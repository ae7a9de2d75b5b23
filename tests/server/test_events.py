"""Server-sent events: whole, in order, for readers that come late, come back, or are slow."""

from __future__ import annotations

import json
import socket
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cog_oci.sdk.cog._wire import Done, Log, Output
from cog_oci.server.events import EventLog
from cog_oci.server.prediction import Prediction, Refused, Request
from tests.server.live import PATIENCE, live_server

EVENTS = {"Accept": "text/event-stream"}


@pytest.fixture(scope="module")
def streaming():
    with live_server("streaming") as server:
        yield server


def parse(text):
    """(id, event, data) of each block."""
    events = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if line and not line.startswith(":"))
        if fields:
            events.append((int(fields.get("id", 0)), fields["event"], json.loads(fields["data"])))
    return events


def _stream(server, path="/predictions", method="POST", headers=None, **body):
    answer = server.request(method, path, body or None, headers={**EVENTS, **(headers or {})})
    assert answer.headers["Content-Type"] == "text/event-stream"
    assert answer.headers["Cache-Control"] == "no-cache"
    return parse(answer.text)


def test_a_stream_tells_everything_in_order(streaming):
    events = _stream(streaming, id="told", input={"n": 2})
    assert [name for _, name, _ in events] == ["start", *["log", "metric", "output"] * 2, "completed"]
    assert [number for number, _, _ in events] == list(range(1, len(events) + 1))
    assert [data for _, name, data in events if name == "output"] == [
        {"chunk": "c0 ", "index": 0},
        {"chunk": "c1 ", "index": 1},
    ]
    assert events[-1][2]["output"] == ["c0 ", "c1 "]
    assert events[-1][2]["status"] == "succeeded"


@pytest.mark.parametrize("stock", ["", "1"])
def test_a_reader_that_comes_back_goes_on_where_it_was(stock):
    with live_server("streaming", COG_HTTP_STOCK=stock) as server:
        whole = _stream(server, id="again", input={"n": 3})
        rest = _stream(server, "/predictions/again", "GET", {"Last-Event-ID": "4"})
        assert rest == whole[4:]
        assert _stream(server, "/predictions/again", "GET") == whole


def test_a_second_reader_of_a_prediction_that_runs_hears_all_of_it(streaming):
    streaming.post(
        "/predictions", {"id": "shared", "input": {"n": 3, "delay": 0.1}}, headers={"Prefer": "respond-async"}
    )
    events = _stream(streaming, "/predictions/shared", "PUT", input={"n": 3, "delay": 0.1})
    assert [data["chunk"] for _, name, data in events if name == "output"] == ["c0 ", "c1 ", "c2 "]


def _open(server, path, method, headers=None, **body):
    """A stream that goes on: its status and type have been read."""
    return server.request(method, path, body or None, headers={**EVENTS, **(headers or {})}, stream=True)


def test_d24_another_input_is_a_conflict_for_a_reader_too(streaming):
    streaming.post("/predictions", {"id": "mine", "input": {"hold": 60}}, headers={"Prefer": "respond-async"})
    answer = streaming.request("PUT", "/predictions/mine", {"input": {"hold": 59}}, headers=EVENTS)
    streaming.post("/predictions/mine/cancel")
    assert answer.status_code == 409
    assert "another input" in answer.json()["error"]


@pytest.mark.parametrize("stock", ["", "1"])
def test_a_prediction_goes_on_while_anybody_reads_whoever_has_started_it(stock):
    with live_server("streaming", COG_HTTP_STOCK=stock) as server:
        given = {"n": 1, "hold": 0.5}
        first = _open(server, "/predictions", "POST", id="both", input=given)
        second = _open(server, "/predictions/both", "PUT", input=given)
        first.close()
        assert parse(second.text)[-1][2]["status"] == "succeeded"


@pytest.mark.parametrize("stock", ["", "1"])
def test_who_waits_in_the_queue_reads_already(stock):
    """It hears at once that it does, and another reader that leaves is not the last."""
    with live_server("streaming", COG_MAX_QUEUE="1", COG_HTTP_STOCK=stock) as server:
        server.post("/predictions", {"id": "before", "input": {"hold": 60}}, headers={"Prefer": "respond-async"})
        waiting = _open(server, "/predictions", "POST", id="queued", input={"n": 1})
        assert waiting.headers["Content-Type"] == "text/event-stream"
        assert server.request("GET", "/predictions/before").json()["status"] == "processing"
        with _open(server, "/predictions/queued", "PUT", input={"n": 1}) as other:
            assert other.status_code == 200
        _open(server, "/predictions/queued", "PUT", input={"n": 2}).close()
        time.sleep(0.2)  # both have been missed by now
        server.post("/predictions/before/cancel")
        assert parse(waiting.text)[-1][2]["status"] == "succeeded"


def test_head_of_events_waits_for_none(streaming):
    streaming.post("/predictions", {"id": "long", "input": {"hold": 60}}, headers={"Prefer": "respond-async"})
    answer = streaming.request("HEAD", "/predictions/long", headers=EVENTS)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/event-stream")
    assert streaming.post("/predictions/long/cancel").status_code == 200  # on the same connection


def test_a_number_of_an_earlier_prediction_hides_nothing_of_this_one(streaming):
    streaming.post("/predictions", {"id": "anew", "input": {"n": 1, "hold": 0.2}}, headers={"Prefer": "respond-async"})
    events = _stream(streaming, "/predictions/anew", "PUT", {"Last-Event-ID": "99"})
    assert [name for _, name, _ in events] == ["start", "log", "metric", "output", "completed"]


def test_what_fails_midway_keeps_what_there_was(streaming):
    *_, (_, name, data) = _stream(streaming, input={"n": 3, "fail_at": 1})
    assert (name, data["status"], data["output"]) == ("completed", "failed", ["c0 "])


def test_who_hangs_up_cancels_what_it_has_started(streaming):
    port = int(streaming.url.rsplit(":", 1)[1])
    body = json.dumps({"id": "left", "input": {"n": 1, "hold": 30}}).encode()
    head = f"POST /predictions HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(head.encode() + body)
        assert b"event: start" in client.recv(1 << 16)
    end = time.monotonic() + PATIENCE
    while (answer := streaming.request("GET", "/predictions/left").json())["status"] == "processing":
        assert time.monotonic() < end
        time.sleep(0.02)
    assert answer["status"] == "canceled"


def test_a_model_that_does_not_stream_says_so():
    with live_server("plain") as server:
        answer = server.post("/predictions", {"input": {}}, headers=EVENTS)
        assert answer.status_code == 406
        assert "@cog.streaming" in answer.json()["error"]
        server.post("/predictions", {"id": "one", "input": {}})
        assert server.request("GET", "/predictions/one", headers=EVENTS).json() == answer.json()
        assert server.request("GET", "/predictions/none", headers=EVENTS).status_code == 404


def test_d22_a_reader_that_is_slower_than_the_history_is_told_and_gets_the_end():
    with live_server("streaming", COG_STREAM_HISTORY_CAPACITY="5") as server:
        server.post("/predictions", {"id": "long", "input": {"n": 20, "delay": 0.0}})
        (_, first, missing), *events = _stream(server, "/predictions/long", "GET")
        assert first == "error"
        assert missing["skipped"] == events[0][0] - 1
        assert events[-1][1] == "completed"
        assert len(events[-1][2]["output"]) == 20


def test_without_history_a_later_reader_gets_what_is_live():
    with live_server("streaming", COG_STREAM_HISTORY_CAPACITY="0") as server:
        whole = _stream(server, input={"n": 2})
        assert [name for _, name, _ in whole].count("output") == 2
        server.post("/predictions", {"id": "over", "input": {"n": 2}})
        assert [name for _, name, _ in _stream(server, "/predictions/over", "GET")] == ["completed"]


def test_readers_of_a_prediction_that_is_refused_are_told_and_let_go():
    prediction = Prediction("x", Request())
    log = EventLog(5)
    prediction.listen(log)
    chunks: list[bytes] = []
    ends: list[bool] = []
    stream = log.stream()
    stream._remind = lambda: None  # no loop, no reminders
    stream.open(prediction, chunks.append, lambda: ends.append(True))
    prediction.apply(Refused())
    assert [(name, data) for _, name, data in parse(b"".join(chunks).decode())] == [
        ("error", {"error": "At capacity - all prediction slots busy"})
    ]
    assert ends == [True]


items = st.lists(st.sampled_from([b"1", b'"a"\n"b"\n"c"']), max_size=12)


@given(items, st.integers(0, 30), st.integers(0, 40), st.integers(0, 12))
def test_whatever_a_reader_has_seen_it_gets_the_rest_once(outputs, capacity, seen, pause_at):
    """A reader that joins after `seen` and pauses for a while gets every later event that is kept, and the last."""
    prediction = Prediction("x", Request())
    log = EventLog(capacity)
    prediction.listen(log)
    prediction.start()
    chunks: list[bytes] = []
    ends: list[bool] = []
    stream = log.stream(seen)
    stream._remind = lambda: None  # no loop, no reminders
    stream.open(prediction, chunks.append, lambda: ends.append(True))
    for turn, lines in enumerate(outputs):
        if turn == pause_at:
            stream.pause()
        prediction.apply(Output(1, lines))
        prediction.apply(Log(1, "stdout", "x\n"))
    prediction.apply(Done(1, "succeeded", 0.1, streamed=True))
    stream.resume()
    events = parse(b"".join(chunks).decode())
    numbers = [number for number, name, _ in events if name != "error"]
    assert numbers == sorted(set(numbers))
    assert all(number > seen for number in numbers)
    if seen < log.count:
        assert events[-1][1] == "completed"
        skipped = sum(data["skipped"] for _, name, data in events if name == "error")
        assert len(numbers) + skipped == log.count - seen
    assert ends == [True]
