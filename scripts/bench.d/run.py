"""`scripts/bench run`: one line of the code changed to the prediction's answer, and a sandbox to its first answer."""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import engine
import measure
import peers
import ready
from subject import Subject, example

from cog_oci.build import build
from cog_oci.config import Project
from cog_oci.lock import Lock
from cog_oci.oci import Platform
from cog_oci.options import Options
from cog_oci.sandbox import Sandbox, unavailable
from cog_oci.workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from engine import Engine

    from cog_oci.oci import Image

__all__ = ["bench"]

_HERE = Platform("linux", {"aarch64": "arm64"}.get(os.uname().machine, "amd64"))

# The least that a model can be: what is left is what a tool adds to it.
_FILES = {
    "cog.yaml": "build:\n  python_version: '3.13'\nrun: run.py:Runner\n",
    "run.py": "from cog import BaseRunner\n\n\nclass Runner(BaseRunner):\n"
    '    def run(self, text: str) -> str:\n        return "hello " + text\n',
}


def bench(folder: Path, runs: int) -> None:
    """The least model, and examples/filetype; everything below `folder`."""
    hello = Subject(folder / "hello", folder / "cache")
    hello.project.mkdir()
    for name, text in _FILES.items():
        (hello.project / name).write_text(text)
    filetype = example("filetype", folder)
    asked = [
        _Asked(hello, ("-i", "text=you"), {"text": "you"}),
        _Asked(filetype, ("-i", "file=@run.py"), {"file": "data:text/x-python;base64,aW1wb3J0IG9zCg=="}),
    ]
    for one in asked:
        measure.say(f"{one.subject.name}: locking")
        one.subject("lock", "--platform", str(_HERE))
    _with_docker(asked, folder / "engine", runs)
    for one in asked:
        if reason := unavailable():
            measure.skip(f"{one.subject.name}: sandbox to first health answer", reason)
        else:
            _sandbox(one, runs)


@dataclass(frozen=True)
class _Asked:
    """A project, and an input for it: on the command line, and as the server takes it."""

    subject: Subject
    options: tuple[str, ...]
    given: dict[str, str]


def _with_docker(asked: list[_Asked], folder: Path, runs: int) -> None:
    with ExitStack() as stack:
        why = engine.lacking()
        if not why:
            folder.mkdir()
            try:
                daemon = stack.enter_context(engine.started(folder))
            except TimeoutError as error:
                why = str(error)
        for one in asked:
            figure = f"{one.subject.name}: one line changed to the answer, with dockerd"
            if why:
                measure.skip(figure, why)
                continue
            _against(figure, one, daemon, runs)


def _against(figure: str, one: _Asked, daemon: Engine, runs: int) -> None:
    """In turns: `cog-oci run`, and what one types without it."""

    def ours() -> None:
        one.subject("run", "--engine", "docker", "--network", "host", *one.options, env=daemon.env)

    ours()  # from now on the daemon has everything but the code
    others = [peers.ours(one.subject, one.given, daemon)]
    try:
        others.append(peers.cog(one.subject, one.given, daemon))
    except subprocess.CalledProcessError:  # whose words are on standard error
        measure.skip(f"{figure}, against coglet", "pip cannot install it here, or no image be made of it")
    for peer in others:
        peer()
    sides: list[Callable[[], None]] = [ours, *others]
    taken, *theirs = measure.in_turns(sides, runs, lambda side: _changed(one.subject, side))
    seconds = statistics.median(taken)
    for peer, peer_taken in zip(others, theirs, strict=True):
        peer_seconds = statistics.median(peer_taken)
        line = {
            "figure": figure,
            "seconds": round(seconds, 3),
            "peer_seconds": round(peer_seconds, 3),
            "ratio": round(peer_seconds / seconds, 2),
            "peer_is": f"docker build and docker run, {peer.name}",
            "peer_each": {name: round(statistics.median(each[1:]), 3) for name, each in peer.parts.items()},
            "runs": runs,
        }
        print(json.dumps(line), flush=True)


def _changed(subject: Subject, side: Callable[[], None]) -> float:
    subject.add_a_line()
    start = time.perf_counter()
    side()
    return time.perf_counter() - start


def _sandbox(one: _Asked, runs: int) -> None:
    """`cog-oci serve` from its start to the first answer, and the server alone, in a sandbox that stands already."""
    image = _image(one.subject)
    sides: list[Callable[[], float]] = [
        lambda: _served(one.subject),
        lambda: _started(one.subject, image, alone=False),
        lambda: _started(one.subject, image, alone=True),
    ]
    for side in sides:
        side()  # unpacks the layers, and reads them into memory
    command, container, server = measure.in_turns(sides, runs, lambda side: side())
    middle = [statistics.median(taken) for taken in (command, container, server)]
    line = {
        "figure": f"{one.subject.name}: sandbox to first health answer",
        "seconds": round(middle[1], 3),
        "command_seconds": round(middle[0], 3),
        "server_seconds": round(middle[2], 3),
        "more": round(middle[1] - middle[2], 3),
        "command_more": round(middle[0] - middle[2], 3),
        "runs": runs,
    }
    print(json.dumps(line), flush=True)


def _image(subject: Subject) -> Image:
    lock = Lock.read(subject.project / "cog.lock")
    return build(Project.find(subject.project), _HERE, lock, Workshop(subject.store), Options(mounted=True)).image


def _served(subject: Subject) -> float:
    port = ready.free_port()
    env = {**os.environ, "COG_CACHE_DIR": str(subject.cache)}
    start = time.perf_counter()
    process = subprocess.Popen(
        ["cog-oci", "serve", "--engine", "sandbox", "-p", str(port)],
        cwd=subject.project,
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        ready.wait(port, bool, process)
        return time.perf_counter() - start
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


def _started(subject: Subject, image: Image, *, alone: bool) -> float:
    """Seconds to the first answer: with the sandbox, or `alone`, from when that stands."""
    port = ready.free_port()
    server = [*image.config.entrypoint, *image.config.command, "--host", "127.0.0.1"]
    command = ["sh", "-c", 'echo; read _; exec "$@"', "wait", *server] if alone else server
    ours, theirs = os.pipe(), os.pipe()
    start = time.perf_counter()
    with Sandbox(image, subject.store).start(
        command,
        env={"COG_LOG_LEVEL": "error", "PORT": str(port)},
        stdin=ours[0],
        stdout=theirs[1],
        mounts={image.config.working_dir: subject.project},
    ) as process:
        if alone:
            os.read(theirs[0], 1)
            start = time.perf_counter()
            os.write(ours[1], b"\n")
        ready.wait(port, bool, process)
        taken = time.perf_counter() - start
    for end in (*ours, *theirs):
        os.close(end)
    return taken
