"""Files of an output that go elsewhere: from the request or the command line to the store and into the answer."""

from __future__ import annotations

import time

import pytest

from tests.receiver import Answer, receiver
from tests.server.live import assert_quick, live_server


@pytest.fixture
def store():
    with receiver() as it:
        yield it


@pytest.fixture(scope="module")
def default():
    """Where a server that is told on its command line puts files."""
    with receiver() as it:
        yield it


@pytest.fixture(scope="module")
def frames(default):
    with live_server("async_files", "--upload-url", f"{default.url}/all?key=1") as server:
        yield server


def test_d21_files_in_objects_go_where_the_request_says(files, store):
    trace = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
    body = {"id": "u/1", "input": {"text": "x"}, "output_file_prefix": f"{store.url}/up?sig=1"}
    output = files.post("/predictions", body, headers=trace).json()["output"]
    assert (output["made"], output["kept"]) == (f"{store.url}/up/made.png", f"{store.url}/up/kept.txt")
    assert sorted((it.target, it.body) for it in store.received) == [
        ("/up/kept.txt?sig=1", b"kept"),
        ("/up/made.png?sig=1", b"x"),
    ]
    assert all(it.headers["x-prediction-id"] == "u/1" for it in store.received)
    assert all(it.headers["traceparent"] == trace["traceparent"] for it in store.received)
    assert [path for path in files.temporary.rglob("*") if path.is_file()] == []


def test_a_request_that_does_not_say_gets_data_urls(files):
    assert files.predict(text="x")["output"]["made"].startswith("data:")


def test_an_upload_that_is_refused_fails_the_prediction(files, store):
    store.answer = lambda _: Answer(403)
    body = files.post("/predictions", {"input": {"text": "x"}, "output_file_prefix": store.url}).json()
    assert body["status"] == "failed"
    assert body["error"] == "Failed to upload output: upload returned status 403 Forbidden"


def test_files_of_an_iterator_go_where_the_command_line_says_one_by_one(frames, default):
    output = frames.post("/predictions", {"id": "frames", "input": {"files": 3}}).json()["output"]
    assert output == [f"{default.url}/all/frame{suffix}.txt" for suffix in ("", "-2", "-3")]
    sent = [it for it in default.received if it.headers["x-prediction-id"] == "frames"]
    assert [it.body for it in sent] == [b"0", b"1", b"2"]
    assert [it.target for it in sent] == [f"/all/frame{suffix}.txt?key=1" for suffix in ("", "-2", "-3")]


def test_the_request_counts_more_than_the_command_line(frames, store):
    body = {"input": {"files": 1}, "output_file_prefix": store.url}
    assert frames.post("/predictions", body).json()["output"] == [f"{store.url}/frame.txt"]


def test_a_slow_upload_keeps_no_other_prediction_waiting(frames, store):
    store.answer = lambda _: Answer(after=2)

    def beside() -> float:
        body = {"id": "slow", "input": {"files": 1}, "output_file_prefix": store.url}
        had = len(store.received)
        frames.post("/predictions", body, headers={"Prefer": "respond-async"})
        store.wait_for(had + 1)
        began = time.monotonic()
        assert frames.predict()["output"] == ["hello"]
        took = time.monotonic() - began
        code = frames.post("/predictions/slow/cancel").status_code
        assert code == 200 or took > 1.5  # it had ended by itself
        return took

    assert_quick(1.5, beside)
