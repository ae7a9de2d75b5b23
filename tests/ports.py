"""Ports of this machine for servers that have to be told theirs."""

from __future__ import annotations

import random
import socket
from pathlib import Path

__all__ = ["free_port"]

_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_FIRST, _LAST = 10_000, 32_768
_given: set[int] = set()


def free_port() -> int:
    """One that nobody has, and that nobody gets who asks for any: it lies below those that the kernel gives (ip(7)).

    One of those may be somebody else's again before the server that it is for has started.
    """
    chance = random.SystemRandom()  # no seed of the tests' decides it: several of their processes ask
    lowest = int(_RANGE.read_text().split()[0]) if _RANGE.exists() else _LAST
    while True:
        port = chance.randrange(_FIRST, max(_FIRST + 1000, min(lowest, _LAST)))
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port
