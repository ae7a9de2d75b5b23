"""What a request for a prediction is answered: one implementation for every way by which requests come.

It needs no task of its own: the answer is given by calling back, now or when the prediction has ended.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from cog_oci.sdk.cog._wire import Done, to_line
from cog_oci.server.events import EventLog, EventStream
from cog_oci.server.prediction import Event, Listener, Prediction, Refused, Request
from cog_oci.server.prefer import NO_PREFERENCE, Preference, parse_prefer
from cog_oci.server.refusals import AtCapacityError, DuplicateError, UnavailableError
from cog_oci.server.validation import InputSchema, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType

    from cog_oci.server.bodies import PredictionBody
    from cog_oci.server.predictions import Predictions

__all__ = ["BODY_BYTES", "EVENTS", "Answer", "Call", "Endpoint", "json_answer"]

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
BODY_BYTES = 100 << 20
"""How large a request may be, as in Cog."""
EVENTS = "text/event-stream"
_ANYTHING = InputSchema(None)


@dataclass(slots=True)
class Call:
    """A request: `identity` is the id in its path, names of headers are in lower case."""

    body: bytes
    headers: Mapping[str, str]
    identity: str | None = None
    training: bool = False


@dataclass(slots=True)
class Answer:
    """What to send back; with a `stream`, the body is its events."""

    status: int
    body: bytes = b""
    content_type: str = JSON
    stream: EventStream | None = None
    prediction: Prediction | None = None


def json_answer(body: object, status: int = 200) -> Answer:
    """`body` as JSON."""
    return Answer(status, to_line(body))


def _error(status: int, message: str) -> Answer:
    return json_answer({"error": message, "status": "failed"}, status)


class _Rejection(Exception):  # noqa: N818 - an answer on its way, no fault
    def __init__(self, answer: Answer) -> None:
        self.answer = answer


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`schema` is that of the inputs of predictions, `training_schema` of trainings where the model has any."""

    predictions: Predictions
    schema: InputSchema
    training_schema: InputSchema | None = None
    streams: bool = False
    trains: bool = False
    """Whether the model that is served is its train function."""
    history: int = 0
    upload: str | None = None
    """Where files of outputs go, unless the request says so."""
    follow: Callable[[str, tuple[str, ...] | None, Mapping[str, str]], Listener] | None = None
    """Makes the listener that posts what happens to a webhook: its address, which events, the request's trace."""
    rejected: Callable[[str], None] = lambda _: None
    """Hears why requests are turned away before they are predictions: unavailable, invalid, conflict."""

    def handle(self, call: Call, reply: Callable[[Answer], None]) -> Callable[[], None] | None:
        """Begin to answer `call`. The result, if any, is to be called when the client goes away before the answer."""
        try:
            return self._handle(call, reply)
        except _Rejection as rejection:
            reply(rejection.answer)
            return None

    def show(self, identity: str, headers: Mapping[str, str]) -> Answer:
        """A prediction that is in flight or has ended lately; its events, where the client asks for those."""
        try:
            return self._show(identity, headers)
        except _Rejection as rejection:
            return rejection.answer

    def _show(self, identity: str, headers: Mapping[str, str]) -> Answer:
        prediction = self.predictions.get(identity) or self.predictions.recent.get(identity)
        if prediction is None:
            return json_answer(
                {"detail": f"There is no prediction with the id {identity!r}, or it has been forgotten"}, 404
            )
        if _accepts_events(headers.get("accept", "")):
            self._check_streams(training=False)
            return self._subscribe(prediction, headers)
        return Answer(200, prediction.to_bytes(with_input=True))

    def cancel(self, identity: str) -> Answer:
        """Ask for the end of a prediction."""
        return json_answer({}, 200 if self.predictions.cancel(identity) else 404)

    def _handle(self, call: Call, reply: Callable[[Answer], None]) -> Callable[[], None] | None:
        headers = call.headers
        wants_events = "accept" in headers and _accepts_events(headers["accept"])
        if wants_events:
            self._check_streams(training=call.training)
        body = _read(call)
        identity = call.identity
        if identity is None:
            identity = body.id
        else:
            running = self._once(call, body)
            if running is not None:
                self._check_same(running, call, body)
                reply(
                    self._subscribe(running, headers)
                    if wants_events
                    else Answer(202, running.to_bytes(with_input=True))
                )
                return None
        request = self._request(call, body)
        preference = parse_prefer([headers["prefer"]]) if "prefer" in headers else NO_PREFERENCE
        listeners: tuple[Listener, ...] = ()
        log: EventLog | None = None
        if self.streams:
            log = EventLog(self.history, self._abandon if wants_events else None)
            listeners = (log,)
        if body.webhook is not None and self.follow is not None:
            events = None if body.webhook_events_filter is None else tuple(body.webhook_events_filter)
            listeners += (self.follow(body.webhook, events, request.trace or {}),)
        if wants_events:
            assert log is not None, "only models that stream get here"
            return self._stream(identity, request, listeners, log, reply)
        if preference.respond_async:
            self._respond_async(identity, request, listeners, preference, reply)
            return None
        prediction = self._begin(identity, request, (*listeners, _Reporter(reply)))
        return lambda: self._abandon(prediction)

    def _check_streams(self, *, training: bool) -> None:
        if training:
            raise _Rejection(json_answer({"error": "Training endpoints do not support streaming responses."}, 406))
        if not self.streams:
            text = "This model does not support streaming responses. Add @cog.streaming to run() to enable SSE."
            raise _Rejection(json_answer({"error": text}, 406))

    def _once(self, call: Call, body: PredictionBody) -> Prediction | None:
        """The prediction of the id in the path, if it is in flight."""
        if body.id is not None and body.id != call.identity:
            kind = "training" if call.training else "prediction"
            text = f"{kind} ID must match the ID supplied in the URL"
            detail = {"loc": ["body", "id"], "msg": text, "type": "value_error"}
            raise _Rejection(json_answer({"detail": [detail]}, 422))
        assert call.identity is not None
        return self.predictions.get(call.identity)

    def _request(self, call: Call, body: PredictionBody) -> Request:
        """What to ask of the model."""
        if self.predictions.unavailable is not None:
            self.rejected("unavailable")
            raise _Rejection(_error(503, self.predictions.unavailable))
        asked = {} if body.input is None else body.input
        given, problems = self._schema(call).check(asked)
        if problems:
            self.rejected("invalid")
            raise _Rejection(_invalid(problems))
        raw = call.body if given is body.input else to_line({"input": given})  # as it came, if it is as it came
        headers = call.headers
        trace = None
        if "traceparent" in headers:
            trace = {name: headers[name] for name in ("traceparent", "tracestate") if name in headers}
        return Request(given, raw, body.context, body.output_file_prefix or self.upload, trace)

    def _schema(self, call: Call) -> InputSchema:
        if self.trains:
            return self.training_schema or _ANYTHING  # what the model's `run()` takes is no concern of its training
        if call.training and self.training_schema is not None:
            raise _Rejection(_error(400, "This server runs predictions. Start it with --x-mode train to train."))
        return self.schema

    def _begin(self, identity: str | None, request: Request, listeners: tuple[Listener, ...]) -> Prediction:
        try:
            return self.predictions.begin(identity, request, listeners)
        except UnavailableError as error:
            self.rejected("unavailable")
            raise _Rejection(_error(503, str(error))) from error
        except DuplicateError as error:
            self.rejected("conflict")
            raise _Rejection(_error(409, str(error))) from error

    def _check_same(self, running: Prediction, call: Call, body: PredictionBody) -> None:
        """Whether it is the same request once more. One without an input asks; another input is another request."""
        if body.input is not None and self._schema(call).check(body.input)[0] != running.request.given:
            self.rejected("conflict")
            text = f"A prediction with the id {running.id!r} is running already, with another input"
            raise _Rejection(_error(409, text))

    def _subscribe(self, prediction: Prediction, headers: Mapping[str, str]) -> Answer:
        log = next((listener for listener in prediction.listeners if isinstance(listener, EventLog)), None)
        assert log is not None, "every prediction of a model that streams keeps its events"
        last = headers.get("last-event-id", "")
        after = int(last) if last.isascii() and last.isdecimal() and len(last) < 10 else 0
        if after > log.count:  # that was an earlier prediction of this id
            after = 0
        if not self.history:  # nothing again, but the end
            after = log.count - 1 if log.ended else log.count
        stream = log.stream(after)
        return Answer(200, b"", EVENTS, stream, prediction)

    def _stream(
        self,
        identity: str | None,
        request: Request,
        listeners: tuple[Listener, ...],
        log: EventLog,
        reply: Callable[[Answer], None],
    ) -> Callable[[], None]:
        stream = log.stream()
        log.attach(stream)  # whoever else reads, and leaves, is not the last while this client waits
        reporter = _Reporter(reply)

        def begun(prediction: Prediction, event: Event) -> None:
            if reporter.answered:
                return
            if isinstance(event, Refused):
                reporter.reply(_error(409, str(AtCapacityError())))
            else:
                reporter.reply(Answer(200, b"", EVENTS, stream, prediction))

        prediction = self._begin(identity, request, (*listeners, begun))
        if self.predictions.queued(prediction):  # it waits for its turn, which may be long: its client hears so
            reporter.reply(Answer(200, b"", EVENTS, stream, prediction))
        return lambda: log.detach(stream, prediction)

    def _respond_async(
        self,
        identity: str | None,
        request: Request,
        listeners: tuple[Listener, ...],
        preference: Preference,
        reply: Callable[[Answer], None],
    ) -> None:
        """202 when the prediction has a slot or a place; after `wait` seconds, if the client prefers the result."""
        reporter = _Reporter(reply)
        accepted = _Acceptance(reporter, preference.wait)
        prediction = self._begin(identity, request, (*listeners, accepted))
        if self.predictions.queued(prediction):
            accepted.await_patience(prediction)

    def _abandon(self, prediction: Prediction) -> None:
        """A client that hangs up is not interested any more."""
        if self.predictions.get(prediction.id) is prediction:
            self.predictions.cancel(prediction.id)


class _Reporter:
    """Answers when the prediction has ended, and lets go of who is answered: the prediction is kept for longer."""

    __slots__ = ("_reply",)

    def __init__(self, reply: Callable[[Answer], None]) -> None:
        self._reply: Callable[[Answer], None] | None = reply

    @property
    def answered(self) -> bool:
        """Whether it has been."""
        return self._reply is None

    def __call__(self, prediction: Prediction, event: Event) -> None:
        kind = type(event)
        if kind is Done:
            self.reply(_ended(prediction))
        elif kind is Refused:
            self.reply(_error(409, str(AtCapacityError())))

    def reply(self, answer: Answer) -> None:
        """Once only."""
        reply, self._reply = self._reply, None
        if reply is not None:
            reply(answer)


class _Acceptance:
    """Answers when the client's patience has run out, once it has a slot or a place, or with the result."""

    __slots__ = ("_reporter", "_timer", "_wait")

    def __init__(self, reporter: _Reporter, wait: float | None) -> None:
        self._reporter = reporter
        self._wait = wait
        self._timer: asyncio.TimerHandle | None = None

    def __call__(self, prediction: Prediction, event: Event) -> None:
        if self._reporter.answered:
            return
        if isinstance(event, (Done, Refused)):
            if self._timer is not None:
                self._timer.cancel()
            self._reporter(prediction, event)
        else:
            self.await_patience(prediction)

    def await_patience(self, prediction: Prediction) -> None:
        """It will run: the client hears so, at once or when it has waited for the result as long as it would."""
        if self._wait is None:
            self.accept(prediction)
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._wait, self.accept, prediction)

    def accept(self, prediction: Prediction) -> None:
        """It is on its way, or waits for its turn."""
        body = {"id": prediction.id, "status": "starting", "created_at": prediction.created_at}
        self._reporter.reply(json_answer(body, 202))


def _read(call: Call) -> PredictionBody:
    """What the client asks for, or what is wrong with how it asks."""
    bodies = _bodies()
    try:
        body: PredictionBody = bodies.parse_body(call.body, call.headers.get("content-type"))
    except bodies.BodyError as error:
        raise _Rejection(Answer(error.status, str(error).encode(errors="replace"), TEXT)) from error
    return body


@cache
def _bodies() -> ModuleType:
    from cog_oci.server import bodies  # noqa: PLC0415 - pydantic: not before it is needed

    return bodies


def _accepts_events(accept: str) -> bool:
    return any(part.partition(";")[0].strip().lower() == EVENTS for part in accept.split(","))


def _ended(prediction: Prediction) -> Answer:
    if prediction.invalid_field is not None and prediction.invalid_field != "__root__":
        text = (prediction.error or "").removeprefix("Input validation error: ")
        return _invalid([Problem(prediction.invalid_field, text)])
    return Answer(200, prediction.to_bytes())


def _invalid(problems: list[Problem]) -> Answer:
    return json_answer({"detail": [problem.as_json() for problem in problems]}, 422)
