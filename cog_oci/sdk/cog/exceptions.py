"""The exceptions that a model may meet or handle."""

from __future__ import annotations

__all__ = ["CancelationException"]


class CancelationException(BaseException):
    """Raised inside a running `run()` when its prediction is cancelled.

    A BaseException, so that `except Exception` does not swallow it. Handle it to clean up, then raise it again.
    """
