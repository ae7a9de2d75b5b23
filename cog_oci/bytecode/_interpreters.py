"""Interpreters of an image, running in the sandbox on nothing but its base, to which sources are handed to compile."""

from __future__ import annotations

import os
import queue
import struct
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING

from cog_oci.errors import CogError
from cog_oci.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cog_oci.layers._tar import Content
    from cog_oci.layers.bytecode import Compile
    from cog_oci.oci import Image
    from cog_oci.store import Store

    Source = tuple[str, Content]

__all__ = ["started"]

_PROGRAM = Path(__file__).with_name("_program.py")
# Nothing of the image but the interpreter and its library. The seed is not for their sake: before 3.11, sets of
# constants are written in the order of their hashes.
_FLAGS = ("-S", "-s", "-B", "-W", "ignore")
_ENVIRONMENT = {"PYTHONHASHSEED": "0", "LANG": "C.UTF-8"}
_BATCH = 32  # sources that one process compiles: it takes some milliseconds to start, as long as a source does
_COUNT = struct.Struct(">I")
_SOURCE = struct.Struct(">II")
_ANSWER = struct.Struct(">cI")


@dataclass(frozen=True, slots=True)
class _Interpreter:
    """A process that runs the program, and its pipes."""

    process: subprocess.Popen[bytes]
    requests: IO[bytes]
    answers: IO[bytes]

    def compile(self, batch: Sequence[Source]) -> list[bytes | None]:
        """Hand the sources over, all of them, and take the answers. Raises CogError when it ends meanwhile."""
        request: list[bytes | memoryview] = [_COUNT.pack(len(batch))]
        for path, content in batch:
            name = path.encode("utf-8", "surrogateescape")
            request += (_SOURCE.pack(len(name), content.size), name, *content.chunks())
        compiled: list[bytes | None] = []
        try:
            self.requests.writelines(request)
            self.requests.flush()
            for _ in batch:
                mark, size = _ANSWER.unpack(self._read(_ANSWER.size))
                data = self._read(size)
                compiled.append(data if mark == b"+" else None)
        except (BrokenPipeError, EOFError):
            status, path = self.process.wait(), batch[len(compiled)][0]
            raise CogError(
                f"the Python of the image ended with status {status} while it compiled {path}",
                hint="its own words are above; `cog-oci lock --no-bytecode` leaves bytecode out of the image",
            ) from None
        return compiled

    def _read(self, size: int) -> bytes:
        data = self.answers.read(size)
        if len(data) != size:
            raise EOFError
        return data


@contextmanager
def started(image: Image, executable: str, store: Store) -> Iterator[Compile]:
    """One interpreter for each core, and the function that shares sources out among them.

    The sources of a call are cut into batches by their order alone, so the bytecode of each is the same however many
    interpreters there are and whoever is first.
    """
    cores = len(os.sched_getaffinity(0))
    with ExitStack() as stack:
        idle: queue.SimpleQueue[_Interpreter] = queue.SimpleQueue()
        for _ in range(cores):
            idle.put(stack.enter_context(_started(Sandbox(image, store), executable)))
        pool = stack.enter_context(_Workers(cores))

        def one(batch: Sequence[Source]) -> list[bytes | None]:
            interpreter = idle.get()
            try:
                return interpreter.compile(batch)
            finally:
                idle.put(interpreter)

        def compile_(sources: Sequence[Source]) -> Iterable[bytes | None]:
            batches = [sources[first : first + _BATCH] for first in range(0, len(sources), _BATCH)]
            return chain.from_iterable(pool.map(one, batches))

        yield compile_


@contextmanager
def _started(sandbox: Sandbox, executable: str) -> Iterator[_Interpreter]:
    command = [executable, *_FLAGS, "-c", _PROGRAM.read_text(encoding="utf-8")]
    pipe = subprocess.PIPE
    with sandbox.start(command, env=_ENVIRONMENT, stdin=pipe, stdout=pipe) as process:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the interpreter was started without pipes")
        try:
            yield _Interpreter(process, process.stdin, process.stdout)
        finally:
            # The program takes the end of its input for the end of its work.
            with suppress(BrokenPipeError):
                process.stdin.close()
            process.stdout.close()
            process.wait()


@contextmanager
def _Workers(number: int) -> Iterator[ThreadPoolExecutor]:  # noqa: N802 - reads as the thing that it gives
    """Threads; what has not begun when the context ends does not begin."""
    pool = ThreadPoolExecutor(number, thread_name_prefix="bytecode")
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
