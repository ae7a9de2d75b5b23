"""What a health check is told. It never waits for a model that is slow to say how it is."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cog_oci import __version__
from cog_oci.sdk.cog._wire import COG_VERSION
from cog_oci.server.newer_asyncio import timeout
from cog_oci.server.worker import State

if TYPE_CHECKING:
    from cog_oci.server.crew import Crew
    from cog_oci.server.predictions import Predictions

__all__ = ["Health", "Verdict"]

_FRESH = 0.25
"""Seconds that an answer waits for the model's own healthcheck; after that, its last verdict counts."""
_TIMEOUT = 5.0
_AT_CAPACITY = "At capacity - all prediction slots busy"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a probe is told: the status that a health check would show, and why not, if not."""

    status: str
    reason: str | None = None


class Health:
    """The state of the worker, of its slots, and of the model in its own opinion.

    `queue` is how many requests may wait for a slot.
    """

    def __init__(self, worker: Crew, predictions: Predictions, *, queue: int = 0) -> None:
        self._worker = worker
        self._predictions = predictions
        self._queue = queue
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

    def alive(self) -> Verdict:
        """Whether it makes sense to keep this container: not when its worker has been given up.

        A worker that starts, works or is being started again is alive (Kubernetes, liveness probes: only what a restart
        can help).
        """
        status = self._worker.state.name
        if self._worker.state in {State.SETUP_FAILED, State.DEFUNCT}:
            return Verdict(status, self._predictions.unavailable or status)
        return Verdict(status)

    def ready(self) -> Verdict:
        """Whether a request would be taken if it came now; never asks the model before it answers.

        A probe decides where the next request goes. While every slot is taken and nothing may wait, that is elsewhere;
        where requests may wait (COG_MAX_QUEUE), a busy server is a ready one. The model's own healthcheck counts with
        its last verdict; a new one is asked for meanwhile.
        """
        worker, predictions = self._worker, self._predictions
        if worker.state is not State.READY or predictions.unavailable is not None:
            return Verdict(worker.state.name, predictions.unavailable or "The server is not ready")
        if predictions.busy and predictions.waiting >= self._queue:
            return Verdict("BUSY", _AT_CAPACITY)
        if worker.has_healthcheck:
            if not predictions.busy:
                self._start_check()
            if self._complaint is not None:
                return Verdict("UNHEALTHY", f"Healthcheck failed: {self._complaint}")
        return Verdict("BUSY" if predictions.busy else "READY")

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
        await asyncio.wait([self._start_check()], timeout=_FRESH)
        return self._complaint

    def _start_check(self) -> asyncio.Task[None]:
        """One question at a time, however many probes there are."""
        if self._check is None or self._check.done():
            self._check = asyncio.create_task(self._update())
        return self._check

    async def _update(self) -> None:
        try:
            async with timeout(_TIMEOUT):
                self._complaint = await self._worker.check_health()
        except TimeoutError:
            self._complaint = f"user-defined healthcheck timed out after {_TIMEOUT} seconds"
        except ConnectionError:
            self._complaint = None  # the worker's state tells the story
