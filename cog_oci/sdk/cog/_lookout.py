"""Whether to look for the next message for a moment before sleeping.

Who sleeps has to be woken by who sends, and where the processor sleeps too, as that of an idle virtual machine does,
this takes both of them longer than a small model takes. So who has been answered at once several times in a row looks
for the next message about as long; once in vain, and it sleeps again.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

__all__ = ["Lookout"]

_ENOUGH = 8
"""So many short waits pay for one look in vain."""
_QUOTA = Path("/sys/fs/cgroup/cpu.max")


class Lookout:
    """Remembers how many waits in a row took no longer than `seconds`."""

    __slots__ = ("_quick", "_seconds")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds if _processors() >= 2.0 else -1.0  # of one, who looks keeps the other from answering
        self._quick = 0

    @property
    def worthwhile(self) -> bool:
        """Whether the next wait is likely to be short, too."""
        return self._quick >= _ENOUGH

    def note(self, seconds: float) -> None:
        """Something has come after so many seconds; infinity for what was looked for in vain."""
        self._quick = self._quick + 1 if seconds <= self._seconds else 0


def _processors() -> float:
    """How many this process may use: sched_getaffinity(2), and the quota of its control group (cgroups v2), if any."""
    affinity = getattr(os, "sched_getaffinity", None)
    count = float(len(affinity(0)) if affinity is not None else os.cpu_count() or 1)
    with contextlib.suppress(OSError, ValueError):  # no control group, or none with a quota ("max")
        quota, period = _QUOTA.read_text("ascii").split()
        count = min(count, int(quota) / int(period))
    return count
