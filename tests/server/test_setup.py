"""What a setup has printed, as the health check shows it, and how one ends that fails."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from cog_oci.server.newer import UTC
from cog_oci.server.worker import Setup
from tests.server.live import live_server

LEAVES_A_THREAD = """
import threading

class Runner:
    def setup(self):
        threading.Thread(target=threading.Event().wait).start()
        raise RuntimeError("no gpu")

    def run(self) -> str:
        return ""
"""


def test_a_setup_that_prints_much_copies_nothing_before_it_is_asked():
    setup = Setup(datetime.now(UTC))
    for piece in ("one\n", "two\n"):
        setup.printed.append(piece)
    assert setup.printed == ["one\n", "two\n"]
    assert setup.logs == "one\ntwo\n"
    replace(setup, status="succeeded").printed.append("three\n")
    assert setup.logs == "one\ntwo\nthree\n"
    assert Setup(datetime.now(UTC)).logs == ""


def test_a_setup_that_fails_ends_its_worker_though_a_thread_of_it_goes_on(tmp_path):
    (tmp_path / "run.py").write_text(LEAVES_A_THREAD)
    with live_server("", folder=tmp_path, wait=False) as server:
        report = server.wait_for("SETUP_FAILED")
        assert report["setup"]["logs"].endswith("RuntimeError: no gpu\n")
        assert "RuntimeError: no gpu" in server.post("/predictions", {"input": {}}).json()["error"]
