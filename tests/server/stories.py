"""Predictions whose story a test tells itself, and what a receiver of webhooks has heard of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from cog_oci.sdk.cog._wire import Done
from cog_oci.server.prediction import Event, Prediction, Request
from cog_oci.server.webhooks import Webhooks
from tests.receiver import Receiver


def prediction(
    webhooks: Webhooks,
    url: str,
    events: Sequence[str] | None = None,
    headers: Mapping[str, str] | None = None,
    name: str = "p1",
) -> Prediction:
    """One that tells `url` what becomes of it."""
    it = Prediction(name, Request(), 1)
    it.listen(webhooks.listener(url, events, headers or {}))
    return it


def done(
    status: str = "succeeded", output: bytes = b"null", error: str | None = None, *, streamed: bool = False
) -> Done:
    return Done(1, status, 0.5, output, streamed, error)


async def apply(it: Prediction, *events: Event, every: float = 0.0) -> None:
    """Let all this happen, with so many seconds after each event."""
    for event in events:
        it.apply(event)
        if every:
            await asyncio.sleep(every)


def bodies(hook: Receiver) -> list[Any]:
    """What has been received, as JSON."""
    return [request.json() for request in hook.received]
