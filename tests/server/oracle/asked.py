"""A question to both servers: one request as a value, or a function that asks several and says what it heard."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from tests.server.oracle.talk import Talk

__all__ = ["Asked", "Cases", "hear", "post", "run"]


class Asked(NamedTuple):
    """One request; a body that is bytes is sent as it is, another one as JSON, None is no body."""

    method: str
    path: str
    body: Any = None
    headers: dict[str, str] | None = None


Question = Asked | Callable[["Talk"], Any]

Cases = dict[str, dict[str, Question]]
"""Deployment → name → question."""


def run(**given: Any) -> Asked:
    """A synchronous prediction with this input."""
    return Asked("POST", "/predictions", {"input": given})


def post(body: Any, headers: dict[str, str] | None = None, path: str = "/predictions") -> Asked:
    """A request for a prediction with this body."""
    return Asked("POST", path, body, headers)


def hear(question: Question, talk: Talk) -> Any:
    """What the server says to it."""
    if isinstance(question, Asked):
        return talk.ask(question.method, question.path, question.body, question.headers)
    return question(talk)
