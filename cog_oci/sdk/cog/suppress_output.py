"""Silence for code that prints more than a prediction's logs should hold."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["suppress_output"]

_STANDARD = (1, 2)
"""File descriptors of standard output and standard error: what C libraries and other programs print through."""


@contextmanager
def suppress_output() -> Iterator[None]:
    """Nothing that is printed inside the `with` is seen: by Python, by C libraries, by programs started in it.

    It holds for the whole process, so also for predictions that run at the same time.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(fd) for fd in _STANDARD]
    try:
        with (
            Path(os.devnull).open("w", encoding="utf-8") as nowhere,
            redirect_stdout(nowhere),
            redirect_stderr(nowhere),
        ):
            for fd in _STANDARD:
                os.dup2(nowhere.fileno(), fd)
            try:
                yield
            finally:
                for fd, copy in zip(_STANDARD, kept, strict=True):
                    os.dup2(copy, fd)
    finally:
        for copy in kept:
            os.close(copy)
