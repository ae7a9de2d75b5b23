"""`GET /` says what there is, `GET /openapi.json` how to use it, `GET /docs` both to people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quart import Blueprint, Response

from cog_oci.sdk.cog._wire import COG_VERSION
from cog_oci.server.page import docs_page
from cog_oci.server.routes._respond import json_answer
from cog_oci.server.validation import describes_training

if TYPE_CHECKING:
    from cog_oci.server.service import Service

__all__ = ["routes"]

_INDEX = {
    "cog_version": COG_VERSION,
    "docs_url": "/docs",
    "healthcheck_url": "/health-check",
    "openapi_url": "/openapi.json",
    "predictions_cancel_url": "/predictions/{prediction_id}/cancel",
    "predictions_idempotent_url": "/predictions/{prediction_id}",
    "predictions_url": "/predictions",
    "shutdown_url": "/shutdown",
}

_TRAINING = {
    "trainings_cancel_url": "/trainings/{training_id}/cancel",
    "trainings_idempotent_url": "/trainings/{training_id}",
    "trainings_url": "/trainings",
}


def routes(service: Service) -> Blueprint:
    """The three documents."""
    blueprint = Blueprint("documents", __name__)

    index_of = dict(sorted((_INDEX | (_TRAINING if describes_training(service.document) else {})).items()))

    @blueprint.get("/")
    async def index() -> Response:
        return json_answer(index_of)

    @blueprint.get("/openapi.json")
    async def openapi() -> Response:
        document = service.openapi()
        if document is None:
            return json_answer({"error": "OpenAPI schema not available"}, 503)
        return json_answer(document)

    @blueprint.get("/docs")
    async def docs() -> Response:
        page = docs_page()
        response = Response(page.content, content_type="text/html; charset=utf-8")
        response.headers["Content-Security-Policy"] = page.policy
        response.headers["Cache-Control"] = "no-cache"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    return blueprint
