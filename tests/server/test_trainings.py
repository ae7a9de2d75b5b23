"""Servers that train, and trainings asked of those that do not."""

from __future__ import annotations

import pytest

from tests.server.live import live_server


@pytest.fixture(scope="module")
def trainer():
    with live_server("trainer", "--x-mode", "train", COG_TRAIN_TYPE_STUB="run.py:train") as server:
        yield server


@pytest.mark.parametrize("path", ["/trainings", "/predictions"])
def test_a_server_that_trains_calls_the_train_function(trainer, path):
    answer = trainer.post(path, {"input": {"n": 3}}).json()
    assert answer["logs"] == "training 3\n"
    assert answer["output"]["weights"].startswith("data:application/octet-stream;base64,")


@pytest.mark.parametrize("given", [5, True, "x", [1], {"n": 1, "unknown": 2}])
def test_an_input_of_any_kind_is_answered_where_no_document_says_what_it_is(trainer, given):
    answer = trainer.post("/trainings", {"input": given})
    assert answer.status_code == 200
    assert answer.json()["status"] == "failed"


def test_a_training_can_be_seen_and_is_cancelled_by_its_id(trainer):
    trainer.request("PUT", "/trainings/long", {"input": {"n": 1, "seconds": 30}}, headers={"Prefer": "respond-async"})
    assert trainer.request("GET", "/trainings/long").json()["status"] == "processing"
    assert trainer.post("/trainings/long/cancel").status_code == 200
    trainer.wait_for("READY")
    assert trainer.request("GET", "/trainings/long").json()["status"] == "canceled"


def test_a_class_that_does_both_trains_in_a_server_that_trains():
    with live_server("both", "--x-mode", "train", COG_TRAIN_TYPE_STUB="run.py:Runner") as server:
        assert server.post("/trainings", {"input": {"text": "a"}}).json()["output"] == "trained a"
    with live_server("both") as server:
        assert server.predict(text="a")["output"] == "ran a"
