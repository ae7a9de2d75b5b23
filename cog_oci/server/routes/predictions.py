"""Predictions and trainings over Quart: start one, start one once, look at one, cancel one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from quart import Blueprint, Response, request

from cog_oci.server.endpoint import Answer, Call
from cog_oci.server.routes._respond import json_answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from cog_oci.server.service import Service

__all__ = ["routes"]

_MUCH = 1 << 18


def routes(service: Service) -> Blueprint:
    """POST, PUT and GET of predictions and trainings, and their cancellation."""
    blueprint = Blueprint("predictions", __name__)
    for kind in ("predictions", "trainings"):
        _add(blueprint, service, kind)
    return blueprint


def _add(blueprint: Blueprint, service: Service, kind: str) -> None:
    endpoint = service.endpoint

    async def create(identity: str | None = None) -> Response:
        body = await _body(service.shutdown)
        if body is None:
            return _too_late()
        call = Call(body, _headers(), identity, training=kind == "trainings")
        return _respond(await _wait(lambda reply: endpoint.handle(call, reply)))

    async def show(identity: str) -> Response:
        return _respond(endpoint.show(identity, _headers()))

    async def cancel(identity: str) -> Response:
        return _respond(endpoint.cancel(identity))

    blueprint.add_url_rule(f"/{kind}", f"create {kind}", create, methods=["POST"])
    blueprint.add_url_rule(f"/{kind}/<id:identity>", f"create {kind} once", create, methods=["PUT"])
    blueprint.add_url_rule(f"/{kind}/<id:identity>", f"show {kind}", show, methods=["GET"])
    blueprint.add_url_rule(f"/{kind}/<id:identity>/cancel", f"cancel {kind}", cancel, methods=["POST"])


async def _body(shutdown: asyncio.Event) -> bytes | None:
    """What the request carries; None if the server is to end before it is there: nobody waits for it then."""
    reading = asyncio.ensure_future(request.get_data(cache=False, as_text=False, parse_form_data=False))
    ending = asyncio.ensure_future(shutdown.wait())
    try:
        await asyncio.wait([reading, ending], return_when=asyncio.FIRST_COMPLETED)
        return bytes(await reading) if reading.done() else None
    finally:
        reading.cancel()
        ending.cancel()


def _too_late() -> Response:
    response = json_answer({"error": "The server is shutting down", "status": "failed"}, 503)
    if request.http_version in {"1.0", "1.1"}:
        response.headers["Connection"] = "close"  # the rest of the body is not read
    return response


def _headers() -> dict[str, str]:
    """The headers of the request; of one that is there several times, the values in one list (RFC 9110 §5.3)."""
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return headers


async def _wait(start: Callable[[Callable[[Answer], None]], Callable[[], None] | None]) -> Answer:
    """The answer, when it is there; a client that hangs up before that cancels what it has started."""
    answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    def reply(answer: Answer) -> None:
        if not answered.done():
            answered.set_result(answer)

    abandon = start(reply)
    try:
        return await answered
    except asyncio.CancelledError:
        if abandon is not None:
            abandon()
        raise


def _respond(answer: Answer) -> Response:
    if answer.stream is None:
        return Response(answer.body, answer.status, content_type=answer.content_type)
    if request.method == "HEAD":  # there is nothing of it to wait for
        response = Response(b"", answer.status, content_type=answer.content_type)
        del response.headers["Content-Length"]
    else:
        response = Response(_chunks(answer), answer.status, content_type=answer.content_type)
    response.headers["Cache-Control"] = "no-cache"
    response.timeout = None
    return response


async def _chunks(answer: Answer) -> AsyncIterator[bytes]:
    """What the stream writes; it is asked to wait while the client has not taken what there is."""
    assert answer.stream is not None
    assert answer.prediction is not None
    stream, chunks, news = answer.stream, [], asyncio.Event()
    ended = False

    def write(content: bytes) -> None:
        chunks.append(content)
        news.set()
        if sum(map(len, chunks)) > _MUCH:
            stream.pause()

    def end() -> None:
        nonlocal ended
        ended = True
        news.set()

    stream.open(answer.prediction, write, end)
    try:
        while chunks or not ended:
            await news.wait()
            news.clear()
            content = b"".join(chunks)
            chunks.clear()
            if content:
                yield content
            stream.resume()
    finally:
        stream.close()
