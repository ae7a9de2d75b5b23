"""How what was started ends: with us, in order, and told apart from what goes on."""

from __future__ import annotations

import signal
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cog_oci.engines import Container

__all__ = ["ended_soon", "ending_in_order"]


@contextmanager
def ending_in_order() -> Iterator[None]:
    """Inside, SIGTERM and a terminal that is closed end us as Ctrl-C does: what was started is ended first."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:  # as nohup has it
            signal.signal(number, lambda number, _: sys.exit(128 + number))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def ended_soon(container: Container, seconds: float = 3) -> int | None:
    """The status of a container whose server is gone: an engine may learn of its end after we do."""
    deadline = time.monotonic() + seconds
    while (status := container.poll()) is None and time.monotonic() < deadline:
        time.sleep(0.05)
    return status
