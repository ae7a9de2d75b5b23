"""`POST /shutdown`: finish what has been accepted, then end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quart import Blueprint, Response

from cog_oci.server.routes._respond import json_answer

if TYPE_CHECKING:
    from cog_oci.server.service import Service

__all__ = ["routes"]


def routes(service: Service) -> Blueprint:
    """The explicit shutdown."""
    blueprint = Blueprint("shutdown", __name__)

    @blueprint.post("/shutdown")
    async def shutdown() -> Response:
        service.shutdown.set()
        return json_answer({})

    return blueprint
