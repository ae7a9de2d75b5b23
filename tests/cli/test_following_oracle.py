"""A prediction that is followed on Cog's own server, as in an image that Cog has built."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest

from cog_oci.cli._asked import Asked
from cog_oci.cli._following import follow
from cog_oci.cli._prediction import free_port, wait_until_ready
from cog_oci.schema import read_schema
from tests.cli.test_following import Ended, Seen

pytestmark = pytest.mark.oracle

RUN = """
import os
import time

import cog
from cog import BaseRunner, ConcatenateIterator


class Runner(BaseRunner):
    @STREAMING
    def run(self, go: str) -> ConcatenateIterator[str]:
        with open("runs", "a") as runs:
            runs.write("x")
        print("begun")
        yield "one"
        while not os.path.exists(go):
            time.sleep(0.02)
        yield "two"
"""


class Waiting(Seen):
    """Lets the model go on when something of it was seen."""

    def __init__(self, go: Path):
        super().__init__()
        self.go = go

    def items(self, items):
        super().items(items)
        self.go.touch()


@contextmanager
def coglet(folder: Path):
    """Cog's server, of the environment that COG_ORACLE_PYTHON names, for the project in this folder."""
    python = os.environ.get("COG_ORACLE_PYTHON")
    if not python:
        pytest.skip("COG_ORACLE_PYTHON does not name a Python that has cog==0.23.1")
    port = free_port()
    env = {
        "PATH": f"{Path(python).parent}:{os.environ['PATH']}",
        "PORT": str(port),
        "COG_PREDICT_TYPE_STUB": "run.py:Runner",
        "COG_LOG_LEVEL": "error",
    }
    command = [python, "-m", "cog.server.http", "--host", "127.0.0.1"]
    with subprocess.Popen(command, cwd=folder, env=env, stderr=subprocess.DEVNULL) as program:
        try:
            wait_until_ready(f"http://127.0.0.1:{port}", Ended(None), 60)
            yield f"http://127.0.0.1:{port}"
        finally:
            program.terminate()


@pytest.mark.parametrize("events", [False, True])
def test_what_cogs_server_has_made_is_seen_before_the_end_and_it_runs_once(tmp_path, events):
    (tmp_path / "run.py").write_text(RUN.replace("@STREAMING", "@cog.streaming" if events else ""))
    (tmp_path / ".cog").mkdir()
    schema = read_schema(tmp_path, "run.py:Runner")
    (tmp_path / ".cog" / "openapi_schema.json").write_bytes(schema.to_bytes())
    seen = Waiting(tmp_path / "go")
    body = {"input": {"go": str(seen.go)}, "context": {}}
    asked = Asked(kind="predictions", body=body, setup_timeout=60, events=events)

    with coglet(tmp_path) as url:
        answer = follow(url, asked, Ended(None), seen)

    assert answer["output"] == ["one", "two"]
    assert ["one"] in seen.said
    assert "begun\n" in seen.said
    assert (tmp_path / "runs").read_text() == "x"  # a look is no second prediction
