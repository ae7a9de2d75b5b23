"""Predictions that run together, and are told apart again."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.server.live import PATIENCE, live_server


@pytest.fixture(scope="module")
def batches():
    with live_server("batches") as server:
        yield server


def _at_once(server, *inputs):
    with ThreadPoolExecutor(len(inputs)) as clients:
        return list(clients.map(lambda given: server.predict(**given), inputs))


def _together(server, *inputs):
    """Answers of one batch. On a busy machine, one that is sent with the others may come too late to be among them."""
    for _ in range(10):
        answers = _at_once(server, *inputs)
        if {answer["logs"] for answer in answers} == {f"batch of {len(inputs)}\n"}:
            break
    return answers


def test_predictions_that_come_together_run_together(batches):
    answers = _together(batches, *({"text": text, "number": 2} for text in "abcd"))
    assert [answer["output"] for answer in answers] == ["aa", "bb", "cc", "dd"]
    assert {answer["metrics"]["size"] for answer in answers} == {4}
    assert {answer["logs"] for answer in answers} == {"batch of 4\n"}


def test_one_alone_waits_for_others_only_so_long(batches):
    assert batches.predict(text="a")["output"] == "a"


def test_a_batch_is_never_larger_than_the_model_says(batches):
    answers = _at_once(batches, *({"text": text} for text in "abcdef"))
    assert [answer["output"] for answer in answers] == list("abcdef")
    assert max(answer["metrics"]["size"] for answer in answers) <= 4


def test_clients_see_a_model_of_one_input(batches):
    components = batches.request("GET", "/openapi.json").json()["components"]["schemas"]
    assert components["Input"]["properties"]["text"]["type"] == "string"
    assert components["Input"]["properties"]["number"]["default"] == 1
    assert components["Output"]["type"] == "string"
    assert batches.post("/predictions", {"input": {"text": ["a"]}}).status_code == 422


def test_a_batch_that_fails_fails_for_all_of_it(batches):
    answers = _together(batches, {"text": "a"}, {"text": "fail"})
    assert [answer["error"] for answer in answers] == ["ValueError: one is enough"] * 2


def test_an_output_that_is_missing_is_no_one_elses(batches):
    answer = batches.predict(text="short")
    assert answer["status"] == "failed"
    assert "an output for each of 1" in answer["error"]


def test_one_that_is_cancelled_leaves_the_others_alone(batches):
    with ThreadPoolExecutor(2) as clients:
        for wait in (0.5, 4, 16):  # longer where the machine was too busy to cancel it before it had ended
            kept = clients.submit(batches.predict, text="kept", wait=wait)
            path, body = "/predictions/gone", {"input": {"text": "gone", "wait": wait}}
            gone = clients.submit(requests.put, batches.url + path, json=body, timeout=PATIENCE)
            while batches.post(f"{path}/cancel").status_code != 200 and not gone.done():
                time.sleep(0.001)  # until it has come
            if (status := gone.result().json()["status"]) != "succeeded":
                break
        assert status == "canceled"
        assert kept.result()["output"] == "kept"


def test_a_coroutine_takes_batches_too():
    with live_server("async_batches") as server:
        answers = _at_once(server, *({"text": text} for text in "abcd"))
    assert sorted(answer["output"] for answer in answers) == [f"{text} of 4" for text in "abcd"]
