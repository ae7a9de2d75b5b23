"""Server-sent events whose data is JSON, as they come from a server or out of a container (WHATWG HTML §9.2.6)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["events_of"]


def events_of(lines: Iterable[bytes]) -> Iterator[tuple[str, Any]]:
    """The name and the data of each, from lines with their ends or without."""
    event, data = "message", ""
    for line in lines:
        name, _, value = line.decode().rstrip("\r\n").partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            event = value
        elif name == "data":
            data += value
        elif not name and not value and data:
            yield event, json.loads(data)
            event, data = "message", ""
