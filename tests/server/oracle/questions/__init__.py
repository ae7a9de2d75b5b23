"""All questions, a file for each part of the API: name → deployment and question."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.server.oracle.questions import (
    bodies,
    ends,
    files,
    health,
    inputs,
    lives,
    metrics,
    outputs,
    routes,
    streams,
    trainings,
    webhooks,
)

if TYPE_CHECKING:
    from tests.server.oracle.asked import Question

__all__ = ["QUESTIONS"]

QUESTIONS: dict[str, tuple[str, Question]] = {}

for module in (routes, health, bodies, inputs, outputs, files, metrics, lives, streams, webhooks, trainings, ends):
    for deployment, questions in module.CASES.items():
        for name, question in questions.items():
            assert name not in QUESTIONS, f"two questions have the name {name!r}"
            QUESTIONS[name] = (deployment, question)
