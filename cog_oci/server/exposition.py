"""The numbers in Prometheus' text format 0.0.4 or as OpenMetrics, whichever the scraper prefers.

Loads prometheus-client, which takes some 15 ms and 0.7 MB: import this module at the first scrape, not before. It knows
both formats with their differences, and reads the process's own figures from /proc.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    StateSetMetricFamily,
)
from prometheus_client.exposition import choose_encoder

from cog_oci import __version__
from cog_oci.sdk.cog._wire import COG_VERSION
from cog_oci.server.metrics import BOUNDS, REASONS, Histogram
from cog_oci.server.worker import State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.core import Metric

    from cog_oci.server.crew import Crew
    from cog_oci.server.metrics import Metrics
    from cog_oci.server.predictions import Predictions

__all__ = ["Exposition"]

_OPENMETRICS = "application/openmetrics-text"
_BOUNDS = (*map(str, BOUNDS), "+Inf")


class Exposition:
    """What a scrape shows: the counters, and the state of predictions and worker at that moment."""

    def __init__(self, metrics: Metrics, predictions: Predictions, worker: Crew) -> None:
        self._metrics = metrics
        self._predictions = predictions
        self._worker = worker
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        ProcessCollector(namespace="cog_http", registry=self._registry)

    def render(self, accept: str | None) -> tuple[bytes, str]:
        """The page and its content type, by the request's `Accept`."""
        # Versions and escapings that a header may name are all one: nothing here needs more than 1.0.0 has.
        encode, content_type = choose_encoder(_OPENMETRICS if _OPENMETRICS in (accept or "").lower() else "")
        return encode(self._registry), content_type

    def collect(self) -> Iterator[Metric]:
        """All of our own metrics, for the registry."""
        yield from self._outcomes()
        yield from self._slots()
        yield from self._life()

    def _outcomes(self) -> Iterator[Metric]:
        metrics = self._metrics
        ended = CounterMetricFamily("cog_predictions", "Predictions that have ended.", labels=["status"])
        duration = HistogramMetricFamily(
            "cog_prediction_duration_seconds", "Time from start to end, as the model took it.", labels=["status"]
        )
        for status, histogram in metrics.ended.items():
            ended.add_metric([status], histogram.cumulative()[-1])
            duration.add_metric([status], _buckets(histogram), histogram.total)
        yield ended
        yield duration
        first = HistogramMetricFamily(
            "cog_prediction_first_output_seconds", "Time from start to the first item of a stream."
        )
        first.add_metric([], _buckets(metrics.first_output), metrics.first_output.total)
        yield first
        rejected = CounterMetricFamily(
            "cog_predictions_rejected", "Requests that became no prediction.", labels=["reason"]
        )
        for reason in REASONS:
            rejected.add_metric([reason], metrics.rejected[reason])
        yield rejected
        webhooks = CounterMetricFamily("cog_webhook_requests", "Requests to webhooks.", labels=["event", "outcome"])
        for (event, outcome), count in sorted(metrics.webhooks.items()):
            webhooks.add_metric([event, outcome], count)
        yield webhooks

    def _slots(self) -> Iterator[Metric]:
        predictions = self._predictions
        yield GaugeMetricFamily("cog_predictions_running", "Predictions that have a slot.", predictions.running)
        yield GaugeMetricFamily("cog_predictions_waiting", "Requests that wait for a slot.", predictions.waiting)
        yield GaugeMetricFamily("cog_prediction_slots", "How many predictions may run at a time.", predictions.slots)

    def _life(self) -> Iterator[Metric]:
        worker = self._worker
        states = StateSetMetricFamily("cog_worker_state", "The state of the worker: one is 1, the others 0.")
        states.add_metric([], {state.name: state is worker.state for state in State})
        yield states
        yield CounterMetricFamily(
            "cog_worker_restarts", "Workers that died and were replaced.", value=self._metrics.restarts
        )
        setup = worker.setup
        if setup.completed_at is not None:
            took = (setup.completed_at - setup.started_at).total_seconds()
            yield GaugeMetricFamily("cog_setup_duration_seconds", "Time that the last setup took.", took)
        versions = {"version": __version__, "cog_version": COG_VERSION, "python": worker.python or ""}
        yield InfoMetricFamily("cog_server", "What serves here; `python` is the model's.", versions)


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    return list(zip(_BOUNDS, map(float, histogram.cumulative()), strict=True))
