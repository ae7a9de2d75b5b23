"""The model's server in a container."""

from __future__ import annotations

import errno
import os
import socket
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from cog_oci.cli._exchange import exchange
from cog_oci.engines import Launch, Port
from cog_oci.errors import CogError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cog_oci.cli._launch import Where
    from cog_oci.cli._ready import Ready
    from cog_oci.engines import Container, Engine

__all__ = ["Serving", "free_port", "refuse_no_network", "serving", "wait_until_ready"]

_LOOPBACK = "127.0.0.1"
_INSIDE = 5000
_QUIET = {"COG_LOG_LEVEL": "error"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """How the server starts: `port` of this machine at `host`, `arguments` of its own.

    A `quiet` server says nothing but errors; what the model says is in its answers.
    """

    port: int
    host: str = _LOOPBACK
    arguments: tuple[str, ...] = ()
    quiet: bool = False


def free_port() -> int:
    """A port of loopback that nobody has."""
    with socket.socket() as probe:
        probe.bind((_LOOPBACK, 0))
        return int(probe.getsockname()[1])


def refuse_no_network(where: Where) -> None:
    """Raises CogError for a container that has no network, in which a server waits for nobody."""
    if where.network == "none":
        raise CogError("with --network none nobody can reach the server", hint="leave out --network")


@contextmanager
def serving(engine: Engine, ready: Ready, how: Serving, where: Where) -> Iterator[tuple[str, Container]]:
    """The server's address and its container, which ends with the context.

    Raises CogError when the port is taken, or cannot be reached.
    """
    refuse_no_network(where)
    if engine.is_here():
        _refuse_taken(how)
    shared = engine.shares_network(where.network)
    variables = {**(_QUIET if how.quiet else {}), **ready.variables, **where.env}
    launch = Launch(
        command=(*ready.image.command, *(("--host", how.host) if shared else ()), *how.arguments),
        env={**variables, "PORT": str(how.port if shared else _INSIDE)},
        ports=() if shared else (Port(_INSIDE, how.port, _numeric(how.host)),),
        project=ready.project,
        network=where.network,
        gpus=where.gpus or ready.gpus,
    )
    name = _LOOPBACK if how.host in {"0.0.0.0", "::", "localhost"} else how.host  # noqa: S104 - what a user may name
    with ready.image.start(launch) as container:
        yield f"http://{f'[{name}]' if ':' in name else name}:{how.port}", container


def wait_until_ready(base: str, container: Container, timeout: float, *, showing: bool = False) -> None:
    """Returns when the model is set up; with `showing`, what it prints meanwhile is on standard error.

    `timeout` is in seconds. Raises CogError with what kept it from being so.
    """
    deadline = time.monotonic() + timeout
    shown = 0
    while time.monotonic() < deadline:
        try:
            _, health = exchange(base, "GET", "/health-check", wait=5)
        except OSError:
            # Only now: a server that answers has not ended, and asking an engine takes longer than asking a port.
            if (status := container.poll()) is not None:
                raise CogError(f"the server ended with status {status} before it was ready") from None
            time.sleep(0.01)  # nothing tells us that a port is open; asking is cheap
            continue
        health = health if isinstance(health, dict) else {}
        logs = (health.get("setup") or {}).get("logs") or ""
        if showing:
            click.echo(logs[shown:], err=True, nl=False)
            shown = len(logs)
        if health.get("status") in {"READY", "BUSY"}:
            return
        if health.get("status") in {"SETUP_FAILED", "DEFUNCT"}:
            raise CogError(f"the model's setup failed:\n{logs.rstrip()}" if not showing else "the model's setup failed")
        time.sleep(0.02)
    raise CogError(f"the model was not ready after {timeout:g} s", hint="give it longer with --setup-timeout")


def _numeric(host: str) -> str:
    """Engines publish ports at addresses, and not at names."""
    return _LOOPBACK if host == "localhost" else host


def _refuse_taken(how: Serving) -> None:
    try:
        with socket.create_server((how.host, how.port), family=socket.AF_INET6 if ":" in how.host else socket.AF_INET):
            pass
    except OSError as error:
        number = error.errno or 0
        # What create_server adds to the words is in ours; numbers below zero are of getaddrinfo.
        words = os.strerror(number) if number > 0 else str(error.strerror).partition(" (while")[0]
        ports = number in {errno.EADDRINUSE, errno.EACCES}
        raise CogError(
            f"cannot listen on {how.host} port {how.port}: {words}",
            hint="choose another port with -p" if ports else "name an address of this machine with --host",
        ) from None
