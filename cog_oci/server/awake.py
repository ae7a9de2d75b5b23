"""Keeping the event loop from sleeping for what is likely to come at once."""

from __future__ import annotations

import asyncio
import math
import os
import time

from cog_oci.sdk.cog._lookout import Lookout

__all__ = ["Awake"]


class Awake:
    """While it looks, the loop goes round and does what else there is to do.

    What was `quick`, in seconds, several times in a row is looked for the next time, for `seconds` at most.
    """

    def __init__(self, quick: float, seconds: float) -> None:
        self._seconds = seconds
        self._lookout = Lookout(quick)
        self._until = 0.0
        self._going_round = False

    def look(self) -> None:
        """Something is expected: look for it, if it is likely to come at once."""
        if not self._lookout.worthwhile:
            return
        self._until = time.perf_counter() + self._seconds
        if not self._going_round:  # for what came before, until just now
            self._going_round = True
            asyncio.get_running_loop().call_soon(self._go_round)

    def come(self) -> None:
        """It is there; how long it took is said by `note`."""
        self._until = 0.0

    def note(self, seconds: float) -> None:
        """Something took so long."""
        self._lookout.note(seconds)

    def _go_round(self) -> None:
        if self._until and time.perf_counter() < self._until:
            os.sched_yield()  # who is to send it may have no other processor
            asyncio.get_running_loop().call_soon(self._go_round)
            return
        self._going_round = False
        if self._until:
            self._until = 0.0
            self._lookout.note(math.inf)  # whoever is to send it has no processor, or takes longer
