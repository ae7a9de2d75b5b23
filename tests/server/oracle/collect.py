"""Ask both servers everything: each deployment's pair once, a few pairs at a time."""

from __future__ import annotations

import concurrent.futures
import http.client
import subprocess
import traceback
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.server.oracle.asked import hear
from tests.server.oracle.deployments import DEPLOYMENTS
from tests.server.oracle.questions import QUESTIONS
from tests.server.oracle.receiver import Receiver
from tests.server.oracle.servers import cog, ours

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Callable
    from pathlib import Path

    from tests.server.oracle.talk import Talk

__all__ = ["Answers", "collect"]

PAIRS = 2


class Answers(NamedTuple):
    """What was heard on one question."""

    theirs: Any
    ours: Any


def collect(python: str, folder: Path) -> dict[str, Answers]:
    """Name of a question → answers. `python` is one that has Cog, `folder` is where the projects are put."""
    with concurrent.futures.ThreadPoolExecutor(PAIRS) as threads:
        pairs = [threads.submit(_pair, python, name, folder / name) for name in DEPLOYMENTS]
        return {name: answers for pair in pairs for name, answers in pair.result().items()}


def _pair(python: str, name: str, folder: Path) -> dict[str, Answers]:
    deployment = DEPLOYMENTS[name]
    folder.mkdir()
    receivers = Receiver(), Receiver()
    with concurrent.futures.ThreadPoolExecutor(2) as threads:
        both = (
            threads.submit(_ask, name, cog(python, deployment, receivers[0], folder / "theirs")),
            threads.submit(_ask, name, ours(deployment, receivers[1], folder / "ours")),
        )
    for receiver in receivers:
        receiver.close()
    theirs, mine = (answers.result() for answers in both)
    return {question: Answers(theirs[question], mine[question]) for question in theirs}


def _ask(deployment: str, server: contextlib.AbstractContextManager[Talk]) -> dict[str, Any]:
    """What was heard on the deployment's questions; of a server that does not start, why."""
    questions = {name: question for name, (where, question) in QUESTIONS.items() if where == deployment}
    try:
        with server as talk:
            return {name: _heard(partial(hear, question, talk)) for name, question in questions.items()}
    except Exception:  # noqa: BLE001 - whatever it was, it is the answer to these questions and to no others
        return dict.fromkeys(questions, f"no server: {traceback.format_exc()}")


def _heard(question: Callable[[], Any]) -> Any:
    """What was heard; a connection that was cut, or nothing in time, is an answer too."""
    try:
        return question()
    except (OSError, http.client.HTTPException, concurrent.futures.TimeoutError, subprocess.TimeoutExpired) as error:
        return f"no answer: {type(error).__name__}"
