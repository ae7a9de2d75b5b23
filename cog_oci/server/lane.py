"""One worker as those see it who give it work."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from cog_oci.sdk.cog._wire import Message
    from cog_oci.server.prediction import Prediction

__all__ = ["Lane"]


class Lane:
    """One worker that is ready, and the numbers of what it runs.

    To one that `takes_ahead`, the next predictions are sent while another one runs: each begins without the time that
    it takes to hear of an end and to send something new. They wait like all others, only elsewhere.
    """

    __slots__ = ("ahead", "running", "send", "slots", "takes_ahead")

    def __init__(self, slots: int, send: Callable[[Message], None], *, takes_ahead: bool) -> None:
        self.slots = slots
        self.send = send
        self.takes_ahead = takes_ahead
        self.running: set[int] = set()
        self.ahead: dict[int, Prediction] = {}
