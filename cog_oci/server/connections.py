"""Hypercorn's connections, with a door in front.

Everything that Hypercorn is made to do otherwise is in this file; COG_HTTP_STOCK=1 runs it as it comes.

Two faults of Hypercorn 0.18 are mended besides: a connection whose client has gone is let go at once (it would wait for
its idle timeout, so that many short connections pile up descriptors), and statuses have their words.
"""

from __future__ import annotations

import asyncio
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, cast

import h11
from hypercorn import protocol
from hypercorn.asyncio import run
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.events import Updated
from hypercorn.protocol.h11 import H11Protocol

from cog_oci.server.door import Door, Front
from cog_oci.server.newer_asyncio import timeout

if TYPE_CHECKING:
    from hypercorn.events import Event
    from hypercorn.typing import H11SendableEvent

__all__ = ["install"]


class _Http1(H11Protocol):
    """Hypercorn's HTTP/1, with the words that belong to a status: some clients want them, and people read them."""

    async def _send_h11_event(self, event: H11SendableEvent) -> None:
        if isinstance(event, (h11.Response, h11.InformationalResponse)) and not event.reason:
            phrase = HTTPStatus(event.status_code).phrase.encode("ascii")
            event = type(event)(status_code=event.status_code, headers=event.headers, reason=phrase)
        await super()._send_h11_event(event)


class _Connection(TCPServer):
    """Hypercorn's connection, with a door if there is a front."""

    front: Front | None = None

    async def run(self) -> None:
        """Serve one connection until it ends."""
        self._door: Door | None = None
        if self.front is not None and self.writer.get_extra_info("ssl_object") is None:
            transport = cast("asyncio.Transport", self.writer.transport)
            self._door = Door(cast("asyncio.Protocol", transport.get_protocol()), self.front, transport)
            already = bytes(self.reader._buffer)  # type: ignore[attr-defined]  # noqa: SLF001 - what came before the door
            del self.reader._buffer[:]  # type: ignore[attr-defined]  # noqa: SLF001 - as above
            transport.set_protocol(self._door)
            if already:
                self._door.data_received(already)
        await super().run()

    async def protocol_send(self, event: Event) -> None:
        """Hypercorn has something to send, or has become idle."""
        if isinstance(event, Updated) and event.idle:
            if self.reader.at_eof():
                return  # nobody will send another request: there is nothing to wait for
            if self._door is not None and self._nothing_left():
                self._door.come_back()
        await super().protocol_send(event)

    def _nothing_left(self) -> bool:
        inner = self.protocol.protocol
        return (
            isinstance(inner, H11Protocol)
            and inner.connection.trailing_data == (b"", False)
            and not self.reader._buffer  # type: ignore[attr-defined]  # noqa: SLF001 - asyncio has no other way to ask
        )

    async def _read_data(self) -> None:
        await super()._read_data()
        await self.idle_task.stop()

    async def _idle_timeout(self) -> None:
        """Close the connection when it is not used for a while, or when the server ends and it answers nothing."""
        while not self.context.terminated.is_set():
            door = self._door
            left = self.config.keep_alive_timeout
            if door is not None:
                left += door.last_used - time.monotonic()
            if left <= 0:
                if door is None or door.at_rest:
                    break
                left = self.config.keep_alive_timeout
            try:
                async with timeout(left):
                    await self.context.terminated.wait()
            except TimeoutError:
                if door is None:
                    break
        if self._door is not None and self._door.answering:
            self._door.closing = True
            return  # it closes itself
        await asyncio.shield(self._initiate_server_close())


def install(front: Front | None) -> None:
    """Make Hypercorn use these connections in this process, with a door to `front`."""
    _Connection.front = front
    run.TCPServer = _Connection  # type: ignore[attr-defined]  # Hypercorn has no other place to say so
    protocol.H11Protocol = _Http1  # type: ignore[attr-defined]  # the same
