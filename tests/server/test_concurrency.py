"""An asynchronous model with several slots."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import requests

from tests.server.live import PATIENCE, assert_quick, event, live_server


def _post(server, body, **options):
    return requests.post(f"{server.url}/predictions", json=body, timeout=PATIENCE, **options)


def test_d15_the_decorator_alone_gives_the_slots_and_what_is_too_much_is_told_so(several):
    for seconds in (0.5, 2, 8):  # longer where the machine was too busy to begin them all in the time of one
        began = time.monotonic()
        with ThreadPoolExecutor(6) as pool:
            asked = ({"input": {"name": str(n), "seconds": seconds}} for n in range(6))
            codes = sorted(answer.status_code for answer in pool.map(lambda body: _post(several, body), asked))
        took = time.monotonic() - began
        if took < 3 * seconds and codes == [200] * 4 + [409] * 2:
            break
    assert took < 3 * seconds
    assert codes == [200] * 4 + [409] * 2


def test_logs_and_metrics_of_predictions_at_a_time_are_kept_apart(several):
    with ThreadPoolExecutor(4) as pool:
        bodies = list(pool.map(lambda n: _post(several, {"input": {"name": f"n{n}", "seconds": 0.2}}).json(), range(4)))
    for number, body in enumerate(bodies):
        name = f"n{number}"
        assert body["output"] == [f"{name} first", f"{name} last"]
        assert body["logs"] == f"begin {name}\nend {name}\n"
        assert body["metrics"]["name"] == name


def test_d9_an_asynchronous_generator_streams(several):
    body = {"id": "flow", "input": {"name": "x", "seconds": 60}}
    assert several.post("/predictions", body, headers={"Prefer": "respond-async"}).status_code == 202
    end = time.monotonic() + PATIENCE / 4  # long before it ends
    while "output" not in (seen := several.request("PUT", "/predictions/flow", {}).json()):
        assert time.monotonic() < end
    assert seen["output"] == ["x first"]
    several.post("/predictions/flow/cancel")


def test_a_cancelled_coroutine_keeps_its_output_and_its_logs(several):
    def cancelled() -> float:
        since = len(several.lines)
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(_post, several, {"id": "stop", "input": {"name": "x", "seconds": 60}})
            event(several, 'Starting prediction", "prediction_id": "stop', since=since)
            while "output" not in several.request("PUT", "/predictions/stop", {}).json():
                time.sleep(0.01)
            began = time.monotonic()
            several.post("/predictions/stop/cancel")
            body = answer.result().json()
        took = time.monotonic() - began
        assert (body["status"], body["output"], body["logs"]) == ("canceled", ["x first"], "begin x\n")
        return took

    assert_quick(0.5, cancelled)


def test_a_failure_in_the_middle_keeps_what_came_before(several):
    body = several.predict(name="x", fail=True)
    assert (body["status"], body["error"], body["output"]) == ("failed", "RuntimeError: mid", ["x first"])


def test_the_variable_wins_over_the_decorator():
    with live_server("several", COG_MAX_CONCURRENCY="1") as server, ThreadPoolExecutor(2) as pool:
        for seconds in (0.3, 2, 8):  # longer where the machine was too busy to ask twice in the time
            body = {"input": {"seconds": seconds}}
            answers = sorted(pool.map(lambda body: _post(server, body).status_code, [body] * 2))
            if answers == [200, 409]:
                break
    assert answers == [200, 409]
