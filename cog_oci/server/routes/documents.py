"""`GET /` says what there is, `GET /openapi.json` how to use it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quart import Blueprint, Response

from cog_oci.sdk.cog._wire import COG_VERSION
from cog_oci.server.routes._respond import json_answer

if TYPE_CHECKING:
    from cog_oci.server.service import Service

__all__ = ["routes"]

_INDEX = {
    "cog_version": COG_VERSION,
    "healthcheck_url": "/health-check",
    "openapi_url": "/openapi.json",
    "predictions_cancel_url": "/predictions/{prediction_id}/cancel",
    "predictions_idempotent_url": "/predictions/{prediction_id}",
    "predictions_url": "/predictions",
    "shutdown_url": "/shutdown",
}


def routes(service: Service) -> Blueprint:
    """The two documents."""
    blueprint = Blueprint("documents", __name__)

    @blueprint.get("/")
    async def index() -> Response:
        return json_answer(_INDEX)

    @blueprint.get("/openapi.json")
    async def openapi() -> Response:
        document = service.openapi()
        if document is None:
            return json_answer({"error": "OpenAPI schema not available"}, 503)
        return json_answer(document)

    return blueprint
