"""Several workers behind one server."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.server.live import PATIENCE, live_server


@pytest.fixture(scope="module")
def crew():
    with live_server("crew", COG_WORKERS="2", CUDA_VISIBLE_DEVICES="4,7") as server:
        _wait_for(server, 2)
        yield server


def _wait_for(server, slots):
    end = time.monotonic() + PATIENCE
    while f"cog_prediction_slots {slots}.0" not in server.request("GET", "/metrics").text:
        assert time.monotonic() < end, server.log
        time.sleep(0.02)


def _at_once(server, count, **given):
    with ThreadPoolExecutor(count) as clients:
        return list(clients.map(lambda _: server.predict(**given), range(count)))


def test_as_many_predictions_run_as_there_are_workers_each_with_a_gpu(crew):
    outputs = [answer["output"] for answer in _at_once(crew, 2, seconds=0.3)]
    assert len({output["pid"] for output in outputs}) == 2
    assert {output["gpu"] for output in outputs} == {"4", "7"}


def test_a_worker_that_dies_takes_no_other_with_it(crew):
    with ThreadPoolExecutor(2) as clients:
        long = clients.submit(crew.predict, seconds=0.5)
        died = clients.submit(crew.predict, die=True)
        assert died.result()["error"] == "Worker crashed: exit status 3"
        assert crew.health()["status"] in {"READY", "BUSY"}
        assert long.result()["status"] == "succeeded"
    _wait_for(crew, 2)
    assert {answer["output"]["gpu"] for answer in _at_once(crew, 2, seconds=0.3)} == {"4", "7"}


def test_nothing_remains_of_any_worker_when_the_server_ends():
    with live_server("crew", COG_WORKERS="3") as server:
        _wait_for(server, 3)
        assert server.end() == 0
        assert not list(server.temporary.iterdir())
