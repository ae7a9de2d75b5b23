"""The server's own log: its form, its level, and what belongs to a prediction."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import re
import sys
import threading
import time
from datetime import datetime

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from cog_oci.sdk.cog._wire import Done, Log
from cog_oci.server.journal import Journal
from cog_oci.server.levels import read_level
from cog_oci.server.logs import Sink, _Handler
from cog_oci.server.prediction import Prediction, Request
from tests.ports import free_port
from tests.server.live import LAUNCH, PATIENCE, ROOT, event, live_server

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


@pytest.fixture
def written():
    """A sink's descriptor, and what has been written to it."""
    read, write = os.pipe()
    os.set_blocking(read, False)

    def lines():
        try:
            return os.read(read, 1 << 20).decode().splitlines()
        except BlockingIOError:
            return []

    yield write, lines
    os.close(read)
    os.close(write)


@pytest.mark.parametrize(
    ("environment", "level"),
    [
        ({}, logging.INFO),
        ({"COG_LOG_LEVEL": "debug"}, logging.DEBUG),
        ({"COG_LOG_LEVEL": "WARN"}, logging.WARNING),
        ({"COG_LOG_LEVEL": "warning"}, logging.WARNING),
        ({"COG_LOG_LEVEL": "error", "RUST_LOG": "debug"}, logging.ERROR),
        ({"COG_LOG_LEVEL": "loud", "RUST_LOG": "debug"}, logging.DEBUG),
        ({"RUST_LOG": "warn"}, logging.WARNING),
        ({"RUST_LOG": "hyper=trace,warn"}, logging.WARNING),
        ({"RUST_LOG": "error,coglet=debug"}, logging.DEBUG),
        ({"RUST_LOG": "hyper=trace"}, logging.INFO),
        ({"RUST_LOG": ",=,x=y,"}, logging.INFO),
    ],
)
def test_the_level_is_cogs_variable_or_else_rusts(environment, level):
    assert read_level(environment) == level


@given(st.text(), st.text(), st.floats(0, 4e9))
def test_every_line_is_an_object_whatever_is_said(message, identity, moment):
    sink = Sink(console=False)
    sink._schedule = lambda: None
    sink.write("INFO", "cog_oci.prediction", message, moment, (("prediction_id", identity),))
    (line,) = sink._lines
    assert line.count("\n") == 1
    said = json.loads(line)
    assert said["fields"] == {"message": message, "prediction_id": identity}
    assert (said["level"], said["target"]) == ("INFO", "cog_oci.prediction")
    assert abs(datetime.fromisoformat(said["timestamp"]).timestamp() - moment) < 1e-4


async def test_lines_of_one_turn_leave_together_and_in_order(written):
    descriptor, lines = written
    sink = Sink(console=True, descriptor=descriptor)
    for number in range(3):
        sink.write("INFO", "here", str(number), 0.5)
    assert lines() == []
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert lines() == [f"1970-01-01T00:00:00.500000Z INFO here: {number}" for number in range(3)]


async def test_no_line_of_another_thread_is_lost(written):
    descriptor, lines = written
    sink = Sink(console=True, descriptor=descriptor)
    threads = [threading.Thread(target=lambda: [sink.write("INFO", "t", "x", 0) for _ in range(100)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(100):
        sink.write("INFO", "t", "x", 0)
        await asyncio.sleep(0)
    await asyncio.to_thread(lambda: [thread.join() for thread in threads])
    sink.flush()
    assert len(lines()) == 500


def test_a_log_that_nobody_takes_does_not_stop_the_server(written):
    descriptor, _ = written
    os.set_blocking(descriptor, False)
    sink = Sink(console=True, descriptor=descriptor)
    for _ in range(100):
        sink.write("INFO", "t", "x" * 10_000, 0)


def test_what_others_log_has_the_same_form(written):
    descriptor, lines = written
    logger = logging.getLogger("elsewhere")
    logger.propagate = False
    handler = _Handler(Sink(console=False, descriptor=descriptor))
    logger.addHandler(handler)
    try:
        int("seven")
    except ValueError:
        logger.warning("it %s", "went wrong", exc_info=True, extra={"prediction_id": "p"})
    finally:
        logger.removeHandler(handler)
    said = json.loads(lines()[0])
    assert (said["level"], said["target"]) == ("WARN", "elsewhere")
    assert said["fields"]["message"] == "it went wrong"
    assert said["fields"]["prediction_id"] == "p"
    assert said["fields"]["traceback"].endswith("invalid literal for int() with base 10: 'seven'")


@pytest.mark.parametrize("console", [False, True])
def test_how_the_models_code_came_to_an_error_is_in_the_log_and_in_no_answer(written, console):
    descriptor, lines = written
    prediction = Prediction("one", Request(), listeners=(Journal(Sink(console=console, descriptor=descriptor)),))
    prediction.apply(Done(0, "failed", 1.0, error="why", traceback="Traceback\n  here\nwhy\n"))
    found = lines()
    if console:
        assert found[0].endswith("Prediction failed: why prediction_id=one")
        assert found[1:] == ["Traceback", "  here", "why"]
    else:
        assert json.loads(found[0])["fields"]["traceback"] == "Traceback\n  here\nwhy"
    assert b"Traceback" not in prediction.to_bytes()


@pytest.mark.parametrize(
    ("trace", "found"),
    [({}, None), ({"traceparent": PARENT}, TRACE), ({"traceparent": "junk"}, None), ({"tracestate": "a=b"}, None)],
)
def test_every_line_of_a_prediction_names_it_and_its_trace(written, trace, found):
    descriptor, lines = written
    journal = Journal(Sink(console=False, descriptor=descriptor))
    prediction = Prediction("one", Request(trace=trace), listeners=(journal,))
    prediction.start()
    prediction.apply(Log(0, "stdout", "tick\n"))
    prediction.apply(Done(0, "failed", 1.0, error="why"))
    fields = [json.loads(line)["fields"] for line in lines()]
    assert [said["message"] for said in fields] == ["Starting prediction", "tick", "Prediction failed: why"]
    assert {said["prediction_id"] for said in fields} == {"one"}
    assert {said.get("trace_id") for said in fields} == {found}


def test_a_request_can_be_followed_through_the_log():
    with live_server("plain") as server:
        server.post("/predictions", {"id": "mine", "input": {"op": "mixed"}}, headers={"traceparent": PARENT})
        for text in ("Starting prediction", "three", "Prediction succeeded"):
            assert event(server, text)["fields"]["trace_id"] == TRACE
            assert event(server, text)["fields"]["prediction_id"] == "mine"
        assert server.end() == 0
        for line in server.lines:
            assert json.loads(line).keys() == {"timestamp", "level", "fields", "target"}


def test_above_info_a_prediction_leaves_no_line():
    port = free_port()
    # What the server says of its address, which tests wait for, is not said at this level.
    said = f"import sys\nprint('Running on http://127.0.0.1:{port}', file=sys.stderr, flush=True)\n"
    command = [sys.executable, "-I", "-c", said + LAUNCH, str(ROOT)]
    quiet = {"PORT": str(port), "COG_LOG_LEVEL": "warn", "LOG_FORMAT": "console"}
    with live_server("plain", wait=False, command=command, **quiet) as server:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            with contextlib.suppress(requests.ConnectionError):
                server.wait_for("READY")
                break
        server.predict(op="mixed")
        server.post("/predictions", {"input": {"op": "crash"}})
        server.wait_for("READY")
        server.end()
    assert "prediction" not in server.log
    assert re.search(r"Z ERROR cog_oci: worker crashed, starting it again: exit status 7\n", server.log)
