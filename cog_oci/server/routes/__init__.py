"""The routes, a file for each group of them; a new group is one new file and one row here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cog_oci.server.routes import documents, health, metrics, predictions, shutdown

if TYPE_CHECKING:
    from collections.abc import Callable

    from quart import Blueprint

    from cog_oci.server.service import Service

__all__ = ["ROUTES"]

ROUTES: tuple[Callable[[Service], Blueprint], ...] = (
    documents.routes,
    health.routes,
    metrics.routes,
    predictions.routes,
    shutdown.routes,
)
