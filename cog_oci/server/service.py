"""Everything that a route may need, in one value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cog_oci.server.worker import State

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping

    from cog_oci.server.authorization import Authorization
    from cog_oci.server.crew import Crew
    from cog_oci.server.endpoint import Endpoint
    from cog_oci.server.health import Health
    from cog_oci.server.metrics import Metrics
    from cog_oci.server.outbox import Outbox
    from cog_oci.server.predictions import Predictions

__all__ = ["Service"]


@dataclass(frozen=True, slots=True)
class Service:
    """The parts of a running server. `shutdown` ends it when it is set."""

    predictions: Predictions
    worker: Crew
    health: Health
    endpoint: Endpoint
    outbox: Outbox
    metrics: Metrics
    authorization: Authorization
    document: Mapping[str, Any] | None
    shutdown: asyncio.Event

    def openapi(self) -> Mapping[str, Any] | None:
        """The schema document, once there is a model that it describes."""
        return self.document if self.worker.state is State.READY else None
