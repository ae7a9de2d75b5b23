"""What becomes of each prediction, in the server's own log."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from cog_oci.sdk.cog._wire import Done, Log
from cog_oci.server.prediction import Event, Prediction, Started
from cog_oci.server.tracing import trace_id

if TYPE_CHECKING:
    from cog_oci.server.logs import Sink

__all__ = ["Journal"]

_TARGET = "cog_oci.prediction"


class Journal:
    """A listener for every prediction: its start, what it prints, its end, all at INFO.

    Two lines of each prediction pass here, so they go to the sink without `logging`, which takes five times as long;
    above INFO there should be no journal at all.
    """

    def __init__(self, sink: Sink) -> None:
        self._write = sink.write

    def __call__(self, prediction: Prediction, event: Event) -> None:
        """Write down what has happened, if it is worth a line."""
        kind, trace_of_error = type(event), None
        if kind is Started:
            text = "Starting prediction"
        elif kind is Done:
            assert isinstance(event, Done)
            text = f"Prediction {event.status}: {event.error}" if event.error else f"Prediction {event.status}"
            trace_of_error = event.traceback
        elif kind is Log:
            assert isinstance(event, Log)
            text = event.text.rstrip("\n")
        else:
            return
        fields: tuple[tuple[str, str], ...] = (("prediction_id", prediction.id),)
        if prediction.request.trace and (trace := trace_id(prediction.request.trace.get("traceparent"))) is not None:
            fields = (*fields, ("trace_id", trace))
        if trace_of_error:
            fields = (*fields, ("traceback", trace_of_error.rstrip("\n")))
        self._write("INFO", _TARGET, text, time.time(), fields)
