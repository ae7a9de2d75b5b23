"""An image's interpreter at work on the build host: it compiles what it will load, in the sandbox, on its base."""

from __future__ import annotations

import os
import platform as host
import queue
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from cog_oci.errors import CogError
from cog_oci.layers import realise, recipe
from cog_oci.oci import Image, ImageConfig, Platform
from cog_oci.sandbox import Sandbox, unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cog_oci.layers import Compression, Layer
    from cog_oci.layers._tar import Content
    from cog_oci.layers.bytecode import Compile
    from cog_oci.lock import Artifact, Deb
    from cog_oci.store import Store

__all__ = ["CannotCompileError", "TargetInterpreter", "cannot_compile"]

_VERSION = 1
_PROGRAM = Path(__file__).with_name("_compile.py")
# Nothing of the image but the interpreter and its library. The seed is not for the library's sake: before 3.11, sets of
# constants are written in the order of their hashes.
_FLAGS = ("-S", "-s", "-B", "-W", "ignore")
_ENVIRONMENT = {"PYTHONHASHSEED": "0", "LANG": "C.UTF-8"}
_BATCH = 32  # sources that one process compiles: its start is a few milliseconds, as long as a source takes
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
_COUNT = struct.Struct(">I")
_SOURCE = struct.Struct(">II")
_ANSWER = struct.Struct(">cI")


class CannotCompileError(CogError):
    """The image has bytecode in it that is not made yet, and this host cannot run its interpreter."""

    def __init__(self, platform: Platform, reason: str) -> None:
        self.platform, self.reason = platform, reason
        super().__init__(
            f"cog.lock asks for compiled Python, which only the Python of the image can make: {reason}",
            hint=f"build on a {platform} host, or leave it out with `cog-oci lock --no-bytecode`",
        )


@dataclass(frozen=True)
class TargetInterpreter:
    """The Python of an image: `debs` are its own packages, `base` is the layer that it starts from."""

    python_version: str
    executable: str
    debs: tuple[Deb, ...]
    base: Layer
    compression: Compression = "gzip"

    @property
    def artifacts(self) -> Sequence[Artifact]:
        """What the base is made from."""
        return self.base.artifacts

    @cached_property
    def recipe(self) -> str:
        """By the interpreter's packages alone: no other part of a base decides what it compiles to."""
        return recipe("interpreter", _VERSION, debs=sorted(deb.sha256 for deb in self.debs))

    @contextmanager
    def open(self, store: Store) -> Iterator[Compile]:
        """One interpreter for each core; raises CannotCompileError, and CogError when one ends before its time."""
        platform = Platform("linux", self.debs[0].architecture)
        if reason := cannot_compile(platform):
            raise CannotCompileError(platform, reason)
        base = realise(self.base, store, compression=self.compression)
        sandbox = Sandbox(Image(platform, ImageConfig(), (base,)), store)
        with ExitStack() as stack:
            idle: queue.SimpleQueue[subprocess.Popen[bytes]] = queue.SimpleQueue()
            cores = len(os.sched_getaffinity(0))
            for _ in range(cores):
                idle.put(stack.enter_context(self._started(sandbox)))
            pool = stack.enter_context(_Workers(cores))

            def one(batch: Sequence[tuple[str, Content]]) -> list[bytes | None]:
                process = idle.get()
                try:
                    return _exchange(process, batch)
                finally:
                    idle.put(process)

            def compile_(sources: Sequence[tuple[str, Content]]) -> Iterable[bytes | None]:
                batches = [sources[first : first + _BATCH] for first in range(0, len(sources), _BATCH)]
                return chain.from_iterable(pool.map(one, batches))

            yield compile_

    @contextmanager
    def _started(self, sandbox: Sandbox) -> Iterator[subprocess.Popen[bytes]]:
        command = [self.executable, *_FLAGS, "-c", _PROGRAM.read_text(encoding="utf-8")]
        pipe = subprocess.PIPE
        # Leaving the inner context closes the pipes, which the program takes for the end of its work.
        with sandbox.start(command, env=_ENVIRONMENT, stdin=pipe, stdout=pipe) as process, process:
            yield process


def cannot_compile(platform: Platform) -> str | None:
    """Why this host cannot run the interpreter of an image for `platform`; None when it can. Makes nothing."""
    machine = host.machine()
    if sys.platform != "linux":
        return f"that needs Linux, and this host is {sys.platform}"
    if _MACHINES.get(machine) != platform.architecture:
        return f"the image is for {platform.architecture}, and this host is {machine}"
    return unavailable()


@contextmanager
def _Workers(number: int) -> Iterator[ThreadPoolExecutor]:  # noqa: N802 - reads as the thing that it gives
    """Threads; what has not begun when the context ends does not begin."""
    pool = ThreadPoolExecutor(number, thread_name_prefix="bytecode")
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _exchange(process: subprocess.Popen[bytes], batch: Sequence[tuple[str, Content]]) -> list[bytes | None]:
    """Have the sources compiled by this interpreter, which takes all of them before it answers."""
    request: list[bytes | memoryview] = [_COUNT.pack(len(batch))]
    for path, content in batch:
        name = os.fsencode(path)
        request += (_SOURCE.pack(len(name), content.size), name, *content.chunks())
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("the interpreter was started without pipes")
    answers: list[bytes | None] = []
    try:
        process.stdin.writelines(request)
        process.stdin.flush()
        for _ in batch:
            mark, size = _ANSWER.unpack(process.stdout.read(_ANSWER.size))
            data = process.stdout.read(size)
            answers.append(data if mark == b"+" else None)
    except (BrokenPipeError, struct.error):
        path = batch[len(answers)][0]
        status = process.wait()
        raise CogError(
            f"the Python of the image ended with status {status} when it should have compiled {path}",
            hint="its own words are above; `cog-oci lock --no-bytecode` leaves bytecode out of the image",
        ) from None
    return answers
