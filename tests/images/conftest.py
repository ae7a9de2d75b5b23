"""Real images: the examples, locked and built once for all tests, and engines of the tests' own."""

from __future__ import annotations

import base64
import json
import mimetypes
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import need
from tests.ports import free_port

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "cog_oci.cli"]


def cog_oci(*arguments: str, cwd: Path, check: bool = True, prefix: tuple[str, ...] = (), **env: str):
    """Run the command line as a user would; what it printed, in text."""
    done = subprocess.run(
        [*prefix, *COMMAND, *arguments],
        cwd=cwd,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert not check or done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
    return done


@dataclass
class Example:
    """A copy of an example, locked, and its archive."""

    folder: Path
    store: Path
    archive: Path
    digest: str


@pytest.fixture(scope="session")
def cache(tmp_path_factory) -> Path:
    """One store for all images of a run: what is fetched once is not fetched again."""
    return tmp_path_factory.mktemp("cache")


def built(name: str, cache: Path, folder: Path) -> Example:
    shutil.copytree(ROOT / "examples" / name, folder, ignore=shutil.ignore_patterns("cog.lock", "*.tar"))
    cog_oci("lock", cwd=folder, COG_CACHE_DIR=str(cache))
    archive = folder.parent / f"{name}.tar"
    done = cog_oci("image", "-t", f"{name}:test", "-o", str(archive), cwd=folder, COG_CACHE_DIR=str(cache))
    return Example(folder, cache, archive, done.stdout.strip())


@pytest.fixture(scope="session")
def filetype(cache, tmp_path_factory) -> Example:
    """examples/filetype, built."""
    return built("filetype", cache, tmp_path_factory.mktemp("examples") / "filetype")


@pytest.fixture(scope="session")
def ocr(cache, tmp_path_factory) -> Example:
    """examples/ocr, built."""
    return built("ocr", cache, tmp_path_factory.mktemp("examples") / "ocr")


@dataclass
class Docker:
    """A Docker daemon of the tests' own."""

    socket: Path
    # Debian's client, of the daemon's own age: a newer one on PATH may not speak to it.
    client: str = "/usr/bin/docker" if Path("/usr/bin/docker").exists() else "docker"

    def __call__(self, *arguments: str, check: bool = True) -> str:
        done = subprocess.run(
            [self.client, "--host", f"unix://{self.socket}", *arguments], capture_output=True, text=True, check=False
        )
        assert not check or done.returncode == 0, f"docker {arguments}: {done.stdout}{done.stderr}"
        return done.stdout


@pytest.fixture(scope="session")
def docker(tmp_path_factory):
    """A daemon with its own socket and data, ended with the session."""
    need("dockerd")
    if os.geteuid() != 0:
        pytest.skip("needs root, to start dockerd")
    folder = tmp_path_factory.mktemp("dockerd")
    log = (folder / "log").open("wb")
    engine = Docker(folder / "socket")
    daemon = subprocess.Popen(
        [
            # In a mount namespace of its own: what it mounts goes with it, however it ends, and folders can be removed.
            *(
                "unshare",
                "--mount",
                "dockerd",
                "--data-root",
                str(folder / "data"),
                "--exec-root",
                str(folder / "exec"),
            ),
            *("--host", f"unix://{engine.socket}", "--pidfile", str(folder / "pid")),
            *("--iptables=false", "--bridge=none", "--storage-driver=overlay2"),
        ],
        stdout=log,
        stderr=log,
    )
    try:
        deadline = time.monotonic() + 60
        while not engine("version", "--format", "{{.Server.Version}}", check=False).strip():
            if daemon.poll() is not None or time.monotonic() > deadline:
                pytest.skip("dockerd does not start here: " + (folder / "log").read_text()[-600:])
            time.sleep(0.2)  # nothing announces the socket
        yield engine
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(30)
        log.close()


def data_url(path: Path) -> str:
    mime = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return f"data:{mime};base64,{base64.b64encode(path.read_bytes()).decode()}"


def ask(url: str, body: dict | None = None) -> dict:
    request = urllib.request.Request(url)
    if body is not None:
        request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)


def wait_until_ready(url: str, seconds: float = 90) -> dict:
    deadline = time.monotonic() + seconds
    health: dict = {}
    while time.monotonic() < deadline:
        try:
            health = ask(f"{url}/health-check")
        except OSError:
            health = {}
        if health.get("status") not in {None, "STARTING"}:
            break
        time.sleep(0.1)  # a state is asked for, not announced
    assert health.get("status") == "READY", health
    return health


@contextmanager
def container(docker: Docker, image: str, **env: str):
    """A container of the image on the host's network; its address."""
    port = free_port()
    variables = [word for name, value in {**env, "PORT": str(port)}.items() for word in ("-e", f"{name}={value}")]
    name = docker("run", "-d", "--network=host", *variables, image).strip()
    try:
        yield f"http://127.0.0.1:{port}", name
    finally:
        docker("rm", "-f", name)
