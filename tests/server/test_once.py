"""One prediction without HTTP: what is told of it, in the API's events, with real workers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cog_oci.cli._events import events_of
from tests.server.census import family
from tests.server.live import MODELS, ROOT

pytestmark = pytest.mark.live

LAUNCH = "import sys; sys.path.insert(0, sys.argv[1]); from cog_oci.server.once import main; main(sys.argv[2:])"


def told(model: str, kind: str = "predictions", reference: str = "", **given):
    """The events of one request to this model of the tests, without the one that ends them all."""
    variable = "COG_TRAIN_TYPE_STUB" if kind == "trainings" else "COG_PREDICT_TYPE_STUB"
    done = subprocess.run(
        [sys.executable, "-c", LAUNCH, str(ROOT), kind],
        input=json.dumps({"input": given}).encode() + b"\n",
        capture_output=True,
        cwd=MODELS / model,
        env={**os.environ, variable: reference or "run.py:Runner"},
        timeout=60,
        check=True,
    )
    *events, last = events_of(done.stdout.splitlines(keepends=True))
    assert last == ("ended", {})
    return events


def test_everything_is_told_in_its_order():
    events = told("streaming", n=2, delay=0)

    assert [name for name, _ in events] == ["ready", "log", "output", "log", "output", "completed"]
    assert [data["chunk"] for name, data in events if name == "output"] == ["c0 ", "c1 "]
    answer = events[-1][1]
    assert answer["output"] == ["c0 ", "c1 "]
    assert answer["status"] == "succeeded"
    assert answer["logs"] == "tick 0\ntick 1\n"
    assert answer["metrics"]["tokens"] == 2


def test_what_setup_prints_is_told_before_it_is_ready():
    events = told("noisy_setup")

    before = "".join(data["data"] for name, data in events[: events.index(("ready", {}))])
    assert "while imported" in before
    assert "ünï 🎈" in before


def test_a_setup_that_fails_is_told_with_its_reason():
    events = told("setup_fails")

    name, data = events[-1]
    assert name == "failed"
    assert data["error"].endswith("RuntimeError: no gpu")
    assert "Traceback" in data["traceback"]


def test_where_the_model_is_to_blame_its_traceback_is_told_without_frames_of_ours():
    events = told("plain", op="fail", text="why")

    (trace,) = (data["data"] for name, data in events if name == "traceback")
    assert events[-1][1]["status"] == "failed"
    assert trace.startswith("Traceback")
    assert trace.count("  File ") == trace.count("/plain/run.py")
    assert trace.endswith("ValueError: why\n")


def test_what_the_client_has_done_wrong_has_no_traceback():
    assert not [name for name, _ in told("reader", file="no URL") if name == "traceback"]


def test_a_worker_that_dies_in_setup_is_told_with_its_last_words():
    name, data = told("setup_dies")[-1]

    assert (name, data["error"]) == ("failed", "Worker crashed: exit status 5")


def test_a_worker_that_dies_while_it_predicts_is_a_failed_prediction():
    name, answer = told("crew", die=True)[-1]

    assert (name, answer["status"], answer["error"]) == ("completed", "failed", "Worker crashed: exit status 3")


def test_a_training_is_told_as_a_prediction_is():
    name, answer = told("trainer", "trainings", "run.py:train", n=3)[-1]

    assert (name, answer["status"]) == ("completed", "succeeded")
    assert answer["output"]["weights"].startswith("data:")


def test_it_can_be_ended_where_it_is_process_1_too():
    process = subprocess.Popen(
        [sys.executable, "-c", LAUNCH, str(ROOT), "predictions"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=MODELS / "plain",
        env={**os.environ, "COG_PREDICT_TYPE_STUB": "run.py:Runner"},
    )
    with process:
        process.stdin.write(b'{"input": {"op": "sleep", "seconds": 60}}\n')
        process.stdin.flush()
        while process.stdout.readline() != b"event: ready\n":
            pass
        worker = family(process.pid)[1]
        process.terminate()

    assert process.returncode == 128 + signal.SIGTERM, "by itself: without a handler nothing would come of it there"
    while Path(f"/proc/{worker}/cmdline").exists() and Path(f"/proc/{worker}/cmdline").read_bytes():
        time.sleep(0.01)
