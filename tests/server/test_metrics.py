"""What `GET /metrics` shows, read by Prometheus' own parsers."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from cog_oci import __version__
from cog_oci.sdk.cog._wire import Done, Output
from cog_oci.server.metrics import BOUNDS, Histogram, Metrics
from cog_oci.server.prediction import Prediction, Refused, Request, Started
from tests.receiver import Answer, receiver
from tests.server.live import PATIENCE, live_server

OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def samples(text, read=read_text):
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in read(text)
        for sample in family.samples
    }


def scrape(server, accept="text/plain"):
    answer = server.request("GET", "/metrics", headers={"Accept": accept})
    assert answer.status_code == 200
    read = read_openmetrics if "openmetrics" in answer.headers["Content-Type"] else read_text
    return samples(answer.text, read)


def grown(before, after, *key):
    return after.get(key, 0) - before.get(key, 0)


@pytest.mark.parametrize("accept", ["text/plain", OPENMETRICS])
def test_predictions_are_counted_by_how_they_end(plain, accept):
    before = scrape(plain, accept)
    plain.predict(op="hello")
    plain.predict(op="fail")
    plain.post("/predictions", {"input": {"op": 5}})
    after = scrape(plain, accept)
    assert grown(before, after, "cog_predictions_total", "succeeded") == 1
    assert grown(before, after, "cog_predictions_total", "failed") == 1
    assert grown(before, after, "cog_predictions_total", "canceled") == 0
    assert grown(before, after, "cog_predictions_rejected_total", "invalid") == 1
    assert grown(before, after, "cog_prediction_duration_seconds_bucket", "600.0", "succeeded") == 1
    assert grown(before, after, "cog_prediction_duration_seconds_count", "succeeded") == 1


def test_the_state_of_the_moment_is_there(plain):
    now = scrape(plain)
    assert now["cog_prediction_slots",] == 1
    assert now["cog_predictions_running",] == now["cog_predictions_waiting",] == 0
    states = {key[1]: value for key, value in now.items() if key[0] == "cog_worker_state"}
    assert states == {"STARTING": 0, "READY": 1, "SETUP_FAILED": 0, "DEFUNCT": 0}
    assert 0 < now["cog_setup_duration_seconds",] < 60
    assert now["cog_http_process_open_fds",] > 3
    assert any(key[0] == "cog_server_info" and __version__ in key for key in now)


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, "text/plain; version=0.0.4"),
        ("*/*", "text/plain; version=0.0.4"),
        ("application/openmetrics-text;version=nonsense", "application/openmetrics-text; version=1.0.0"),
        (f"{OPENMETRICS},text/plain;version=0.0.4;q=0.5", "application/openmetrics-text; version=1.0.0"),
    ],
)
def test_the_scraper_says_which_format_it_reads(plain, accept, kind):
    answer = plain.request("GET", "/metrics", headers={"Accept": accept})
    assert answer.headers["Content-Type"].startswith(kind)
    assert answer.text.endswith("# EOF\n") is ("openmetrics" in kind)


def test_webhooks_are_counted_by_what_came_of_them(plain):
    before = scrape(plain)
    answers = iter([200, 500, 500, 200])
    with receiver(lambda _: Answer(next(answers))) as it:
        asked = {"input": {}, "webhook": it.url, "webhook_events_filter": ["start", "completed"]}
        plain.post("/predictions", asked)
        it.wait_for(4)
    end = time.monotonic() + PATIENCE
    while not grown(before, after := scrape(plain), "cog_webhook_requests_total", "delivered", "terminal"):
        assert time.monotonic() < end
    assert grown(before, after, "cog_webhook_requests_total", "delivered", "interim") == 1
    assert grown(before, after, "cog_webhook_requests_total", "interim", "retried") == 0
    assert grown(before, after, "cog_webhook_requests_total", "retried", "terminal") == 2
    assert grown(before, after, "cog_webhook_requests_total", "failed", "terminal") == 0


def test_a_worker_that_is_replaced_is_counted():
    with live_server("plain") as server:
        assert scrape(server)["cog_worker_restarts_total",] == 0
        server.post("/predictions", {"input": {"op": "crash"}})
        server.wait_for("READY")
        after = scrape(server)
        assert after["cog_worker_restarts_total",] == 1
        assert after["cog_predictions_total", "failed"] == 1


@given(st.lists(st.floats(0, 1000)))
def test_a_histogram_counts_what_is_at_most_each_bound(observations):
    histogram = Histogram()
    for seconds in observations:
        histogram.observe(seconds)
    counts = [sum(seconds <= bound for seconds in observations) for bound in BOUNDS]
    assert histogram.cumulative() == [*counts, len(observations)]
    assert histogram.total == pytest.approx(sum(observations))


def test_the_first_item_of_a_stream_counts_once():
    metrics = Metrics()
    prediction = Prediction("one", Request(), listeners=(metrics,))
    prediction.start()
    for event in (Output(0, b"1"), Output(0, b"2"), Done(0, "succeeded", 1.0, streamed=True)):
        prediction.apply(event)
    assert metrics.first_output.cumulative()[-1] == 1
    assert metrics.ended["succeeded"].total == 1.0


def test_a_prediction_without_a_slot_was_rejected():
    metrics = Metrics()
    metrics(Prediction("one", Request()), Started())
    metrics(Prediction("two", Request()), Refused())
    assert metrics.rejected == {"capacity": 1}
    assert not any(histogram.cumulative()[-1] for histogram in metrics.ended.values())
