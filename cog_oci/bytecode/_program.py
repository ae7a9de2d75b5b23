"""Runs in the image, by its interpreter, and is never imported: sources in on standard input, bytecode out.

A request is a number of sources and, for each, the lengths of its path and of its text, and the two. The answer has,
for each, a mark, a length and that many bytes: `+` and a `.pyc`, or `-` and why the source does not compile. The end of
the input is the end.
"""

from __future__ import annotations

import marshal
import os
import struct
import sys
from importlib.util import MAGIC_NUMBER, source_hash

_COUNT = struct.Struct(">I")
_SOURCE = struct.Struct(">II")
_ANSWER = struct.Struct(">cI")
_ROOM = 64 << 20
_UNCHECKED = (1).to_bytes(4, "little")  # PEP 552: with the source's hash, which nobody compares when it is loaded


def serve() -> None:
    """Answer requests until there are no more.

    What marshal writes may depend on the strings that the process has seen (it marks what is referred to more than
    once). So each request has a process of its own that has seen none: its bytecode is a function of the interpreter
    and of the request, whatever came before it and whatever is compiled beside it.
    """
    requests = sys.stdin.buffer
    while head := requests.read(_COUNT.size):
        sources = []
        for _ in range(_COUNT.unpack(head)[0]):
            path, text = _SOURCE.unpack(requests.read(_SOURCE.size))
            sources.append((requests.read(path), requests.read(text)))
        process = os.fork()
        if not process:
            for path, text in sources:
                _write(*_compiled(os.fsdecode(path), text))
            os._exit(0)
        _, status = os.waitpid(process, 0)
        if status:
            sys.exit(f"compiling ended with status {os.waitstatus_to_exitcode(status)}")


def _compiled(path: str, source: bytes) -> tuple[bytes, bytes]:
    try:
        # No `-O` of this process, no flags of this file: as `python -m compileall` would.
        code = compile(source, path, "exec", dont_inherit=True, optimize=0)
        return b"+", MAGIC_NUMBER + _UNCHECKED + source_hash(source) + marshal.dumps(code)
    except (SyntaxError, ValueError, RecursionError) as error:
        return b"-", _because(error)
    except MemoryError as error:
        bytearray(_ROOM)  # this is what parsers say to a source that is nested too deep; if it is true, this raises
        return b"-", _because(error)


def _because(error: Exception) -> bytes:
    return f"{type(error).__name__}: {error}".encode(errors="replace")


def _write(mark: bytes, data: bytes) -> None:
    answer = memoryview(_ANSWER.pack(mark, len(data)) + data)
    while answer:
        answer = answer[os.write(1, answer) :]


if __name__ == "__main__":
    serve()
