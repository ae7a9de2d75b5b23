"""The server's own log on standard error: one JSON object a line, or plain lines with LOG_FORMAT=console."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

__all__ = ["configure"]

_LEVELS = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = {"message": record.getMessage()}
        prediction = getattr(record, "prediction_id", None)
        if prediction is not None:
            fields["prediction_id"] = prediction
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        moment = datetime.fromtimestamp(record.created, UTC).isoformat()
        line = {"timestamp": moment, "level": record.levelname, "fields": fields, "target": record.name}
        return json.dumps(line, ensure_ascii=False)


def configure(level: str, *, console: bool) -> None:
    """Send everything of `level` (debug, info, warning or error; anything else is info) and above to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s") if console else _JsonFormatter()
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("cog_oci").setLevel(_LEVELS.get(level, logging.INFO))
