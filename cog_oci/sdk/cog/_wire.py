"""The conversation between the server and its worker: messages as values, frames as bytes.

A frame is a length (4 bytes, big-endian) and that many bytes of ASCII JSON: `["Name", field, ...]`, the fields in the
order in which the message declares them. The server imports this module and nothing else of the SDK.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any, Union

__all__ = [
    "COG_VERSION",
    "Cancel",
    "CheckHealth",
    "Decoder",
    "Done",
    "Health",
    "Log",
    "Message",
    "Metric",
    "Output",
    "Predict",
    "Ready",
    "SetupFailed",
    "Stop",
    "encode",
]

COG_VERSION = "0.23.1"
"""The release of Cog whose interface this SDK offers and whose HTTP API the server speaks."""

_LENGTH = struct.Struct(">I")


# From the server to the worker.


@dataclass(frozen=True, slots=True)
class Predict:
    """Run the model once. `input` is what the client sent, after validation, defaults not yet applied."""

    id: str
    input: Any
    context: dict[str, str]


@dataclass(frozen=True, slots=True)
class Cancel:
    """Stop a prediction that runs or waits; one that has ended is none of the worker's concern."""

    id: str


@dataclass(frozen=True, slots=True)
class CheckHealth:
    """Call the model's own `healthcheck()`."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Finish what runs, then end the process."""


# From the worker to the server.


@dataclass(frozen=True, slots=True)
class Ready:
    """Setup has succeeded; from now on the worker takes `slots` predictions at a time."""

    slots: int
    has_healthcheck: bool
    python: str


@dataclass(frozen=True, slots=True)
class SetupFailed:
    """The model could not be loaded or its setup raised; the process ends after this message."""

    error: str
    traceback: str


@dataclass(frozen=True, slots=True)
class Log:
    """Something was printed: by a prediction, or (`id` is None) by setup or by code that belongs to no prediction."""

    id: str | None
    source: str
    text: str


@dataclass(frozen=True, slots=True)
class Output:
    """The next item of an iterator's output."""

    id: str
    value: Any


@dataclass(frozen=True, slots=True)
class Metric:
    """The model recorded a metric: `mode` is replace, increment, append or delete."""

    id: str
    name: str
    mode: str
    value: Any


@dataclass(frozen=True, slots=True)
class Done:
    """A prediction has ended: `status` is succeeded, failed or canceled; `predict_time` is in seconds.

    `streamed` says that the output is the list of the `Output` messages before. `field` names the input that could not
    be used, where the client and not the model is at fault.
    """

    id: str
    status: str
    predict_time: float
    output: Any = None
    streamed: bool = False
    error: str | None = None
    field: str | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """The answer to `CheckHealth`; None is a healthy model."""

    error: str | None


Message = Union[Predict, Cancel, CheckHealth, Stop, Ready, SetupFailed, Log, Output, Metric, Done, Health]  # noqa: UP007 - evaluated at run time, where strings cannot be joined with |

_KINDS: dict[str, Any] = {
    kind.__name__: kind
    for kind in (Predict, Cancel, CheckHealth, Stop, Ready, SetupFailed, Log, Output, Metric, Done, Health)
}
_NAMES: dict[str, tuple[str, ...]] = {name: tuple(f.name for f in fields(kind)) for name, kind in _KINDS.items()}
_VALUES: dict[str, Any] = {name: attrgetter(*names) for name, names in _NAMES.items() if len(names) > 1}


def encode(message: Message) -> bytes:
    """One frame.

    Raises ValueError for a number that JSON does not have (NaN, infinity) and TypeError for other values that it does
    not have.
    """
    name = type(message).__name__
    names = _NAMES[name]
    values = _VALUES[name](message) if len(names) > 1 else tuple(getattr(message, field) for field in names)
    body = json.dumps((name, *values), allow_nan=False, separators=(",", ":")).encode("ascii")
    return _LENGTH.pack(len(body)) + body


class Decoder:
    """Turns a stream of bytes, cut anywhere, into messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """The messages that are complete with `data`, in order. Raises ValueError for a frame that is none."""
        buffer = self._buffer
        buffer += data
        messages: list[Message] = []
        start, available = 0, len(buffer)
        while available - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(buffer, start)
            end = start + _LENGTH.size + length
            if end > available:
                break
            name, *values = json.loads(buffer[start + _LENGTH.size : end])
            if name not in _KINDS:
                raise ValueError(f"unknown message {name!r}: server and SDK are not of one version")
            messages.append(_KINDS[name](*values))
            start = end
        if start:
            del buffer[:start]
        return messages
