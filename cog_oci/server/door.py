"""A door in front of Hypercorn: a plain request for a prediction is answered there and then.

It stands between a connection's transport and the protocol that was there before. It takes POST and PUT of predictions
whose head is of the plainest form, which is what clients send; whatever else comes, it passes on as it is, and stands
aside until it is told that this has been answered. A request thus costs neither a task nor a second parser.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING

from cog_oci.server.awake import Awake
from cog_oci.server.endpoint import BODY_BYTES, EVENTS, Answer, Call

if TYPE_CHECKING:
    from collections.abc import Callable

    from cog_oci.server.authorization import Authorization
    from cog_oci.server.endpoint import Endpoint
    from cog_oci.server.outbox import Outbox

__all__ = ["Door", "Front", "parse_head"]

log = logging.getLogger("cog_oci.http")

_PIPELINED = 64 << 10
_QUICK = 0.00015
"""Seconds after an answer in which a client on this machine asks again, and for which that is looked for."""
_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_HEAD = re.compile(
    rb"(?:POST /(?:predictions|trainings)|PUT /(?:predictions|trainings)/([A-Za-z0-9\-._~!$&'()*+,;=:@]+))"
    rb" HTTP/1\.([01])\r\n"
    rb"((?:" + _TOKEN + rb":[^\x00-\x08\x0a-\x1f\x7f]*\r\n)+)\r\n"
)
_FIELD = re.compile(rb"([^:\r\n]+):[ \t]*([^\r\n]*?)[ \t]*\r\n")
_UNUSUAL = {"transfer-encoding", "expect", "upgrade", "trailer", "te", "http2-settings"}


@dataclass(frozen=True, slots=True)
class _Head:
    """A request's head: its bytes, and what they say."""

    content: bytes
    headers: dict[str, str]
    identity: str | None
    training: bool
    size: int
    """Bytes of the head."""
    end: int
    """Bytes of the whole request."""
    last: bool
    """Whether the connection ends with its answer."""


def parse_head(data: bytes | bytearray) -> _Head | None:
    """The head of a prediction that `data` begins with; None for what Hypercorn shall look at.

    That is every head that is not plain (RFC 9112): one that has no length, comes in pieces, repeats a field, asks for
    an upgrade or for a permission to go on, or is not a prediction's. Of HTTP/1.0, which proxies speak, one that would
    keep the connection is not plain, nor one that may be answered in chunks.
    """
    found = _HEAD.match(data)
    if found is None:
        return None
    fields = _FIELD.findall(found[3])
    headers = {name.decode("ascii").lower(): value.decode("latin-1") for name, value in fields}
    length = headers.get("content-length", "")
    old = found[2] == b"0"
    connection = headers.get("connection", "close" if old else "keep-alive").lower()
    if (
        len(headers) != len(fields)
        or "host" not in headers
        or not (length.isdecimal() and length.isascii() and len(length) < 10 and int(length) <= BODY_BYTES)
        or not (connection == "close" or (connection == "keep-alive" and not old))
        or not _UNUSUAL.isdisjoint(headers)
        or (old and EVENTS in headers.get("accept", "").lower())
    ):
        return None
    identity = None if found[1] is None else found[1].decode("ascii")
    training = data.startswith((b"POST /t", b"PUT /t"))
    size = found.end()
    return _Head(bytes(found[0]), headers, identity, training, size, size + int(length), connection == "close")


class Door(asyncio.Protocol):
    """Answers predictions on one connection; the rest goes to `inner`, the protocol that was there before."""

    def __init__(self, inner: asyncio.Protocol, front: Front, transport: asyncio.Transport) -> None:
        self._inner = inner
        self._front = front
        self._transport = transport
        self._buffer: bytes | bytearray = b""
        self._head: _Head | None = None
        self._last_head: _Head | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._abandon: Callable[[], None] | None = None
        self._answer: Answer | None = None
        self._stream_head = b""
        self._paused = False
        self._aside = False
        self.answering = False
        self.closing = False
        """Whether this connection ends with the answer that it is about to give."""
        self.last_used = time.monotonic()

    @property
    def at_rest(self) -> bool:
        """Whether no request of ours is answered here, nor on its way: a body has a time of its own to come."""
        return not self.answering and self._head is None

    def data_received(self, data: bytes) -> None:
        """Bytes of a request, or of several."""
        if self._front.is_at_rest:
            self._front.asked()
        if self._aside:
            self._inner.data_received(data)
            return
        if self._buffer:
            if not isinstance(self._buffer, bytearray):
                self._buffer = bytearray(self._buffer)
            self._buffer += data
        else:
            self._buffer = data
        if not self.answering:
            self._proceed()
        elif len(self._buffer) > _PIPELINED and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def _proceed(self) -> None:
        """Take the next request out of what has arrived, if it is there and one of ours."""
        while self._buffer and not self.answering and not self._aside:
            head = self._head or self._read_head()
            if head is None:
                self._step_aside()
                return
            buffer = self._buffer
            left = len(buffer) - head.end
            if left < 0:
                self._head = head
                if self._timer is None:
                    self._timer = asyncio.get_running_loop().call_later(self._front.body_seconds, self._too_slow)
                return
            if not left and type(buffer) is bytes:  # all at once, as nearly every request comes
                body, self._buffer = buffer[head.size :], b""
            else:
                with memoryview(buffer) as view:  # a large body is copied once
                    body = bytes(view[head.size : head.end])
                    self._buffer = bytes(view[head.end :])
            self._head = None
            if self._timer is not None:
                self._stop_timer()
            if head.last:
                self.closing = True
            self._handle(Call(body, head.headers, head.identity, head.training))

    def _read_head(self) -> _Head | None:
        """The head of the next request; None if it is Hypercorn's. Clients mostly repeat what they sent before."""
        last = self._last_head
        if self.closing:
            return None
        if last is not None and self._buffer.startswith(last.content):
            return last
        head = parse_head(self._buffer)
        if head is None or not self._front.authorization.allows(head.headers.get("authorization")):
            return None
        self._last_head = head
        return head

    def _handle(self, call: Call) -> None:
        self.answering = True
        self.last_used = time.monotonic()
        try:
            abandon = self._front.endpoint.handle(call, self._reply)
        except Exception:  # a fault of ours: said, as Quart says one, rather than a connection that breaks off
            log.exception("a request could not be handled")
            self._reply(Answer(500))
            return
        if self.answering and self._answer is None:  # a stream that has begun says itself that its reader has gone
            self._abandon = abandon

    def _reply(self, answer: Answer) -> None:
        if not self.answering or self._transport.is_closing():
            return
        self._abandon = None
        body = answer.body
        if answer.stream is not None:
            assert answer.prediction is not None
            self._answer = answer
            self._stream_head = self._front.head(answer, close=self.closing)
            answer.stream.open(answer.prediction, self._write_chunk, self._end_stream)
            if self._stream_head:  # nothing has happened yet
                head, self._stream_head = self._stream_head, b""
                self._transport.write(head)
            return
        head = self._front.head(answer, close=self.closing)
        if len(body) < 1 << 16 and not self.closing:  # what waits in the outbox would miss the connection's end
            self._front.outbox.send(self._transport, head + body)
        else:
            self._transport.write(head)
            self._transport.write(body)
        self._done()

    def _write_chunk(self, content: bytes) -> None:
        head, self._stream_head = self._stream_head, b""
        self._transport.write(b"%b%x\r\n%b\r\n" % (head, len(content), content))

    def _end_stream(self) -> None:
        self._transport.write(b"0\r\n\r\n")
        self._answer = None
        self._done()

    def _done(self) -> None:
        self.answering = False
        self.last_used = time.monotonic()
        if self.closing:
            self._buffer = b""  # whatever comes after the last request is none (RFC 9112 §9.6)
            self._transport.close()
            return
        if self._paused:
            self._paused = False
            self._transport.resume_reading()
        if self._buffer:
            asyncio.get_running_loop().call_soon(self._proceed)
        else:
            self._front.answered()

    def _step_aside(self) -> None:
        """Let Hypercorn have what has arrived, and what comes until `come_back`."""
        data, self._buffer = bytes(self._buffer).lstrip(b"\r\n"), b""  # old clients end a body so (RFC 9112 §2.2)
        if data:
            self._aside = True
            self._inner.data_received(data)

    def come_back(self) -> None:
        """Hypercorn has answered everything that it was given."""
        self._aside = False
        self.last_used = time.monotonic()

    def _too_slow(self) -> None:
        self._timer = None
        self._transport.abort()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def eof_received(self) -> bool | None:
        """A client that will send nothing more has gone, as far as a server can tell."""
        self._let_go()
        return self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        self._let_go()
        self._stop_timer()
        self._inner.connection_lost(exc)

    def _let_go(self) -> None:
        abandon, self._abandon = self._abandon, None
        answer, self._answer = self._answer, None
        self.answering = False
        if abandon is not None:
            abandon()
        if answer is not None and answer.stream is not None:
            answer.stream.close()

    def pause_writing(self) -> None:
        """The client does not take what is sent."""
        if self._answer is not None and self._answer.stream is not None:
            self._answer.stream.pause()
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """The client takes more."""
        if self._answer is not None and self._answer.stream is not None:
            self._answer.stream.resume()
        self._inner.resume_writing()


class Front:
    """What all doors share."""

    def __init__(self, endpoint: Endpoint, authorization: Authorization, body_seconds: float, outbox: Outbox) -> None:
        self.outbox = outbox
        self.endpoint = endpoint
        self.authorization = authorization
        self.body_seconds = body_seconds
        self._second = 0
        self._heads: dict[tuple[int, str], bytes] = {}
        """What all answers of a status and a type begin with, in this second."""
        self._awake = Awake(_QUICK, _QUICK)
        self._since = 0.0
        self._answers = 0
        """Since nothing was in flight."""
        self.is_at_rest = False
        """Whether every prediction has been answered, and nothing has come since."""

    def answered(self) -> None:
        """One more has been: where it was alone, and nothing is in flight, its client may ask again at once."""
        self._answers += 1
        if not self.endpoint.predictions.running:
            alone, self._answers = self._answers == 1, 0
            self.is_at_rest, self._since = True, time.perf_counter()
            if alone:  # several clients need the processor that looking for them would take
                self._awake.look()

    def asked(self) -> None:
        """Something has come."""
        self.is_at_rest = False
        self._awake.come()
        self._awake.note(time.perf_counter() - self._since)

    def head(self, answer: Answer, *, close: bool) -> bytes:
        """Status line and headers of an answer (RFC 9112)."""
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._heads.clear()
        head = self._heads.get((answer.status, answer.content_type)) or self._begin(answer)
        if close:
            head += b"connection: close\r\n"
        if answer.stream is not None:
            return head + b"cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n"
        return b"%bcontent-length: %d\r\n\r\n" % (head, len(answer.body))

    def _begin(self, answer: Answer) -> bytes:
        kind, reason = answer.content_type.encode("latin-1"), HTTPStatus(answer.status).phrase.encode("ascii")
        date = formatdate(self._second, usegmt=True).encode("ascii")
        head = b"HTTP/1.1 %d %b\r\ncontent-type: %b\r\ndate: %b\r\n" % (answer.status, reason, kind, date)
        self._heads[answer.status, answer.content_type] = head
        return head
