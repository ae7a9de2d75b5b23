"""`GET /health-check`: always 200, the status is in the body."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quart import Blueprint, Response

from cog_oci.server.routes._respond import json_answer

if TYPE_CHECKING:
    from cog_oci.server.service import Service

__all__ = ["routes"]


def routes(service: Service) -> Blueprint:
    """The health check."""
    blueprint = Blueprint("health", __name__)

    @blueprint.get("/health-check")
    async def health_check() -> Response:
        return json_answer(await service.health.report())

    return blueprint
