"""The conversation between the server and its worker: messages as values, frames as bytes.

A frame is a kind (1 byte), a number (8 bytes: a server that lives long counts further than 4), and two lengths (4 bytes
each; all big-endian), then that many bytes twice: the head, a JSON array of the message's small fields, and the body,
JSON as it goes to a client or comes from one, which whoever passes it on has no need to read. Predictions are known by
numbers, which the server gives in ascending order; 0 is none.
The two messages that nearly every prediction consists of have a short form as well, a kind of its own: a `Predict` with
nothing but an id, which is its head, and a `Done` with nothing but a status and a time, which are a byte and a double.
The server imports this module and `_lookout`, and nothing else of the SDK.
"""

from __future__ import annotations

import json
import json.encoder
import struct
from typing import TYPE_CHECKING, Any, NamedTuple, Union

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "COG_VERSION",
    "Cancel",
    "CheckHealth",
    "Decoder",
    "Done",
    "Health",
    "Hello",
    "Kept",
    "Log",
    "Message",
    "Metric",
    "Output",
    "Predict",
    "Ready",
    "SetupFailed",
    "Stop",
    "Withdraw",
    "encode",
    "encode_apart",
    "to_line",
]

COG_VERSION = "0.23.1"
"""The release of Cog whose interface this SDK offers and whose HTTP API the server speaks."""

_HEADER = struct.Struct(">BQII")
_LARGE = 1 << 16
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_ASCII_ENCODER = json.JSONEncoder(allow_nan=False, separators=(",", ":"))


def _prepared(encoder: json.JSONEncoder) -> Callable[[Any], str]:
    """`encoder.encode`, without what it prepares for every value anew; where json has no C, just that."""
    make: Any = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return encoder.encode
    quote: Any = json.encoder.encode_basestring_ascii if encoder.ensure_ascii else json.encoder.encode_basestring
    encode = make(None, encoder.default, quote, None, ":", ",", False, False, False)
    return lambda value: "".join(encode(value, 0))


_PARSE = json.JSONDecoder().raw_decode
_TEXT = _prepared(_ENCODER)
_ASCII = _prepared(_ASCII_ENCODER)


def to_line(value: Any) -> bytes:
    """`value` as JSON in one line: UTF-8 as it is, escapes only for what UTF-8 does not have (half surrogate pairs).

    Raises ValueError for a number that JSON does not have (NaN, infinity) and TypeError for other values.
    """
    try:
        return _TEXT(value).encode()
    except UnicodeEncodeError:
        return _ASCII(value).encode()


# From the server to the worker.


class Predict(NamedTuple):
    """Run the model once.

    `body` is a JSON object whose `input` is what the client sent, after validation, defaults not yet applied, with
    fields that the model does not have. `upload` is where files of the output go, `trace` the request's trace headers.
    """

    number: int
    id: str
    context: dict[str, str]
    body: bytes
    upload: str | None = None
    trace: dict[str, str] | None = None


class Cancel(NamedTuple):
    """Stop a prediction that runs or waits; one that has ended is none of the worker's concern."""

    number: int


class Withdraw(NamedTuple):
    """Leave out a prediction that was sent ahead and has not begun; one that has goes on."""

    number: int


class CheckHealth(NamedTuple):
    """Call the model's own `healthcheck()`."""


class Stop(NamedTuple):
    """Finish what runs, then end the process."""


# From the worker to the server.


class Hello(NamedTuple):
    """The worker has begun, on this version of Python."""

    python: str


class Ready(NamedTuple):
    """Setup has succeeded; from now on the worker takes `slots` predictions at a time."""

    slots: int
    has_healthcheck: bool
    takes_ahead: bool = False
    """Whether one prediction more may be sent, which waits here for its turn."""


class SetupFailed(NamedTuple):
    """The model could not be loaded or its setup raised; the process ends after this message."""

    error: str
    traceback: str


class Log(NamedTuple):
    """Something was printed: by a prediction, or (`number` is 0) by setup or by code that belongs to no prediction."""

    number: int
    source: str
    text: str


class Output(NamedTuple):
    """The next items of an iterator's output: one or more, each a line of JSON."""

    number: int
    lines: bytes


class Metric(NamedTuple):
    """The model recorded a metric: `mode` is replace, increment, append or delete."""

    number: int
    name: str
    mode: str
    value: Any


class Done(NamedTuple):
    """A prediction has ended: `status` is succeeded, failed or canceled, or withdrawn if it was in time for that.

    `predict_time` is in seconds. `output` is a line of JSON; `streamed` says that the output is the list of the
    `Output` messages before instead. `field` names the input that could not be used, where the client and not the model
    is at fault; where the model is, `traceback` says how.
    """

    number: int
    status: str
    predict_time: float
    output: bytes = b"null"
    streamed: bool = False
    error: str | None = None
    field: str | None = None
    traceback: str | None = None


class Kept(NamedTuple):
    """The answer to `Withdraw` for a prediction that has begun: it goes on."""

    number: int


class Health(NamedTuple):
    """The answer to `CheckHealth`; None is a healthy model."""

    error: str | None


Message = Union[  # noqa: UP007 - evaluated at run time, where strings cannot be joined with |
    Predict, Cancel, Withdraw, CheckHealth, Stop, Hello, Ready, SetupFailed, Log, Output, Metric, Done, Kept, Health
]

_KINDS: tuple[type[Any], ...] = (
    Predict,
    Cancel,
    Withdraw,
    CheckHealth,
    Stop,
    Hello,
    Ready,
    SetupFailed,
    Log,
    Output,
    Metric,
    Done,
    Kept,
    Health,
)
_BODIES = {Predict: "body", Output: "lines", Done: "output"}


class _Layout(NamedTuple):
    """Where the fields of a kind go: `number` is the first field or not there, `body` the place of the body or None."""

    code: int
    kind: type[Any]
    numbered: bool
    body: int | None


_LAYOUTS = tuple(
    _Layout(
        code,
        kind,
        "number" in kind._fields,
        kind._fields.index(_BODIES[kind]) if kind in _BODIES else None,
    )
    for code, kind in enumerate(_KINDS)
)
_LAYOUT = {layout.kind: layout for layout in _LAYOUTS}
_SHORT_PREDICT, _SHORT_DONE = 0x80, 0x81
_ENDING = struct.Struct(">Bd")
_STATUSES = ("succeeded", "failed", "canceled", "withdrawn")
_STATUS_CODES = {status: code for code, status in enumerate(_STATUSES)}
_MERE_DONE = Done(0, "", 0.0)[4:]
_make = tuple.__new__
"""A named tuple of a tuple, at half the cost of its own constructor."""


def encode(message: Message) -> bytes:
    """One frame. Raises what `encode_apart` raises."""
    start, body = encode_apart(message)
    return start + body


def encode_apart(message: Message) -> tuple[bytes, bytes]:
    """One frame as two parts, so that a large body need not be copied.

    Raises ValueError for a number that JSON does not have (NaN, infinity) and TypeError for other values that it does
    not have.
    """
    fields: tuple[Any, ...] = message
    kind = type(message)
    if kind is Predict:
        number, identity, context, body, upload, trace = fields
        if not context and upload is None and trace is None:
            head = identity.encode("utf-8", "surrogatepass")
            return _HEADER.pack(_SHORT_PREDICT, number, len(head), len(body)) + head, body
    elif kind is Done and fields[4:] == _MERE_DONE:
        number, status, seconds, body = fields[:4]
        start = _HEADER.pack(_SHORT_DONE, number, _ENDING.size, len(body))
        return start + _ENDING.pack(_STATUS_CODES[status], seconds), body
    code, _, numbered, place = _LAYOUT[kind]
    first = 1 if numbered else 0
    if place is None:
        body, small = b"", fields[first:]
    else:
        body, small = fields[place], fields[first:place] + fields[place + 1 :]
    head = _ASCII(small).encode() if small else b""
    return _HEADER.pack(code, fields[0] if numbered else 0, len(head), len(body)) + head, body


class Decoder:
    """Turns a stream of bytes, cut anywhere, into messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._wanted = _HEADER.size

    def feed(self, data: bytes) -> list[Message]:
        """The messages that are complete with `data`, in order. Raises ValueError for a frame that is none."""
        pending = self._buffer
        if pending:
            pending += data
            if len(pending) < self._wanted:
                return []
            self._buffer = bytearray()
        messages: list[Message] = []
        whole: bytes | bytearray = pending or data
        try:
            if len(whole) < _LARGE:
                start = self._decode(bytes(whole), messages)
            else:
                with memoryview(whole) as view:  # a large body is copied once
                    start = self._decode(view, messages)
        except (AttributeError, IndexError, TypeError, struct.error) as error:
            raise ValueError(f"a frame that is none: {error}") from error
        if start < len(whole):
            self._buffer = bytearray(whole[start:])
        return messages

    def _decode(self, buffer: bytes | memoryview, messages: list[Message]) -> int:
        """Append the messages that `buffer` begins with; where they end."""
        start, available, size = 0, len(buffer), _HEADER.size
        unpack = _HEADER.unpack_from
        while available - start >= size:
            code, number, head_size, body_size = unpack(buffer, start)
            head_start = start + size
            body_start = head_start + head_size
            end = body_start + body_size
            if end > available:
                self._wanted = end - start
                return start
            body = bytes(buffer[body_start:end])
            if code == _SHORT_DONE:
                status, seconds = _ENDING.unpack_from(buffer, head_start)
                messages.append(_make(Done, (number, _STATUSES[status], seconds, body, *_MERE_DONE)))
            elif code == _SHORT_PREDICT:
                identity = str(buffer[head_start:body_start], "utf-8", "surrogatepass")
                messages.append(_make(Predict, (number, identity, {}, body, None, None)))
            else:
                messages.append(_read(code, number, buffer[head_start:body_start], body))
            start = end
        self._wanted = size
        return start


def _read(code: int, number: int, head: bytes | memoryview, body: bytes) -> Message:
    """The message of a frame that is not short."""
    if code >= len(_LAYOUTS):
        raise ValueError(f"unknown message {code}: server and SDK are not of one version")
    _, kind, numbered, place = _LAYOUTS[code]
    fields: list[Any] = _PARSE(str(head, "ascii"))[0] if head else []
    if numbered:
        fields.insert(0, number)
    if place is not None:
        fields.insert(place, body)
    message: Message = kind(*fields)
    return message
