"""Answers on their way out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

__all__ = ["Outbox"]


class Outbox:
    """Writes at once, except inside a `with` block: then at its end, one answer after another.

    For several predictions that end together. A processor that turns to the kernel's network code and back between any
    two answers takes a quarter longer over both, as neither stays in its cache.
    """

    def __init__(self) -> None:
        self._held: list[tuple[asyncio.Transport, bytes]] | None = None

    def send(self, transport: asyncio.Transport, answer: bytes) -> None:
        """Write all of an answer."""
        if self._held is None:
            transport.write(answer)
        else:
            self._held.append((transport, answer))

    def __enter__(self) -> None:
        self._held = []

    def __exit__(self, *error: object) -> None:
        held, self._held = self._held, None
        for transport, answer in held or ():
            transport.write(answer)
