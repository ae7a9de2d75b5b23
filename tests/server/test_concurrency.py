"""An asynchronous model with several slots."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import requests

from tests.server.live import event, live_server


def _post(server, body, **options):
    return requests.post(f"{server.url}/predictions", json=body, timeout=20, **options)


def test_the_decorator_alone_gives_the_slots_and_what_is_too_much_is_told_so(several):
    began = time.monotonic()
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda n: _post(several, {"input": {"name": str(n), "seconds": 0.5}}), range(6)))
    assert time.monotonic() - began < 1.5
    assert sorted(answer.status_code for answer in answers) == [200] * 4 + [409] * 2


def test_logs_and_metrics_of_predictions_at_a_time_are_kept_apart(several):
    with ThreadPoolExecutor(4) as pool:
        bodies = list(pool.map(lambda n: _post(several, {"input": {"name": f"n{n}", "seconds": 0.2}}).json(), range(4)))
    for number, body in enumerate(bodies):
        name = f"n{number}"
        assert body["output"] == [f"{name} first", f"{name} last"]
        assert body["logs"] == f"begin {name}\nend {name}\n"
        assert body["metrics"]["name"] == name


def test_an_asynchronous_generator_streams(several):
    body = {"id": "flow", "input": {"name": "x", "seconds": 5}}
    assert several.post("/predictions", body, headers={"Prefer": "respond-async"}).status_code == 202
    end = time.monotonic() + 5
    while "output" not in (seen := several.request("PUT", "/predictions/flow", {}).json()):
        assert time.monotonic() < end
    assert seen["output"] == ["x first"]
    several.post("/predictions/flow/cancel")


def test_a_cancelled_coroutine_keeps_its_output_and_its_logs(several):
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(_post, several, {"id": "stop", "input": {"name": "x", "seconds": 10}})
        event(several, 'Starting prediction", "prediction_id": "stop')
        while "output" not in several.request("PUT", "/predictions/stop", {}).json():
            time.sleep(0.01)
        began = time.monotonic()
        several.post("/predictions/stop/cancel")
        body = answer.result().json()
    assert time.monotonic() - began < 0.5
    assert (body["status"], body["output"], body["logs"]) == ("canceled", ["x first"], "begin x\n")


def test_a_failure_in_the_middle_keeps_what_came_before(several):
    body = several.predict(name="x", fail=True)
    assert (body["status"], body["error"], body["output"]) == ("failed", "RuntimeError: mid", ["x first"])


def test_the_variable_wins_over_the_decorator():
    with live_server("several", COG_MAX_CONCURRENCY="1") as server, ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: _post(server, {"input": {"seconds": 0.3}}).status_code, range(2)))
    assert sorted(answers) == [200, 409]
