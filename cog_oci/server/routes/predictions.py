"""The predictions API: start one, start one once, cancel one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from quart import Blueprint, Request, Response, request

from cog_oci.server.predictions import AtCapacityError, DuplicateError, UnavailableError
from cog_oci.server.prefer import Preference, parse_prefer
from cog_oci.server.routes._respond import json_answer, text_answer
from cog_oci.server.validation import Problem

if TYPE_CHECKING:
    from cog_oci.server.bodies import PredictionBody
    from cog_oci.server.prediction import Prediction
    from cog_oci.server.service import Service

__all__ = ["routes"]

_ID_MISMATCH = {
    "loc": ["body", "id"],
    "msg": "prediction ID must match the ID supplied in the URL",
    "type": "value_error",
}


def routes(service: Service) -> Blueprint:
    """POST and PUT of predictions, and their cancellation."""
    blueprint = Blueprint("predictions", __name__)

    @blueprint.post("/predictions")
    async def create() -> Response:
        body = await _body(request)
        if isinstance(body, Response):
            return body
        return await _run(service, body, body.id, _preference(request))

    @blueprint.put("/predictions/<id:identity>")
    async def create_once(identity: str) -> Response:
        body = await _body(request)
        if isinstance(body, Response):
            return body
        if body.id is not None and body.id != identity:
            return json_answer({"detail": [_ID_MISMATCH]}, 422)
        running = service.predictions.get(identity)
        if running is not None:
            return _again(service, running, body)
        return await _run(service, body, identity, _preference(request))

    @blueprint.post("/predictions/<id:identity>/cancel")
    async def cancel(identity: str) -> Response:
        return json_answer({}, 200 if service.predictions.cancel(identity) else 404)

    return blueprint


async def _body(incoming: Request) -> PredictionBody | Response:
    """What the client asks for, or what is wrong with how it asks."""
    from cog_oci.server.bodies import BodyError, parse_body  # noqa: PLC0415 - pydantic: not before it is needed

    content = await incoming.get_data(cache=False, as_text=False, parse_form_data=False)
    try:
        return parse_body(bytes(content), incoming.headers.get("Content-Type"))
    except BodyError as error:
        return text_answer(str(error), error.status)


def _preference(incoming: Request) -> Preference:
    return parse_prefer(incoming.headers.getlist("Prefer"))


async def _run(service: Service, body: PredictionBody, identity: str | None, preference: Preference) -> Response:
    """Start a prediction and answer when it has ended, or at once where the client prefers that."""
    if service.predictions.unavailable is not None:
        return _error(503, service.predictions.unavailable)
    given, problems = service.schema.check({} if body.input is None else body.input)
    if problems:
        return _invalid(problems)
    try:
        prediction = await service.predictions.start(identity, given, body.context)
    except UnavailableError as error:
        return _error(503, str(error))
    except (AtCapacityError, DuplicateError) as error:
        return _error(409, str(error))
    if preference.respond_async:
        if preference.wait is None or not await prediction.wait(preference.wait):
            return _accepted(prediction)
    else:
        await _wait_for_client(service, prediction)
    return _ended(prediction)


async def _wait_for_client(service: Service, prediction: Prediction) -> None:
    """Until the prediction has ended; a client that hangs up is not interested any more, so it is cancelled."""
    try:
        await prediction.wait()
    except asyncio.CancelledError:
        if service.predictions.get(prediction.id) is prediction:
            service.predictions.cancel(prediction.id)
        raise


def _again(service: Service, running: Prediction, body: PredictionBody) -> Response:
    """The same request once more: how far it is. One without an input only asks; another input is another request."""
    if body.input is not None and service.schema.check(body.input)[0] != running.input:
        return _error(409, f"A prediction with the id {running.id!r} is running already, with another input")
    return json_answer(running.answer(with_input=True), 202)


def _accepted(prediction: Prediction) -> Response:
    answer = prediction.answer()
    return json_answer({"id": answer["id"], "status": "starting", "created_at": answer["created_at"]}, 202)


def _ended(prediction: Prediction) -> Response:
    if prediction.invalid_field is not None and prediction.invalid_field != "__root__":
        text = (prediction.error or "").removeprefix("Input validation error: ")
        return _invalid([Problem(prediction.invalid_field, text)])
    return json_answer(prediction.answer())


def _invalid(problems: list[Problem]) -> Response:
    detail: list[dict[str, Any]] = [problem.as_json() for problem in problems]
    return json_answer({"detail": detail}, 422)


def _error(status: int, message: str) -> Response:
    return json_answer({"error": message, "status": "failed"}, status)
