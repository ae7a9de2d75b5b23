"""Cog's own server and ours, asked the same: the answers are equal, except where `differences.py` says why not.

COG_ORACLE_PYTHON names the Python of a virtual environment with cog==0.23.1.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.server.differences import DIFFERENCES
from tests.server.live import live_server, project
from tests.server.requests_for_oracle import REQUESTS

ADDED = {"created_at", "started_at", "completed_at"}
"""Fields of the schema that Cog declares and never sends."""

MODELS = sorted({asked.model for asked in REQUESTS.values()})


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """For each request, what Cog answers and what we answer."""
    python = os.environ.get("COG_ORACLE_PYTHON")
    if not python:
        pytest.skip("COG_ORACLE_PYTHON does not name a Python that has cog==0.23.1")
    collected: dict[str, list[Any]] = {name: [] for name in REQUESTS}
    for model in MODELS:
        folder = tmp_path_factory.mktemp(model)
        with _cog(python, project(model, folder / "theirs")) as url:
            _ask(model, url, collected)
        with live_server(model) as server:
            _ask(model, server.url, collected)
    return collected


@pytest.mark.oracle
@pytest.mark.parametrize("name", REQUESTS)
def test_the_answer_is_cogs_or_differs_for_a_reason(answers, name):
    theirs, ours = answers[name]
    if name in DIFFERENCES:
        assert ours != theirs, f"there is no difference any more: {DIFFERENCES[name]}"
    else:
        assert ours == theirs


def test_every_difference_has_a_request_and_a_reason():
    assert not DIFFERENCES.keys() - REQUESTS.keys()
    assert all(len(reason) > 10 for reason in DIFFERENCES.values())


def _ask(model, url, collected):
    for name, asked in REQUESTS.items():
        if asked.model != model:
            continue
        content = {"data": asked.body} if isinstance(asked.body, bytes) else {"json": asked.body}
        for _ in range(100):  # Cog answers 409 while it is still putting its slot back
            answer = requests.request(asked.method, url + asked.path, headers=asked.headers, timeout=20, **content)
            if answer.status_code != 409:
                break
            time.sleep(0.02)
        collected[name].append(_essence(answer))


def _essence(answer):
    """Status, kind and body, without what varies from one run to the next."""
    kind = answer.headers.get("Content-Type", "").partition(";")[0]
    try:
        body = answer.json()
    except ValueError:
        body = answer.text.partition(" at line ")[0]  # where an error is, parsers count differently
    if isinstance(body, dict):
        body = {key: value for key, value in body.items() if key not in ADDED | {"version"}}
        if str(body.get("id")).startswith("pred_"):
            body["id"] = "pred_"
        body.get("metrics", {}).pop("predict_time", None)
        for key in ADDED:
            body.get("setup", {}).pop(key, None)
        if isinstance(body.get("output"), dict):
            body["output"].pop("where", None)
    return answer.status_code, kind, answer.headers.get("Allow"), body


@contextlib.contextmanager
def _cog(python, folder):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        "PATH": f"{Path(python).parent}:{os.environ['PATH']}",
        "PORT": str(port),
        "COG_PREDICT_TYPE_STUB": "run.py:Runner",
        "COG_LOG_LEVEL": "error",
    }
    command = [python, "-m", "cog.server.http", "--host", "127.0.0.1"]
    with subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.DEVNULL) as cog:
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_ready(url)
            yield url
        finally:
            cog.kill()


def _wait_ready(url):
    end = time.monotonic() + 20
    while time.monotonic() < end:
        with contextlib.suppress(requests.ConnectionError):
            if json.loads(requests.get(f"{url}/health-check", timeout=5).text)["status"] != "STARTING":
                return
        time.sleep(0.05)
    raise AssertionError("Cog's server did not get ready")
