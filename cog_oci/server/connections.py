"""Hypercorn's connections, less one fault: a connection whose client has gone is let go at once.

Hypercorn 0.18 waits for a closed connection's idle timeout, so that many short connections pile up descriptors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypercorn.asyncio import run
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.events import Updated

if TYPE_CHECKING:
    from hypercorn.events import Event

__all__ = ["install"]


class _Connection(TCPServer):
    async def protocol_send(self, event: Event) -> None:
        if isinstance(event, Updated) and event.idle and self.reader.at_eof():
            return  # nobody will send another request: there is nothing to wait for
        await super().protocol_send(event)

    async def _read_data(self) -> None:
        await super()._read_data()
        await self.idle_task.stop()


def install() -> None:
    """Make Hypercorn use these connections in this process."""
    run.TCPServer = _Connection  # type: ignore[attr-defined]  # Hypercorn has no other place to say so
