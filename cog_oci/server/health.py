"""What a health check is told. It never waits for a model that is slow to say how it is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from cog_oci import __version__
from cog_oci.sdk.cog._wire import COG_VERSION
from cog_oci.server.worker import State, Worker

if TYPE_CHECKING:
    from cog_oci.server.predictions import Predictions

__all__ = ["Health"]

_FRESH = 0.25
"""Seconds that an answer waits for the model's own healthcheck; after that, its last verdict counts."""
_TIMEOUT = 5.0


class Health:
    """The state of the worker, of its slots, and of the model in its own opinion."""

    def __init__(self, worker: Worker, predictions: Predictions) -> None:
        self._worker = worker
        self._predictions = predictions
        self._check: asyncio.Task[None] | None = None
        self._complaint: str | None = None

    async def report(self) -> dict[str, Any]:
        """The body of `GET /health-check`."""
        status, complaint = self._worker.state.name, None
        if self._worker.state is State.READY:
            if self._predictions.busy:
                status = "BUSY"
            elif self._worker.has_healthcheck:
                complaint = await self._ask_model()
                status = "READY" if complaint is None else "UNHEALTHY"
        body: dict[str, Any] = {"status": status, "setup": self._setup()}
        if complaint is not None:
            body["user_healthcheck_error"] = f"Healthcheck failed: {complaint}"
        body["version"] = {"cog_oci": __version__, "python_sdk": COG_VERSION}
        if self._worker.python is not None:
            body["version"]["python"] = self._worker.python
        return body

    def _setup(self) -> dict[str, Any]:
        setup = self._worker.setup
        body = {"started_at": setup.started_at.isoformat()}
        if setup.completed_at is not None:
            body["completed_at"] = setup.completed_at.isoformat()
        body["status"] = setup.status
        if setup.logs:
            body["logs"] = setup.logs
        return body

    async def _ask_model(self) -> str | None:
        """One question at a time, however many probes there are."""
        if self._check is None or self._check.done():
            self._check = asyncio.create_task(self._update())
        await asyncio.wait([self._check], timeout=_FRESH)
        return self._complaint

    async def _update(self) -> None:
        try:
            async with asyncio.timeout(_TIMEOUT):
                self._complaint = await self._worker.check_health()
        except TimeoutError:
            self._complaint = f"user-defined healthcheck timed out after {_TIMEOUT} seconds"
        except ConnectionError:
            self._complaint = None  # the worker's state tells the story
