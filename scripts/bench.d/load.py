"""wrk as the load generator: a client in Python would be slower than what it measures."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Load", "lacking", "load", "median"]

_SCRIPT = Path(__file__).with_name("predict.lua")
_BODY = '{"input": {"s": "world"}}'
_PATIENCE = 15  # seconds after which wrk itself hangs


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What came of a load.

    `good` predictions succeeded, or `per_second`; `others` counts the other answers by their HTTP status, `errors` the
    connections that broke and the requests that took more than 2 s. The times are of all answers, in ms.
    """

    good: int
    per_second: float
    p50: float
    p99: float
    others: Counter[str]
    errors: int

    @property
    def refused(self) -> float:
        """The part of all answers that were no successful prediction, from 0 to 1."""
        return self.others.total() / max(self.good + self.others.total(), 1)


def lacking() -> str:
    """Why there can be no load; empty when there can."""
    return "" if shutil.which("wrk") else "needs wrk"


def load(port: int, connections: int, seconds: int) -> Load:
    """Keep `connections` busy for so long; CalledProcessError when wrk fails."""
    done = subprocess.run(
        [
            *("wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s"),
            *("--script", str(_SCRIPT), f"http://127.0.0.1:{port}/predictions", "--", _BODY),
        ],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=seconds + _PATIENCE,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    return Load(
        good=found["good"],
        per_second=found["good"] / found["seconds"],
        p50=found["p50_us"] / 1000,
        p99=found["p99_us"] / 1000,
        others=Counter(found["others"]),
        errors=found["errors"],
    )


def median(loads: Sequence[Load]) -> Load:
    """The median of each figure by itself, and the sum of what went wrong."""
    return Load(
        good=sum(load.good for load in loads),
        per_second=statistics.median(load.per_second for load in loads),
        p50=statistics.median(load.p50 for load in loads),
        p99=statistics.median(load.p99 for load in loads),
        others=sum((load.others for load in loads), Counter()),
        errors=sum(load.errors for load in loads),
    )
