"""The server's ends of what connects it with one worker: messages both ways, orders that overtake, and its death."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING, cast

from cog_oci.sdk.cog._wire import Cancel, CheckHealth, Decoder, Done, Message, Predict, Withdraw, encode_apart
from cog_oci.server.awake import Awake

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Link", "watch"]

_LARGE = 1 << 16
_QUICK = 0.0001
"""Seconds that predictions take at most while their answers are looked for."""
_LOOK_SECONDS = 0.00015
"""For how long: such a prediction, its arguments and its answer."""
_ORDERS = frozenset({Cancel, Withdraw, CheckHealth})


class _Orders(asyncio.Protocol):
    """The end that only speaks: of cancellations and health checks."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have the interface without deriving from it.
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the interface's name
        self._transport = None

    def write(self, frame: bytes) -> None:
        """Nothing happens when the other end has gone."""
        if self._transport is not None:
            self._transport.write(frame)

    def close(self) -> None:
        """Say no more, by which the worker knows that nobody wants it any longer."""
        if self._transport is not None:
            self._transport.close()


class Link(asyncio.Protocol):
    """Our ends of the socket pairs. `lost` is done when the other end has gone.

    While a worker that answers at once has one prediction, the loop does not sleep: it goes round, and does what else
    there is to do. To one that has something to do, what the loop finds in one round is sent together.
    """

    def __init__(self, handle: Callable[[list[Message]], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._handle = handle
        self._decoder = Decoder()
        self._unanswered = 0
        self._awake = Awake(_QUICK, _LOOK_SECONDS)
        self._held: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        self.orders = _Orders()
        self.lost: asyncio.Future[None] = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Both ends are there."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Hand on the messages that are complete."""
        self._awake.come()
        messages = self._decoder.feed(data)
        for message in messages:
            if type(message) is Done:
                self._unanswered -= 1
                self._awake.note(message.predict_time)
        self._handle(messages)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the interface's name
        """The worker has gone."""
        self._transport = None
        self.orders.close()
        if not self.lost.done():
            self.lost.set_result(None)

    def send(self, message: Message) -> None:
        """Raises ValueError for a value that JSON does not have."""
        start, body = encode_apart(message)
        if self._transport is None:
            return
        kind, busy = type(message), self._unanswered
        if kind is Predict:
            self._unanswered = busy + 1
        elif kind in _ORDERS:
            self.orders.write(start)
            return
        if len(body) >= _LARGE:
            self._send_held()
            self._transport.write(start)
            self._transport.write(body)
        elif busy:
            if not self._held:
                self._loop.call_soon(self._send_held)
            self._held.append(start + body)
        else:
            self._transport.write(start + body)
        if not busy and kind is Predict:
            self._awake.look()

    def _send_held(self) -> None:
        held, self._held = self._held, []
        if held and self._transport is not None:
            self._transport.write(b"".join(held))

    def close(self) -> None:
        """Read no more."""
        if self._transport is not None:
            self._transport.close()


def watch(pid: int, link: Link) -> Callable[[], None]:
    """Close the connection soon after the process has died, even if a child that it forked keeps the socket open."""
    if not hasattr(os, "pidfd_open"):
        return lambda: None
    loop = asyncio.get_running_loop()
    try:
        pidfd = os.pidfd_open(pid)
    except OSError:  # an old kernel: the closed socket is sign enough in nearly every case
        return lambda: None

    def died() -> None:
        loop.remove_reader(pidfd)
        loop.call_later(0.1, link.close)

    loop.add_reader(pidfd, died)

    def stop() -> None:
        loop.remove_reader(pidfd)
        with contextlib.suppress(OSError):
            os.close(pidfd)

    return stop
