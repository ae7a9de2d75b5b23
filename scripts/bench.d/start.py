"""`scripts/bench start`: from the start of a fresh container to READY, with bytecode in the image and without."""

from __future__ import annotations

import http.client
import json
import os
import socket
import statistics
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import measure
from subject import example

from cog_oci.build import build
from cog_oci.config import Project
from cog_oci.lock import Lock
from cog_oci.oci import Platform
from cog_oci.sandbox import Sandbox, unavailable
from cog_oci.workshop import Workshop

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from subject import Subject

    from cog_oci.oci import Image
    from cog_oci.store import Store

__all__ = ["bench"]

_HERE = Platform("linux", {"aarch64": "arm64"}.get(os.uname().machine, "amd64"))
_DEADLINE = 300  # seconds


def bench(folder: Path, runs: int) -> None:
    """Both examples; everything below `folder`."""
    for name in ("filetype", "ocr"):
        if reason := unavailable():
            measure.skip(f"{name}: start to ready", reason)
            continue
        subject = example(name, folder)
        measure.say(f"{name}: making two images")
        subject("lock", "--platform", str(_HERE), "--bytecode")
        _figures(name, _image(subject, bytecode=True), _image(subject, bytecode=False), subject.store, runs)


def _figures(name: str, compiled: Image, plain: Image, store: Store, runs: int) -> None:
    """In turns. Every run has a root of its own: nothing that one has compiled is there for the next."""
    seconds: dict[bool, list[float]] = {True: [], False: []}
    for number in range(-1, runs):  # the first unpacks the layers, and reads them into memory
        for bytecode, image in ((True, compiled), (False, plain)):
            taken = _start(image, store)
            if number >= 0:
                seconds[bytecode].append(taken)
    middle = {bytecode: statistics.median(taken) for bytecode, taken in seconds.items()}
    for bytecode, image in ((True, compiled), (False, plain)):
        line = {
            "figure": f"{name}: start to ready, {'with' if bytecode else 'without'} bytecode",
            "seconds": round(middle[bytecode], 3),
            "ratio": round(middle[False] / middle[bytecode], 2),
            "image_mb": _megabytes(image, ""),
            "bytecode_mb": _megabytes(image, "bytecode"),
            "runs": runs,
        }
        print(json.dumps(line), flush=True)


def _image(subject: Subject, *, bytecode: bool) -> Image:
    lock = Lock.read(subject.project / "cog.lock")
    platforms = {name: replace(parts, bytecode=bytecode, layers=()) for name, parts in lock.platforms.items()}
    wanted = replace(lock, platforms=platforms)
    return build(Project.find(subject.project), _HERE, wanted, Workshop(subject.store)).image


def _megabytes(image: Image, ending: str) -> float:
    """As they travel."""
    return round(sum(layer.descriptor.size for layer in image.layers if layer.name.endswith(ending)) / 1e6, 1)


def _start(image: Image, store: Store) -> float:
    """Seconds until the server says that the model is ready; exits when it never does."""
    port = _free_port()
    command = [*image.config.entrypoint, *image.config.command, "--host", "127.0.0.1"]
    with Sandbox(image, store).start(command, env={"COG_LOG_LEVEL": "error", "PORT": str(port)}) as process:
        start = time.perf_counter()
        while _status(port) != "READY":
            if process.poll() is not None or time.perf_counter() - start > _DEADLINE:
                raise SystemExit(f"bench: {_words(process)}")
            time.sleep(0.01)  # a state is asked for, not announced
        return time.perf_counter() - start


def _words(process: subprocess.Popen[bytes]) -> str:
    ended = process.poll()
    return f"the server ended with status {ended}" if ended is not None else f"not ready after {_DEADLINE} s"


def _status(port: int) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", "/health-check")
        return str(json.load(connection.getresponse())["status"])
    except (OSError, http.client.HTTPException):
        return "none"
    finally:
        with suppress(OSError):
            connection.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
