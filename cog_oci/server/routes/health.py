"""Health, for people and for probes: `GET /health-check` says everything, `/livez` and `/readyz` a status code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quart import Blueprint, Response

from cog_oci.server.routes._respond import json_answer

if TYPE_CHECKING:
    from cog_oci.server.health import Verdict
    from cog_oci.server.service import Service

__all__ = ["routes"]


def routes(service: Service) -> Blueprint:
    """The health check, which is always 200 as Cog's clients expect, and the probes, which are 200 or 503."""
    blueprint = Blueprint("health", __name__)

    @blueprint.get("/health-check")
    async def health_check() -> Response:
        return json_answer(await service.health.report())

    @blueprint.get("/livez")
    async def livez() -> Response:
        return _probe(service.health.alive())

    @blueprint.get("/readyz")
    async def readyz() -> Response:
        return _probe(service.health.ready())

    return blueprint


def _probe(verdict: Verdict) -> Response:
    body = {"status": verdict.status} | ({} if verdict.reason is None else {"reason": verdict.reason})
    response = json_answer(body, 200 if verdict.reason is None else 503)
    response.headers["Cache-Control"] = "no-store"
    return response
