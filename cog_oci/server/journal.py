"""What becomes of each prediction, in the server's own log."""

from __future__ import annotations

import logging

from cog_oci.sdk.cog._wire import Done, Log
from cog_oci.server.prediction import Event, Prediction, Started

__all__ = ["journal"]

_log = logging.getLogger("cog_oci.prediction")


def journal(prediction: Prediction, event: Event) -> None:
    """A listener for every prediction: its start, what it prints, its end."""
    if not _log.isEnabledFor(logging.INFO):
        return
    match event:
        case Started():
            text = "Starting prediction"
        case Log():
            text = event.text.rstrip("\n")
        case Done():
            text = f"Prediction {event.status}" + (f": {event.error}" if event.error else "")
        case _:
            return
    _log.info("%s", text, extra={"prediction_id": prediction.id})
