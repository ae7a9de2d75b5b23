"""Both servers, started alike: Cog's own and ours."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import requests

from cog_oci.schema import read_schema
from tests.ports import free_port
from tests.server.live import MODELS, live_server
from tests.server.oracle.talk import Talk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.server.oracle.deployments import Deployment
    from tests.server.oracle.receiver import Receiver

__all__ = ["cog", "ours"]


@contextlib.contextmanager
def cog(python: str, deployment: Deployment, receiver: Receiver, folder: Path) -> Iterator[Talk]:
    """Cog's own server; `python` is that of a virtual environment that has it."""
    port = free_port()
    project = _project(deployment, folder)
    environment = {
        "PATH": f"{Path(python).parent}:{os.environ['PATH']}",
        "PORT": str(port),
        "COG_PREDICT_TYPE_STUB": deployment.reference,
        "COG_LOG_LEVEL": "error",
        **deployment.environment,
    }
    command = [python, "-m", "cog.server.http", "--host", "127.0.0.1", *_arguments(deployment, receiver)]
    with subprocess.Popen(
        command, cwd=project, env=environment, stderr=subprocess.DEVNULL, start_new_session=True
    ) as popen:
        talk = Talk(port, project, receiver, popen)
        try:
            _wait(talk, deployment)
            yield talk
        finally:
            talk.close()
            with contextlib.suppress(ProcessLookupError):  # its worker outlives it in some of these tests
                os.killpg(popen.pid, signal.SIGKILL)


@contextlib.contextmanager
def ours(deployment: Deployment, receiver: Receiver, folder: Path) -> Iterator[Talk]:
    """The server of this package."""
    project = _project(deployment, folder)
    settings = {**deployment.environment, "COG_PREDICT_TYPE_STUB": deployment.reference}
    arguments = _arguments(deployment, receiver)
    with live_server(deployment.model, *arguments, wait=False, folder=project, **settings) as server:
        talk = Talk(int(server.url.rpartition(":")[2]), project, receiver, server.popen)
        try:
            _wait(talk, deployment)
            yield talk
        finally:
            talk.close()


def _arguments(deployment: Deployment, receiver: Receiver) -> list[str]:
    return [argument.replace("{receiver}", receiver.url) for argument in deployment.arguments]


def _project(deployment: Deployment, folder: Path) -> Path:
    shutil.copytree(MODELS / deployment.model, folder, ignore=shutil.ignore_patterns("__pycache__"))
    if deployment.schema:
        with _PARSER:
            schema = _schema(deployment.model, deployment.declared or deployment.reference, deployment.train)
        (folder / ".cog").mkdir()
        (folder / ".cog/openapi_schema.json").write_bytes(schema)
    return folder


_PARSER = threading.Lock()
"""CPython 3.11's parser counts its recursion for all threads together, and is confused when two are at it."""


@functools.cache
def _schema(model: str, reference: str, train: str | None) -> bytes:
    return read_schema(MODELS / model, reference, train=train).to_bytes()


def _wait(talk: Talk, deployment: Deployment) -> None:
    """Until it answers and, unless setup is what is asked about, setup has ended."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        with contextlib.suppress(requests.ConnectionError, ConnectionError):
            status = talk.health()["status"]
            if not deployment.ready or status != "STARTING":
                return
        time.sleep(0.03)
    raise AssertionError(f"the server of {deployment} did not get ready")
