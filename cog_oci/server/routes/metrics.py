"""`GET /metrics`: the figures of this server, for Prometheus."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import TYPE_CHECKING

from quart import Blueprint, Response, request

if TYPE_CHECKING:
    from cog_oci.server.exposition import Exposition
    from cog_oci.server.service import Service

__all__ = ["routes"]


def routes(service: Service) -> Blueprint:
    """The page that is scraped; what renders it is loaded when it is asked for first."""
    blueprint = Blueprint("metrics", __name__)
    exposition: Exposition | None = None

    @blueprint.get("/metrics")
    async def metrics() -> Response:
        nonlocal exposition
        if exposition is None:
            module = await asyncio.to_thread(import_module, "cog_oci.server.exposition")
            exposition = module.Exposition(service.metrics, service.predictions, service.worker)
        content, content_type = exposition.render(request.headers.get("Accept"))
        return Response(content, content_type=content_type)

    return blueprint
