"""Run the server from its first moment to its last: Hypercorn on uvloop, signals, and an orderly end."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import uvloop
from hypercorn.asyncio import serve as hypercorn_serve
from hypercorn.config import Config

from cog_oci.server import connections, logs
from cog_oci.server.app import BODY_SECONDS, create_app
from cog_oci.server.authorization import Authorization
from cog_oci.server.crew import Crew
from cog_oci.server.door import Front
from cog_oci.server.endpoint import Endpoint
from cog_oci.server.health import Health
from cog_oci.server.journal import Journal
from cog_oci.server.metrics import Metrics
from cog_oci.server.newer_asyncio import Runner
from cog_oci.server.outbox import Outbox
from cog_oci.server.predictions import Predictions
from cog_oci.server.process import WorkerProcess, environment_of, spawn
from cog_oci.server.readiness import ReadyFile
from cog_oci.server.service import Service
from cog_oci.server.tracing import start_tracing
from cog_oci.server.validation import InputSchema, describes_training, read_document, streams
from cog_oci.server.webhooks import Webhooks
from cog_oci.server.worker import State

if TYPE_CHECKING:
    import socket

    from cog_oci.server.prediction import Listener
    from cog_oci.server.settings import Settings

__all__ = ["serve"]

_NOT_READY = "Setup has not finished yet. Wait until it has finished, or GET /health-check for status."
_WEBHOOK_GRACE = 30.0
"""Seconds that receivers of webhooks are given at the end, where nothing says how long that may take."""
_LAST_WORDS = 2.0
"""Seconds that webhooks, and then clients, are given at least when the time to end is over."""
_AGES = 10 * 365 * 24 * 3600.0

log = logging.getLogger("cog_oci")


def serve(settings: Settings, listener: socket.socket, process: WorkerProcess) -> None:
    """Serve on `listener` with the worker `process` until told to stop. An interrupt ends this process as one does."""
    sink = logs.configure(settings.log_level, console=settings.log_console)
    for warning in settings.warnings:
        log.warning("%s", warning)
    with Runner(loop_factory=uvloop.new_event_loop) as runner:
        interrupted, everyone_served = runner.run(_serve(settings, listener, process, sink))
        if not everyone_served:  # a loop that is closed waits for its connections, whoever takes nothing
            _leave(sink, interrupted=interrupted)
    if interrupted:
        _leave(sink, interrupted=True)


def _leave(sink: logs.Sink, *, interrupted: bool) -> NoReturn:
    """End this process here and now."""
    sink.flush()
    if interrupted:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    os._exit(0)


async def _serve(
    settings: Settings, listener: socket.socket, process: WorkerProcess, sink: logs.Sink
) -> tuple[bool, bool]:
    """Whether an interrupt has ended it, and whether every connection has ended by then."""
    metrics = Metrics()
    webhooks = Webhooks(interval=settings.webhook_interval, token=settings.webhook_token, counted=metrics.webhook)
    tracing = start_tracing(os.environ)
    listeners: list[Listener] = [metrics] if tracing is None else [metrics, tracing]
    if settings.log_level <= logging.INFO:
        listeners.append(Journal(sink))
    service, ready_file = _assemble(settings, listeners, webhooks, metrics)
    interrupted = asyncio.Event()
    _handle_signals(settings, service.shutdown, interrupted)
    life = asyncio.create_task(service.worker.run(process))
    http = asyncio.create_task(_serve_http(settings, listener, service))
    stopping = asyncio.create_task(service.shutdown.wait())
    warm = asyncio.create_task(asyncio.to_thread(import_module, "cog_oci.server.bodies"))  # before the first request
    drained = False
    try:
        await asyncio.wait([http, stopping], return_when=asyncio.FIRST_COMPLETED)
        ready_file.update(ready=False)
        end = None if settings.drain_timeout is None else time.monotonic() + settings.drain_timeout
        drained = await service.predictions.drain(settings.drain_timeout)
        await webhooks.drain(_WEBHOOK_GRACE if end is None else _left(end))
        await asyncio.wait([http], timeout=None if end is None else _left(end))
        if http.done():
            await http
        else:
            log.error("The server ends before every client has taken its answer")
    finally:
        stopping.cancel()
        await warm
        ready_file.update(ready=False)
        webhooks.close()
        await service.worker.stop(gently=drained)
        await life
        if tracing is not None:
            await asyncio.to_thread(tracing.shutdown)
    return interrupted.is_set(), http.done()


def _left(end: float) -> float:
    """Seconds until the time to end is over, and some if it is."""
    return max(end - time.monotonic(), _LAST_WORDS)


def _assemble(
    settings: Settings, listeners: list[Listener], webhooks: Webhooks, metrics: Metrics
) -> tuple[Service, ReadyFile]:
    ready_file = ReadyFile(settings.ready_file)
    predictions = Predictions(_NOT_READY, listeners, queue=settings.queue)
    outbox = Outbox()
    worker = Crew(
        predictions,
        lambda number: spawn(
            settings.reference, environment_of(number, settings.workers, os.environ), train=settings.train
        ),
        settings.workers,
        outbox,
        setup_timeout=settings.setup_timeout,
        changed=lambda state: ready_file.update(ready=state is State.READY),
        restarted=metrics.restart,
    )
    document = read_document(Path.cwd())
    endpoint = Endpoint(
        predictions=predictions,
        schema=InputSchema(document),
        training_schema=InputSchema(document, "TrainingInput") if describes_training(document) else None,
        streams=streams(document),
        trains=settings.train,
        history=settings.event_history,
        upload=settings.upload_url,
        follow=webhooks.listener,
        rejected=metrics.reject,
    )
    service = Service(
        predictions=predictions,
        worker=worker,
        health=Health(worker, predictions, queue=settings.queue),
        endpoint=endpoint,
        outbox=outbox,
        metrics=metrics,
        authorization=Authorization(settings.auth_token),
        document=document,
        shutdown=asyncio.Event(),
    )
    return service, ready_file


def _handle_signals(settings: Settings, shutdown: asyncio.Event, interrupted: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()

    def interrupt() -> None:
        interrupted.set()
        shutdown.set()

    loop.add_signal_handler(signal.SIGINT, interrupt)
    loop.add_signal_handler(signal.SIGTERM, (lambda: None) if settings.await_explicit_shutdown else shutdown.set)


async def _serve_http(settings: Settings, listener: socket.socket, service: Service) -> None:
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.backlog = 2048
    config.accesslog = None
    config.errorlog = logging.getLogger("cog_oci.http")
    config.include_server_header = False
    config.keep_alive_timeout = 75.0  # longer than the idle timeouts of the usual load balancers
    config.keep_alive_max_requests = 1 << 62
    config.h11_max_incomplete_size = 64 << 10
    config.graceful_timeout = _AGES if settings.drain_timeout is None else settings.drain_timeout + 5.0
    if not settings.stock_http:
        connections.install(Front(service.endpoint, service.authorization, BODY_SECONDS, service.outbox))
    await hypercorn_serve(create_app(service), config, shutdown_trigger=service.shutdown.wait)
