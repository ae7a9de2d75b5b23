"""One prediction in a container without its HTTP server: the request goes in, what happens comes out, by pipes.

That saves what the server needs to start, and a port. It is for images that were built just now: their server knows
`cog_oci/server/conversation.py`, whose events these are.
"""

from __future__ import annotations

import json
import os
import select
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from cog_oci.cli._events import events_of
from cog_oci.cli._lifetime import ended_soon
from cog_oci.engines import Launch
from cog_oci.errors import CogError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cog_oci.cli._asked import Asked, Kind, Viewer
    from cog_oci.cli._launch import Where
    from cog_oci.cli._ready import Ready

__all__ = ["once"]

_END_SECONDS = 10.0  # that a model may take to close what it has open
_PROGRAM = "import sys; sys.path.insert(0, sys.argv[1]); from cog_oci.server.once import main; main(sys.argv[2:])"


def once(ready: Ready, where: Where, kind: Kind, asking: Callable[[], Asked], viewer: Viewer) -> None:
    """As for `ask`."""
    *python, server = ready.image.command
    requests, events = os.pipe(), os.pipe()
    gate = _Gate(asking, requests[1])
    launch = Launch(
        command=(*python, "-c", _PROGRAM, server, kind),
        env={**ready.variables, **where.env},
        project=ready.project,
        pipes=(requests[0], events[1]),
        network=where.network,
        gpus=where.gpus or ready.gpus,
        gate=gate.open,
    )
    with os.fdopen(events[0], "rb", buffering=0) as told, ready.image.start(launch) as container:
        lines = _Lines(told.fileno(), gate.setup_timeout)
        seen = _Seen(viewer, lines)
        for event, data in events_of(lines):
            seen.take(event, data)
            if event == "ended":  # the engine may take longer to see it
                container.over()
                break
        if not seen.is_complete:
            status = ended_soon(container)
            why = (
                "the connection to the container is lost"
                if status is None
                else f"the container ended with status {status}"
            )
            raise CogError(f"there is no answer: {why}")


class _Gate:
    """What is asked, on its way into the pipe as soon as it is known; `setup_timeout`, in seconds, is 0 before that."""

    def __init__(self, asking: Callable[[], Asked], pipe: int) -> None:
        self._asking, self._pipe = asking, pipe
        self.setup_timeout = 0.0

    def open(self) -> None:
        """Ask. What keeps that from being done, an input that does not fit, is raised."""
        try:
            asked = self._asking()
        except BaseException:
            os.close(self._pipe)
            raise
        self.setup_timeout = asked.setup_timeout
        request = {"id": f"run-{os.urandom(6).hex()}", **asked.body}
        data = json.dumps(request).encode() + b"\n"
        threading.Thread(target=_send, args=(self._pipe, data), daemon=True).start()


class _Seen:
    """What has been told so far."""

    def __init__(self, viewer: Viewer, lines: _Lines) -> None:
        self._viewer, self._lines = viewer, lines
        self.is_complete = False

    def take(self, event: str, data: Any) -> None:
        """One event more."""
        if event == "setup":
            click.echo(data["data"], err=True, nl=False)
        elif event == "failed":
            click.echo(data["traceback"], err=True, nl=False)
            raise CogError(f"the model's setup failed: {data['error']}")
        elif event == "ready":
            self._lines.wait_for_ever()
            self._viewer.ready()
        elif event == "traceback":
            click.echo(data["data"], err=True, nl=False)
        elif event == "log":
            self._viewer.log(data["data"])
        elif event == "output":
            self._viewer.items([data["chunk"]])
        elif event == "completed":
            self.is_complete = True
            self._lines.wait_for_the_end(_END_SECONDS)
            self._viewer.finish(data)


def _send(descriptor: int, data: bytes) -> None:
    """In a thread: a pipe holds less than a picture, and who reads it has to start first."""
    with suppress(BrokenPipeError), os.fdopen(descriptor, "wb") as pipe:
        pipe.write(data)


class _Lines:
    """What comes, line by line, to its end. Raises CogError when the model is not ready in time."""

    def __init__(self, descriptor: int, setup_timeout: float) -> None:
        self._descriptor, self._setup_timeout = descriptor, setup_timeout
        self._deadline: float | None = time.monotonic() + setup_timeout
        self._ending = False

    def wait_for_ever(self) -> None:
        """The model is ready: it takes as long as it takes."""
        self._deadline = None

    def wait_for_the_end(self, seconds: float) -> None:
        """All has been said: the end is not waited for any longer than this."""
        self._ending, self._deadline = True, time.monotonic() + seconds

    def __iter__(self) -> Iterator[bytes]:
        begun: list[bytes] = []  # of a line that may have a file in it: it is put together once
        while True:
            left = None if self._deadline is None else max(0.0, self._deadline - time.monotonic())
            if not select.select([self._descriptor], [], [], left)[0]:
                if self._ending:
                    return
                raise CogError(
                    f"the model was not ready after {self._setup_timeout:g} s",
                    hint="give it longer with --setup-timeout",
                )
            data = os.read(self._descriptor, 1 << 20)
            if not data:
                return
            first, newline, more = data.partition(b"\n")
            begun.append(first)
            if newline:
                *lines, rest = more.split(b"\n")
                yield b"".join(begun)
                yield from lines
                begun = [rest]
