"""What this server has done so far, in numbers. Counting is cheap; `exposition` puts the numbers into words."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from itertools import accumulate
from typing import TYPE_CHECKING

from cog_oci.sdk.cog._wire import Done, Output
from cog_oci.server.prediction import Refused, Started

if TYPE_CHECKING:
    from cog_oci.server.prediction import Event, Prediction

__all__ = ["BOUNDS", "REASONS", "Histogram", "Metrics"]

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""Upper ends of a histogram's buckets, in seconds: from a small classifier to a long video."""

REASONS = ("invalid", "capacity", "conflict", "unavailable")
"""Why a request becomes no prediction: 422, 409 without a slot, 409 of an id that is taken, 503."""


class Histogram:
    """How many observations fell into which bucket, and their sum in seconds."""

    __slots__ = ("_counts", "total")

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        """One more."""
        self._counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds

    def cumulative(self) -> list[int]:
        """How many were at most each bound, and at last how many there were."""
        return list(accumulate(self._counts))


class Metrics:
    """The counters. An instance is a listener for every prediction; the rest is told by whoever knows."""

    def __init__(self) -> None:
        self.ended: dict[str, Histogram] = {status: Histogram() for status in ("succeeded", "failed", "canceled")}
        """How long predictions took, by how they ended."""
        self.first_output = Histogram()
        """From start to the first item, of predictions that stream."""
        self.rejected: Counter[str] = Counter()
        self.webhooks: Counter[tuple[str, str]] = Counter()
        """Requests, by the event (interim or terminal) and what came of it (delivered, failed, retried)."""
        self.restarts = 0
        self._streaming: set[str] = set()

    def __call__(self, prediction: Prediction, event: Event) -> None:
        """Hear of a prediction; nearly always of its start, which counts for nothing, or of its end."""
        if type(event) is Started:
            return
        if type(event) is Done:
            self.ended[event.status].observe(event.predict_time)
            if self._streaming:
                self._streaming.discard(prediction.id)
        elif type(event) is Output and prediction.id not in self._streaming:
            self._streaming.add(prediction.id)
            self.first_output.observe(prediction.elapsed)
        elif type(event) is Refused:
            self.reject("capacity")

    def reject(self, reason: str) -> None:
        """A request was turned away; `reason` is one of REASONS."""
        self.rejected[reason] += 1

    def restart(self) -> None:
        """A worker that died is replaced."""
        self.restarts += 1

    def webhook(self, event: str, outcome: str) -> None:
        """A webhook's request has ended: `event` is interim or terminal, `outcome` delivered, failed or retried."""
        self.webhooks[event, outcome] += 1
