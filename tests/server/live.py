"""A real server in a process of its own, for tests: `with live_server("plain") as server: server.predict(...)`."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import requests

from cog_oci.schema import read_schema

MODELS = Path(__file__).parent / "models"
ROOT = Path(__file__).parents[2]
PATIENCE = 120.0
"""Seconds to wait for what has to come: how soon it comes is the machine's affair, which may have others to serve."""

LAUNCH = """\
import sys
sys.path.insert(0, sys.argv.pop(1))
from cog_oci.server.__main__ import main
main()
"""


class Server:
    """What a test may do with the server. `folder` is the project, `log` what the server has written so far."""

    def __init__(self, popen: subprocess.Popen[str], folder: Path, temporary: Path) -> None:
        self.popen = popen
        self.folder = folder
        self.temporary = temporary
        self.lines: list[str] = []
        self.url = ""
        self._listening = threading.Event()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self.session = requests.Session()
        self.session.trust_env = False

    def _read(self) -> None:
        assert self.popen.stderr is not None
        for line in self.popen.stderr:
            self.lines.append(line)
            if found := re.search(r"Running on (http://127\.0\.0\.1:\d+)", line):
                self.url = found[1]
                self._listening.set()
        self._listening.set()

    @property
    def log(self) -> str:
        return "".join(self.lines)

    def wait_listening(self) -> None:
        assert self._listening.wait(PATIENCE), self.log
        assert self.url, self.log

    def request(self, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
        options.setdefault("timeout", PATIENCE)
        return self.session.request(method, self.url + path, json=body, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> requests.Response:
        return self.request("POST", path, body, **options)

    def health(self) -> dict[str, Any]:
        return self.request("GET", "/health-check").json()

    def wait_for(self, *statuses: str, seconds: float = PATIENCE) -> dict[str, Any]:
        """The first health report with one of these statuses."""
        end = time.monotonic() + seconds
        while (report := self.health())["status"] not in statuses:
            assert time.monotonic() < end, (report, self.log)
            time.sleep(0.01)
        return report

    def predict(self, **given: Any) -> dict[str, Any]:
        """The answer to a synchronous prediction."""
        answer = self.post("/predictions", {"input": given})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Stop the server; its exit status."""
        self.session.close()
        if self.popen.poll() is None:
            self.popen.send_signal(number)
        return self.exit()

    def exit(self) -> int:
        try:
            code = self.popen.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            raise
        finally:
            self.session.close()
        self._reader.join()
        if self.popen.stderr is not None:
            self.popen.stderr.close()
        return code


def project(model: str, folder: Path) -> Path:
    """A copy of a model with its schema, as it lies in an image."""
    target = folder / model
    shutil.copytree(MODELS / model, target, ignore=shutil.ignore_patterns("__pycache__"))
    (target / ".cog").mkdir(exist_ok=True)
    (target / ".cog/openapi_schema.json").write_bytes(read_schema(target, "run.py:Runner").to_bytes())
    return target


@contextlib.contextmanager
def live_server(
    model: str,
    *arguments: str,
    wait: bool = True,
    command: list[str] | None = None,
    folder: Path | None = None,
    **environment: str,
) -> Iterator[Server]:
    """A server of `tests/server/models/<model>`; it is gone when the block ends."""
    with tempfile.TemporaryDirectory() as base:
        place = folder or project(model, Path(base))
        temporary = Path(base, "tmp")
        temporary.mkdir()
        settings = {
            "PATH": os.environ["PATH"],
            "TMPDIR": str(temporary),
            "PORT": "0",
            "COG_OCI_PYTHON": sys.executable,
            "COG_PREDICT_TYPE_STUB": "run.py:Runner",
            **environment,
        }
        popen = subprocess.Popen(
            [*(command or [sys.executable, "-I", "-c", LAUNCH, str(ROOT)]), "--host", "127.0.0.1", *arguments],
            cwd=place,
            env=settings,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        server = Server(popen, place, temporary)
        try:
            server.wait_listening()
            if wait:
                server.wait_for("READY", "SETUP_FAILED", "BUSY", "UNHEALTHY")
            yield server
        finally:
            if popen.poll() is None:
                popen.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.exit()


def event(server: Server, text: str, *, since: int = 0, seconds: float = PATIENCE) -> dict[str, Any]:
    """The first entry of the server's log, from line `since`, that contains `text`."""
    end = time.monotonic() + seconds
    while True:
        for line in server.lines[since:]:
            if text in line:
                return json.loads(line)
        assert time.monotonic() < end, server.log
        time.sleep(0.01)


def assert_quick(seconds: float, attempt: Callable[[], float]) -> None:
    """Of five attempts one takes less than so many seconds: what others do on the machine only adds to each."""
    took = []
    while not took or (took[-1] >= seconds and len(took) < 5):
        took.append(attempt())
    assert took[-1] < seconds, took
