"""A server on the loopback, asked until it is ready and then for a prediction."""

from __future__ import annotations

import http.client
import json
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Mapping

__all__ = ["free_port", "predict", "wait"]

_DEADLINE = 120  # seconds
_PAUSE = 0.01  # seconds between two questions to a server that has not begun to listen
_PATIENCE = 60  # seconds for an answer


def wait(port: int, enough: Callable[[str], bool], process: subprocess.Popen[bytes] | None = None) -> None:
    """Until the status that /health-check names is `enough`; it is empty while nothing answers.

    Exits when that is never the case, or `process`, which is to answer, has ended.
    """
    deadline = time.monotonic() + _DEADLINE
    while not enough(_status(port)):
        if time.monotonic() > deadline or (process is not None and process.poll() is not None):
            raise SystemExit("bench: the server never answered")
        time.sleep(_PAUSE)  # a state is asked for, not announced


def predict(port: int, given: Mapping[str, str]) -> None:
    """Wait for the answer to this input; exits when it is none that has succeeded."""
    answer = _ask(port, "POST", "/predictions", {"input": given})
    if not answer or answer.get("status") != "succeeded":
        raise SystemExit(f"bench: the peer's prediction failed: {answer}")


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _status(port: int) -> str:
    answer = _ask(port, "GET", "/health-check", None)
    return str(answer["status"]) if answer else ""


def _ask(port: int, method: str, path: str, body: object) -> dict[str, object] | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    try:
        connection.request(method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
        found: dict[str, object] = json.load(connection.getresponse())
    except (OSError, http.client.HTTPException):
        return None
    finally:
        with suppress(OSError):
            connection.close()
    return found
