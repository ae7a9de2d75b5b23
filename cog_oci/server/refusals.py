"""Why a prediction is not begun."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cog_oci.server.prediction import Prediction

__all__ = ["AtCapacityError", "DuplicateError", "UnavailableError"]


class AtCapacityError(Exception):
    """Every slot is taken, and none became free in the time that it takes to hand one on."""

    def __str__(self) -> str:
        return "At capacity - all prediction slots busy"


class DuplicateError(Exception):
    """A prediction of this id is in flight."""

    def __init__(self, prediction: Prediction) -> None:
        super().__init__(prediction.id)
        self.prediction = prediction

    def __str__(self) -> str:
        return (
            f"A prediction with the id {self.prediction.id!r} is running already, with another input or another request"
        )


class UnavailableError(Exception):
    """No prediction can be started now; the message says why."""
