"""The notebook of docs/notebooks.md, with the JupyterLab that the package index has today, at a terminal."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress

import pytest

from cog_oci.sandbox import unavailable
from tests.images.conftest import COMMAND, ROOT, cog_oci
from tests.ports import free_port

pytestmark = [pytest.mark.network, pytest.mark.namespaces]

RUN = "from cog import BaseRunner\n\n\nclass Runner(BaseRunner):\n    def run(self, text: str) -> str:\n        return text\n"


@pytest.fixture(scope="module")
def project(cache, tmp_path_factory):
    """A project with JupyterLab among its packages, locked; and the environment of whoever works on it."""
    if reason := unavailable():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("notebook")
    (folder / "cog.yaml").write_text(
        "build:\n  python_version: '3.13'\n  python_requirements: requirements.txt\nrun: run.py:Runner\n"
    )
    (folder / "requirements.txt").write_text("jupyterlab\n")
    (folder / "run.py").write_text(RUN)
    cog_oci("lock", cwd=folder, COG_CACHE_DIR=str(cache))
    return folder, {"COG_CACHE_DIR": str(cache)}


@pytest.fixture(params=["sandbox", pytest.param("docker", marks=[pytest.mark.engine, pytest.mark.root])])
def engine(request):
    """Words and variables for each way to run it."""
    if request.param == "sandbox":
        return ["--engine=sandbox"], {}
    socket = request.getfixturevalue("docker").socket
    return ["--engine=docker", "--network=host"], {"DOCKER_HOST": f"unix://{socket}"}


def documented() -> str:
    """The command as the page has it."""
    page = (ROOT / "docs" / "notebooks.md").read_text()
    return re.search(r"^\$ cog-oci (exec -p 8888 jupyter lab .*)$", page, re.MULTILINE)[1]


class Terminal:
    """A program that has a terminal, and what it has written there."""

    def __init__(self, descriptor: int):
        self.descriptor, self.text = descriptor, ""

    def read_until(self, pattern: str, seconds: float) -> re.Match:
        """What the program writes, up to this. An AssertionError when it does not, or ends."""
        deadline = time.monotonic() + seconds
        while not (found := re.search(pattern, self.text)):
            left = deadline - time.monotonic()
            assert self._read(left), f"no {pattern} in: {self.text}"
        return found

    def read_all(self, seconds: float) -> None:
        """Until it ends."""
        deadline = time.monotonic() + seconds
        while self._read(deadline - time.monotonic()):
            pass

    def type(self, keys: bytes) -> None:
        os.write(self.descriptor, keys)

    def _read(self, seconds: float) -> bool:
        if not select.select([self.descriptor], [], [], max(0, seconds))[0]:
            return False
        try:
            data = os.read(self.descriptor, 1 << 16)
        except OSError:  # how a terminal says that nobody is there any more
            return False
        self.text += data.decode(errors="replace")
        return bool(data)


@contextmanager
def at_a_terminal(command, cwd, env):
    """The program, its terminal, and a function that waits for its status."""
    process, descriptor = pty.fork()
    if not process:
        os.chdir(cwd)
        os.execvpe(command[0], command, env)
    status: list[int] = []

    def ended() -> int:
        if not status:
            status.append(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))
        return status[0]

    try:
        yield Terminal(descriptor), ended
    finally:
        os.close(descriptor)  # its terminal is gone: that ends it, if nothing has
        ended()


def answer(url: str, seconds: float = 60) -> bytes:
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=30) as found:
                return found.read()
        except urllib.error.URLError:  # it says where it is before it is there
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)  # and says nothing then


def test_a_notebook_server_runs_in_the_image_answers_and_ends_with_ctrl_c(project, engine):
    folder, env = project
    options, more = engine
    port = str(free_port())
    _, *words = documented().replace("8888", port).split()
    command = [*COMMAND, "exec", *options, *words, f"--port={port}", "--no-browser"]

    with at_a_terminal(command, folder, {**os.environ, **env, **more}) as (terminal, ended):
        token = terminal.read_until(rf"http://127\.0\.0\.1:{port}/lab\?token=(\w+)", 400)[1]
        version = json.loads(answer(f"http://127.0.0.1:{port}/api"))["version"]
        page = answer(f"http://127.0.0.1:{port}/lab?token={token}").decode()
        files = json.loads(answer(f"http://127.0.0.1:{port}/api/contents?token={token}"))["content"]
        terminal.type(b"\x03")
        terminal.read_until(r"\(y/\[n\]\)", 60)
        terminal.type(b"\x03")
        terminal.read_all(60)
        assert ended() == 0, terminal.text

    assert re.match(r"\d+\.\d+", version)
    assert "<title>JupyterLab</title>" in page
    assert {"cog.yaml", "run.py"} <= {row["name"] for row in files}  # the project's folder
    with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/api", timeout=5):
        pytest.fail("something answers still")
