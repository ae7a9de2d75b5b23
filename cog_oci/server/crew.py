"""All workers of a server as one: COG_WORKERS of them, each with the model and, of several GPUs, one of its own."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING

from cog_oci.server.newer_asyncio import TaskGroup
from cog_oci.server.worker import Setup, State, Worker

if TYPE_CHECKING:
    from collections.abc import Callable

    from cog_oci.server.outbox import Outbox
    from cog_oci.server.predictions import Predictions
    from cog_oci.server.process import WorkerProcess

__all__ = ["Crew"]

log = logging.getLogger("cog_oci")

_BEST_FIRST = (State.READY, State.STARTING, State.DEFUNCT, State.SETUP_FAILED)


class Crew:
    """The workers. What is said of one worker is said of the one that is best off."""

    def __init__(
        self,
        predictions: Predictions,
        respawn: Callable[[int], WorkerProcess],
        count: int,
        outbox: Outbox,
        *,
        setup_timeout: float | None,
        changed: Callable[[State], None],
        restarted: Callable[[], None],
    ) -> None:
        self._respawn = respawn
        self._changed = changed
        self._told: State | None = None
        self._stopping = False
        self._workers = [
            Worker(
                predictions,
                partial(respawn, number),
                outbox,
                setup_timeout=setup_timeout,
                changed=self._hear,
                restarted=restarted,
            )
            for number in range(count)
        ]

    @property
    def state(self) -> State:
        """READY as soon as one worker is."""
        return self._best.state

    @property
    def setup(self) -> Setup:
        """The last setup of the worker that is best off."""
        return self._best.setup

    @property
    def python(self) -> str | None:
        """The version of the model's Python."""
        return self._best.python

    @property
    def has_healthcheck(self) -> bool:
        """Whether the model has an opinion on its health."""
        return self._best.has_healthcheck

    async def check_health(self) -> str | None:
        """The first complaint of a worker that is ready. Raises ConnectionError when there is none."""
        ready = [worker for worker in self._workers if worker.state is State.READY]
        if not ready:
            raise ConnectionError("there is no worker")
        for complaint in await asyncio.gather(*(worker.check_health() for worker in ready)):
            if complaint is not None:
                return complaint
        return None

    async def run(self, first: WorkerProcess) -> None:
        """Look after all workers until `stop`; `first` has been started already."""
        async with TaskGroup() as lives:
            lives.create_task(self._workers[0].run(first))
            for number, worker in enumerate(self._workers[1:], 1):
                lives.create_task(self._begin(number, worker))

    async def _begin(self, number: int, worker: Worker) -> None:
        try:
            process = await asyncio.to_thread(self._respawn, number)
        except OSError as error:
            log.error("worker %d of %d cannot be started: %s", number + 1, len(self._workers), error)  # noqa: TRY400 - the reason is in it
            return
        if self._stopping:
            await asyncio.to_thread(process.end)
        else:
            await worker.run(process)

    async def stop(self, *, gently: bool) -> None:
        """End them all; `gently` lets those that are idle close what they have open."""
        self._stopping = True
        await asyncio.gather(*(worker.stop(gently=gently) for worker in self._workers))

    @property
    def _best(self) -> Worker:
        return min(self._workers, key=lambda worker: _BEST_FIRST.index(worker.state))

    def _hear(self, _: State) -> None:
        state = self.state
        if state is not self._told:
            self._told = state
            self._changed(state)
