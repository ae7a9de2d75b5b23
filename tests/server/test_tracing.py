"""Spans, where OpenTelemetry is wanted: as an exporter sees them, and as a collector gets them."""

from __future__ import annotations

import builtins
import logging
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cog_oci.sdk.cog._wire import Done, Output
from cog_oci.server.prediction import Prediction, Request
from cog_oci.server.tracing import Tracing, start_tracing, trace_id
from tests.server.live import PATIENCE, live_server

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (PARENT, TRACE),
        (f" {PARENT} ", TRACE),
        (f"01-{TRACE}-00f067aa0ba902b7-01-more", TRACE),
        (f"ff-{TRACE}-00f067aa0ba902b7-01", None),
        (f"00-{'0' * 32}-00f067aa0ba902b7-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE.upper()}-00f067aa0ba902b7-01", None),
        ("", None),
        (None, None),
    ],
)
def test_the_trace_is_read_as_the_recommendation_says(header, found):
    assert trace_id(header) == found


@given(st.text())
def test_no_header_is_too_strange(header):
    assert trace_id(header) in {None, header.strip()[3:35]}


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"},
        {"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"},
        {"COG_TRACE_ENABLED": "false", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"},
        {"COG_TRACE_CONFIGURED": "0"},
    ],
)
def test_who_does_not_want_traces_has_none_and_hears_nothing(environment, caplog):
    assert start_tracing(environment) is None
    assert caplog.records == []


@pytest.mark.parametrize(
    ("environment", "word"),
    [
        ({"COG_TRACE_CONFIGURED": "1"}, "Tracing enabled without an OTLP endpoint; tracing disabled"),
        ({"COG_TRACE_ENABLED": "true"}, "Tracing enabled without an OTLP endpoint; tracing disabled"),
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OpenTelemetry|OTEL_TRACES_EXPORTER=zipkin is not known here"),
        (
            {"OTEL_TRACES_EXPORTER": "console", "COG_TRACE_SAMPLER": "dice"},
            "OpenTelemetry|COG_TRACE_SAMPLER=dice is no sampler",
        ),
        (
            {"OTEL_TRACES_EXPORTER": "console", "COG_TRACE_SAMPLER_ARG": "x", "COG_TRACE_SAMPLER": "traceidratio"},
            "OpenTelemetry|float",
        ),
    ],
)
def test_what_cannot_be_traced_is_said_once_and_served_all_the_same(environment, word, caplog):
    assert start_tracing(environment) is None
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert any(part in record.getMessage() for part in word.split("|"))


def test_without_the_packages_there_is_one_line_that_says_what_to_add(monkeypatch, caplog):
    real = builtins.__import__

    def without(name, *rest, **options):
        if name.startswith("opentelemetry"):
            raise ModuleNotFoundError(f"No module named {name!r}")
        return real(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    assert start_tracing({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}) is None
    (record,) = caplog.records
    assert "add opentelemetry-sdk and opentelemetry-exporter-otlp-proto-http" in record.getMessage()


@pytest.fixture
def traced():
    """Tracing, and the spans that it has finished."""
    pytest.importorskip("opentelemetry.sdk")
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return Tracing(provider), exporter.get_finished_spans


def run(tracing, *events, trace=None, started=True):
    prediction = Prediction("one", Request(trace=trace or {}), listeners=(tracing,))
    if started:
        prediction.start()
    for event in events:
        prediction.apply(event)


def test_a_prediction_is_a_span_below_the_requests(traced):
    tracing, finished = traced
    run(
        tracing,
        Output(0, b"1"),
        Output(0, b"2"),
        Done(0, "succeeded", 1.5),
        trace={"traceparent": PARENT, "tracestate": "a=b"},
    )
    (span,) = finished()
    assert span.name == "prediction"
    assert f"{span.context.trace_id:032x}" == TRACE
    assert f"{span.parent.span_id:016x}" == "00f067aa0ba902b7"
    assert span.context.trace_state.get("a") == "b"
    assert [event.name for event in span.events] == ["started", "first output"]
    assert dict(span.attributes) == {
        "cog.prediction.id": "one",
        "cog.prediction.status": "succeeded",
        "cog.prediction.predict_time": 1.5,
    }
    assert span.status.is_unset


def test_a_failure_is_an_error_and_a_cancellation_is_none(traced):
    tracing, finished = traced
    run(tracing, Done(0, "failed", 1.0, error="ValueError: bad"))
    run(tracing, Done(0, "canceled", 1.0))
    failed, canceled = finished()
    assert (failed.status.is_ok, failed.status.description) == (False, "ValueError: bad")
    assert canceled.status.is_unset


def test_without_a_parent_or_a_slot_there_is_a_span_of_its_own(traced):
    tracing, finished = traced
    run(tracing, Done(0, "canceled", 0.0), started=False, trace={"traceparent": "junk"})
    (span,) = finished()
    assert span.parent is None
    assert tracing._spans == {}


class Collector(HTTPServer):
    """Takes OTLP over HTTP."""

    def __init__(self):
        self.received = []
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append((self.path, self.headers["Content-Type"], body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def test_a_collector_gets_the_spans_before_the_server_ends():
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    with Collector() as collector:
        thread = threading.Thread(target=collector.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        endpoint = f"http://127.0.0.1:{collector.server_port}"
        with live_server("plain", OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, OTEL_SERVICE_NAME="mine") as server:
            server.post("/predictions", {"id": "seen", "input": {}}, headers={"traceparent": PARENT})
            assert server.end() == 0
        end = time.monotonic() + PATIENCE
        while not collector.received and time.monotonic() < end:
            time.sleep(0.01)
        collector.shutdown()
        thread.join()
    ((path, kind, body),) = collector.received
    assert (path, kind) == ("/v1/traces", "application/x-protobuf")
    (resource,) = ExportTraceServiceRequest.FromString(body).resource_spans
    assert "mine" in {value.value.string_value for value in resource.resource.attributes if value.key == "service.name"}
    (span,) = resource.scope_spans[0].spans
    assert span.trace_id.hex() == TRACE
    assert {"seen", "succeeded"} <= {attribute.value.string_value for attribute in span.attributes}


def test_a_collector_that_does_not_answer_does_not_hold_up_the_end():
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with live_server("plain", OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, OTEL_EXPORTER_OTLP_TIMEOUT="60") as server:
            assert server.predict()["output"] == "hello "
            assert server.end() == 0  # in less than the twenty seconds that it is given
