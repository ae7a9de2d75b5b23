"""Start, crash, restart, stop: what a server does when things end, and when they go wrong."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from tests.server.live import LAUNCH, PATIENCE, ROOT, event, live_server


def test_setup_logs_are_in_the_health_check_and_no_prediction_starts_before_its_end():
    with live_server("slow_setup", wait=False) as server:
        report = server.health()
        assert report["status"] == "STARTING"
        assert report["setup"]["status"] == "starting"
        answer = server.post("/predictions", {"input": {"nonsense": 1}})
        assert answer.status_code == 503
        assert answer.json() == {
            "error": "Setup has not finished yet. Wait until it has finished, or GET /health-check for status.",
            "status": "failed",
        }
        assert server.request("GET", "/openapi.json").status_code == 503
        worker = _worker_pid(server)
        assert server.end() == 0
        _wait_until_gone(worker)
        assert list(server.temporary.iterdir()) == []


def test_a_ready_server_says_which_python_and_what_setup_printed(plain):
    report = plain.health()
    assert report["status"] == "READY"
    assert report["setup"]["status"] == "succeeded"
    assert report["setup"]["logs"] == "setup begin\nsetup subprocess\nsetup end\n"
    assert report["setup"]["started_at"] <= report["setup"]["completed_at"]
    assert report["version"]["python"] == ".".join(map(str, sys.version_info[:3]))


def test_what_a_setup_prints_last_through_a_descriptor_is_in_its_logs(tmp_path):
    model = """
import os
class Runner:
    def setup(self):
        os.write(1, b"the end\\n")
    def run(self) -> str:
        return ""
"""
    (tmp_path / "run.py").write_text(model)
    with live_server("", folder=tmp_path, COG_PREDICT_TYPE_STUB="run.py:Runner") as server:
        assert server.health()["setup"]["logs"] == "the end\n"


def test_d12_a_failed_setup_shows_its_logs_and_its_traceback_and_later_answers_say_so():
    with live_server("setup_fails") as server:
        report = server.health()
        assert report["status"] == "SETUP_FAILED"
        assert report["setup"]["status"] == "failed"
        assert report["setup"]["logs"].startswith("looking for a gpu\nTraceback (most recent call last):\n")
        assert re.search(r'run.py", line \d+, in setup', report["setup"]["logs"])
        assert report["setup"]["logs"].endswith("RuntimeError: no gpu\n")
        answer = server.post("/predictions", {"input": {}})
        assert answer.status_code == 503
        assert "Setup failed: RuntimeError: no gpu" in answer.json()["error"]
        assert server.end() == 0


@pytest.mark.parametrize(
    ("reference", "complaint"),
    [
        ("broken.py:Runner", "ModuleNotFoundError: No module named 'nonexistent_module'"),
        ("dies.py:Runner", "worker crashed: exit status 4"),
    ],
)
def test_a_model_that_cannot_be_loaded_is_a_failed_setup(tmp_path, reference, complaint):
    (tmp_path / "broken.py").write_text("import nonexistent_module\n")
    (tmp_path / "dies.py").write_text("import os\nos._exit(4)\n")
    with live_server("", folder=tmp_path, COG_PREDICT_TYPE_STUB=reference) as server:
        report = server.health()
        assert report["status"] == "SETUP_FAILED"
        assert complaint in report["setup"]["logs"]


def test_a_synchronous_model_cannot_take_several_predictions():
    with live_server("plain", COG_MAX_CONCURRENCY="4") as server:
        report = server.health()
        assert report["status"] == "SETUP_FAILED"
        assert "COG_MAX_CONCURRENCY > 1 requires an async run() or predict() method" in report["setup"]["logs"]


def test_d13_a_setup_that_takes_too_long_ends_its_worker():
    with live_server("slow_setup", wait=False, COG_SETUP_TIMEOUT="1") as server:
        worker = _worker_pid(server)
        report = server.wait_for("SETUP_FAILED")
        assert "worker setup timed out" in report["setup"]["logs"]
        _wait_until_gone(worker)


def test_d2_a_crashed_worker_is_replaced_and_its_prediction_says_why():
    with live_server("plain") as server:
        for attempt in range(4):  # more often than a worker may fail to come up: a bad request is no reason to give up
            body = server.predict(op="crash")
            assert body["status"] == "failed"
            assert body["error"] == "Worker crashed: exit status 7"
            assert body["logs"].splitlines() == ["last line", "last words"]
            server.wait_for("READY")
            assert server.predict(text=str(attempt))["output"] == f"hello {attempt}"


def test_who_is_in_the_queue_when_the_worker_dies_gets_its_turn_with_the_next_one():
    with live_server("plain", COG_MAX_QUEUE="2") as server:
        crash = {"id": "crash", "input": {"op": "crash", "seconds": 0.5}}
        queued = {"id": "queued", "input": {"text": "you"}}
        for body in (crash, queued):
            answer = server.post("/predictions", body, headers={"Prefer": "respond-async"})
            assert answer.status_code == 202, answer.text
        assert event(server, "worker crashed, starting it again")
        server.wait_for("READY")
        event(server, "Prediction succeeded")
        states = {name: server.request("GET", f"/predictions/{name}").json() for name in ("crash", "queued")}
        assert states["crash"]["error"] == "Worker crashed: exit status 7"
        assert states["queued"]["output"] == "hello you"


def test_who_has_a_place_in_the_queue_is_answered_when_its_patience_ends_and_not_before():
    with live_server("plain", COG_MAX_QUEUE="2") as server:
        server.post("/predictions", {"input": {"op": "sleep", "seconds": 1}}, headers={"Prefer": "respond-async"})
        answer = server.post("/predictions", {"input": {"text": "x"}}, headers={"Prefer": "respond-async, wait=0"})
        assert (answer.status_code, answer.json()["status"]) == (202, "starting")
        answer = server.post("/predictions", {"input": {"text": "x"}}, headers={"Prefer": "respond-async, wait=60"})
        assert (answer.status_code, answer.json()["output"]) == (200, "hello x")


def test_a_killed_worker_is_replaced_even_if_a_child_holds_its_socket():
    with live_server("plain") as server:
        body = server.predict(op="fork_and_crash")
        assert body["error"] == "Worker crashed: exit status 7"
        server.wait_for("READY")
        os.kill(server.predict(op="pid")["output"], signal.SIGKILL)
        event(server, "worker crashed, starting it again: killed by SIGKILL")
        server.wait_for("READY")
        assert server.predict(text="x")["output"] == "hello x"


@contextmanager
def _killed_for_good(folder, then):
    """A server whose worker has been killed, and whose next one does `then` while it is imported."""
    source = (
        f"import os, pathlib\nif pathlib.Path('poison').exists(): {then}\ndef run() -> int:\n    return os.getpid()\n"
    )
    (folder / "run.py").write_text(source)
    with live_server("", folder=folder, COG_PREDICT_TYPE_STUB="run.py:run") as server:
        worker = server.predict()["output"]
        (folder / "poison").touch()
        os.kill(worker, signal.SIGKILL)
        yield server


def test_a_worker_that_cannot_come_up_again_is_defunct(tmp_path):
    with _killed_for_good(tmp_path, "os._exit(5)") as server:
        assert server.wait_for("DEFUNCT")["setup"]["status"] == "failed"
        answer = server.post("/predictions", {})
        assert answer.status_code == 503
        assert "could not be started again" in answer.json()["error"]


def test_a_setup_that_fails_when_a_worker_is_replaced_says_why(tmp_path):
    with _killed_for_good(tmp_path, "raise OSError('no gpu')") as server:
        event(server, "starting it again: OSError: no gpu")


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT", "shutdown"])
def test_what_was_accepted_is_finished_before_the_end(how):
    with live_server("plain") as server:
        worker = server.predict(op="pid")["output"]
        answers = []
        body = {"input": {"op": "sleep", "seconds": 0.3}}
        waiting = threading.Thread(target=lambda: answers.append(requests.post(f"{server.url}/predictions", json=body)))
        waiting.start()
        event(server, '"message": "begin"')
        if how == "shutdown":
            assert server.post("/shutdown").json() == {}
        else:
            server.popen.send_signal(getattr(signal, how))
        code = server.exit()
        waiting.join()
        assert answers[0].json()["output"] == "slept"
        assert code == (-signal.SIGINT if how == "SIGINT" else 0)
        _wait_until_gone(worker)
        assert list(server.temporary.iterdir()) == []


def test_an_early_answered_prediction_is_finished_before_the_end():
    with live_server("plain") as server:
        body = {"id": "late", "input": {"op": "sleep", "seconds": 0.3}}
        assert server.post("/predictions", body, headers={"Prefer": "respond-async"}).status_code == 202
        server.end()
        assert "Prediction succeeded" in server.log


def test_after_the_drain_timeout_a_prediction_is_reported_as_failed():
    with live_server("plain", COG_DRAIN_TIMEOUT="1") as server:
        answers = []
        body = {"input": {"op": "spin", "seconds": 60}}
        waiting = threading.Thread(target=lambda: answers.append(requests.post(f"{server.url}/predictions", json=body)))
        waiting.start()
        server.wait_for("BUSY")
        server.end()
        waiting.join()
        assert answers[0].json()["status"] == "failed"
        assert "shut down before" in answers[0].json()["error"]


@pytest.mark.parametrize("stock", ["", "1"])
def test_the_end_does_not_wait_longer_for_a_client_that_does_not_read_than_it_may(stock):
    with live_server("plain", COG_DRAIN_TIMEOUT="1", COG_HTTP_STOCK=stock) as server:
        with socket.create_connection(("127.0.0.1", int(server.url.rsplit(":", 1)[1]))) as client:
            body = b'{"input": {"text": "%b"}}' % (b"x" * (20 << 20))
            client.sendall(b"POST /predictions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            event(server, "Prediction succeeded")
            assert server.end() == 0
        assert "before every client has taken its answer" in server.log


def test_the_end_does_not_wait_for_a_request_that_does_not_come():
    with (
        live_server("plain") as server,
        socket.create_connection(("127.0.0.1", int(server.url.rsplit(":", 1)[1])), timeout=PATIENCE) as client,
    ):
        client.sendall(b"POST /predictions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n")
        time.sleep(0.2)  # it is being read
        assert server.end() == 0
        assert client.recv(1 << 16).startswith(b"HTTP/1.1 503 Service Unavailable\r\n")


def test_sigterm_is_ignored_where_an_explicit_shutdown_is_awaited():
    with live_server("plain", "--await-explicit-shutdown", "true") as server:
        server.popen.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        assert server.health()["status"] == "READY"
        server.post("/shutdown")
        assert server.exit() == 0


def test_a_worker_whose_server_is_killed_ends_too():
    with live_server("plain") as server:
        worker = server.predict(op="pid")["output"]
        server.popen.kill()
        server.exit()
        _wait_until_gone(worker)
        assert list(server.temporary.iterdir()) == []


def test_a_model_that_holds_all_files_that_it_may_fails_goes_on_and_ends_as_any_other():
    with live_server("plain") as server:
        worker = server.predict(op="pid")["output"]

        assert "Too many open files" in server.predict(op="hoard")["error"]
        elsewhere = server.post("/predictions", {"input": {"op": "pid"}, "output_file_prefix": "http://127.0.0.1:9/"})
        assert "Worker crashed" not in elsewhere.json()["error"]
        assert server.predict(op="pid")["output"] == worker

        server.popen.kill()
        server.exit()
        _wait_until_gone(worker)


@pytest.mark.parametrize(
    ("environment", "complaint"),
    [
        ({"PORT": "abc"}, "PORT=abc is not a port"),
        ({"PORT": "99999"}, "PORT=99999 is not a port"),
        ({"COG_PREDICT_TYPE_STUB": ""}, "COG_PREDICT_TYPE_STUB environment variable is not set"),
        ({"COG_OCI_PYTHON": "/nowhere/python"}, "/nowhere/python"),
    ],
)
def test_a_server_that_cannot_start_says_why_in_a_line(environment, complaint):
    ended = _start({"PORT": "0", "COG_PREDICT_TYPE_STUB": "run.py:Runner", **environment})
    assert ended.returncode == 1
    assert complaint in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_port_in_use_is_said_so():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ended = _start({"PORT": str(taken.getsockname()[1]), "COG_PREDICT_TYPE_STUB": "run.py:Runner"})
    assert ended.returncode == 1
    assert "Address already in use" in ended.stderr


def test_a_server_for_training_needs_a_train_function():
    ended = _start({"COG_PREDICT_TYPE_STUB": "run.py:Runner"}, "--x-mode", "train")
    assert ended.returncode == 1
    assert "COG_TRAIN_TYPE_STUB" in ended.stderr
    assert "train.py:train" in ended.stderr


def _start(environment, *arguments):
    command = [sys.executable, "-I", "-c", LAUNCH, str(ROOT), "--host", "127.0.0.1", *arguments]
    environment = {"PATH": os.environ["PATH"], **environment}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)


def _worker_pid(server) -> int:
    path = Path(server.folder, "worker.pid")
    end = time.monotonic() + PATIENCE
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < end, server.log
        time.sleep(0.01)
    return int(path.read_text())


def _ended(pid: int) -> bool:
    """Whether a process is gone, or only waits for its parent to notice."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def _wait_until_gone(pid: int) -> None:
    end = time.monotonic() + 5
    while not _ended(pid):
        assert time.monotonic() < end, f"process {pid} is still there"
        time.sleep(0.01)
