"""A span for each prediction, where OpenTelemetry is wanted and its packages are there; else nothing, at no cost.

The packages are not part of the server: whoever wants traces adds `opentelemetry-sdk` and
`opentelemetry-exporter-otlp-proto-http` to its folder. The variables are OpenTelemetry's own and Cog's COG_TRACE_*.
"""

from __future__ import annotations

import logging
import re
from datetime import datetime
from threading import Thread
from typing import TYPE_CHECKING

from cog_oci.sdk.cog._wire import Done, Output
from cog_oci.server.prediction import Event, Prediction, Started

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
    from opentelemetry.sdk.trace.sampling import Sampler
    from opentelemetry.trace import Span

__all__ = ["Tracing", "start_tracing", "trace_id"]

log = logging.getLogger("cog_oci.tracing")

_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")
_LAST_SECONDS = 3.0
_FALSE = frozenset({"0", "false", "no", "off"})
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


def trace_id(traceparent: str | None) -> str | None:
    """The trace that a request belongs to, by its `traceparent` header (Trace Context §3.2); None if it has none."""
    found = _TRACEPARENT.fullmatch(traceparent.strip()) if traceparent else None
    return None if found is None else found[1]


class Tracing:
    """A listener for every prediction, which makes a span of each: from the request's arrival to the end."""

    def __init__(self, provider: TracerProvider) -> None:
        from opentelemetry import trace  # noqa: PLC0415 - there only where traces are wanted
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415 - same

        self._provider = provider
        self._tracer = provider.get_tracer("cog_oci.server")
        self._propagator = TraceContextTextMapPropagator()
        self._server, self._failed = trace.SpanKind.SERVER, trace.StatusCode.ERROR
        self._spans: dict[str, Span] = {}
        self._streaming: set[str] = set()

    def __call__(self, prediction: Prediction, event: Event) -> None:
        """Hear of a prediction; one that never had a slot leaves a span only if it has an end."""
        match event:
            case Started():
                self._begin(prediction).add_event("started")
            case Output() if prediction.id in self._spans and prediction.id not in self._streaming:
                self._streaming.add(prediction.id)
                self._spans[prediction.id].add_event("first output")
            case Done():
                self._end(prediction, event)

    def shutdown(self, seconds: float = _LAST_SECONDS) -> None:
        """Send what has not been sent, unless the collector takes longer than `seconds` to take it; blocks."""
        thread = Thread(target=self._provider.shutdown, name="cog-tracing", daemon=True)
        thread.start()
        thread.join(seconds)

    def _begin(self, prediction: Prediction) -> Span:
        """A span below the one that the request's `traceparent` and `tracestate` name."""
        moment = prediction.created_at.replace("Z", "+00:00")  # Python 3.10 does not know the Z
        created = datetime.fromisoformat(moment).timestamp()
        span = self._tracer.start_span(
            "prediction",
            self._propagator.extract(prediction.request.trace or {}),
            self._server,
            {"cog.prediction.id": prediction.id},
            start_time=int(created * 1e9),
        )
        self._spans[prediction.id] = span
        return span

    def _end(self, prediction: Prediction, done: Done) -> None:
        self._streaming.discard(prediction.id)
        span = self._spans.pop(prediction.id, None) or self._begin(prediction)
        self._spans.pop(prediction.id, None)
        span.set_attribute("cog.prediction.status", done.status)
        span.set_attribute("cog.prediction.predict_time", done.predict_time)
        if done.status == "failed":
            span.set_status(self._failed, done.error)
        span.end()


def start_tracing(environment: Mapping[str, str]) -> Tracing | None:
    """Tracing, if it is wanted and can be had; why it cannot is said once, in the log."""
    if not _wanted(environment):
        return None
    exporter = environment.get("OTEL_TRACES_EXPORTER", "").strip() or "otlp"
    if exporter == "otlp" and not any(environment.get(name) for name in _ENDPOINTS):
        log.warning("Tracing enabled without an OTLP endpoint; tracing disabled")
        return None
    try:
        return Tracing(_provider(environment, _processor(environment, exporter)))
    except ImportError as error:
        log.warning(
            "traces are asked for but OpenTelemetry is not there (%s): add opentelemetry-sdk and "
            "opentelemetry-exporter-otlp-proto-http to the server's packages; tracing disabled",
            error,
        )
    except Exception as error:  # noqa: BLE001 - other people's code and variables: the model is served all the same
        log.warning("traces are asked for but cannot be made; tracing disabled: %s: %s", type(error).__name__, error)
    return None


def _wanted(environment: Mapping[str, str]) -> bool:
    def says(name: str) -> str:
        return environment.get(name, "").strip().lower()

    if says("OTEL_SDK_DISABLED") == "true" or says("OTEL_TRACES_EXPORTER") == "none":
        return False
    if says("COG_TRACE_ENABLED") in _FALSE:
        return False
    asked = (*_ENDPOINTS, "OTEL_TRACES_EXPORTER", "COG_TRACE_ENABLED")
    return any(says(name) for name in asked) or says("COG_TRACE_CONFIGURED") not in {"", *_FALSE}


def _processor(environment: Mapping[str, str], exporter: str) -> SpanProcessor:
    from opentelemetry.sdk.trace.export import (  # noqa: PLC0415 - there only where traces are wanted
        BatchSpanProcessor,
        ConsoleSpanExporter,
    )

    if exporter == "console":
        return BatchSpanProcessor(ConsoleSpanExporter())
    if exporter != "otlp":
        raise ValueError(f"OTEL_TRACES_EXPORTER={exporter} is not known here, use otlp, console or none")
    protocols = (environment.get(f"OTEL_EXPORTER_OTLP_{part}PROTOCOL") for part in ("TRACES_", ""))
    protocol = next(filter(None, protocols), "http/protobuf")
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc import trace_exporter as over_grpc  # noqa: PLC0415 - same

        return BatchSpanProcessor(over_grpc.OTLPSpanExporter())
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - same

    return BatchSpanProcessor(OTLPSpanExporter())


def _provider(environment: Mapping[str, str], processor: SpanProcessor) -> TracerProvider:
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - there only where traces are wanted
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - same

    named = "OTEL_SERVICE_NAME" in environment or "service.name=" in environment.get("OTEL_RESOURCE_ATTRIBUTES", "")
    resource = Resource.create({} if named else {"service.name": "cog"})
    provider = TracerProvider(_sampler(environment), resource, shutdown_on_exit=False)
    provider.add_span_processor(processor)
    return provider


def _sampler(environment: Mapping[str, str]) -> Sampler | None:
    """Cog's own variable for OpenTelemetry's sampler; None leaves it to OTEL_TRACES_SAMPLER."""
    from opentelemetry.sdk.trace import sampling  # noqa: PLC0415 - there only where traces are wanted

    name = environment.get("COG_TRACE_SAMPLER", "").strip().lower()
    if not name:
        return None
    below = name.removeprefix("parentbased_")
    ratio = float(environment.get("COG_TRACE_SAMPLER_ARG") or 1)
    kinds = {"always_on": sampling.ALWAYS_ON, "always_off": sampling.ALWAYS_OFF}
    if below not in kinds and below != "traceidratio":
        raise ValueError(
            f"COG_TRACE_SAMPLER={name} is no sampler, use [parentbased_]always_on, always_off, traceidratio"
        )
    root = kinds[below] if below in kinds else sampling.TraceIdRatioBased(ratio)
    return root if name == below else sampling.ParentBased(root)
