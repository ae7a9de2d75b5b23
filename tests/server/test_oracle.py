"""Cog's own server and ours, asked the same: the answers are equal, except where `oracle/differences.py` says why not.

COG_ORACLE_PYTHON names the Python of a virtual environment with cog==0.23.1.
"""

from __future__ import annotations

import os

import pytest

from tests.server.oracle.collect import collect
from tests.server.oracle.compare import covers, places
from tests.server.oracle.deployments import DEPLOYMENTS
from tests.server.oracle.differences import DIFFERENCES
from tests.server.oracle.questions import QUESTIONS
from tests.server.oracle.rules import RULES, settle


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """For each question, what Cog answers and what we answer."""
    python = os.environ.get("COG_ORACLE_PYTHON")
    if not python:
        pytest.skip("COG_ORACLE_PYTHON does not name a Python that has cog==0.23.1")
    return collect(python, tmp_path_factory.mktemp("oracle"))


@pytest.mark.oracle
@pytest.mark.parametrize("name", QUESTIONS)
def test_the_answer_is_cogs_or_differs_where_and_for_the_reason_that_is_listed(answers, name):
    assert not str(answers[name].theirs).startswith("no "), answers[name].theirs
    theirs, ours, _ = settle(*answers[name])
    found = places(theirs, ours)
    listed = DIFFERENCES[name].places if name in DIFFERENCES else ()
    unlisted = {place for place in found if not any(covers(each, place) for each in listed)}
    gone = {each for each in listed if not any(covers(each, place) for place in found)}
    assert not unlisted, f"{name} at {sorted(unlisted)}:\ntheirs: {theirs}\nours:   {ours}"
    assert not gone, f"there is no difference any more at {sorted(gone)}: {DIFFERENCES[name].reason}"


@pytest.mark.oracle
def test_every_rule_is_needed_by_some_answer(answers):
    used = {name for pair in answers.values() for name in settle(*pair)[2]}
    assert used == RULES.keys()


def test_every_difference_has_a_question_places_and_a_reason():
    assert not DIFFERENCES.keys() - QUESTIONS.keys()
    assert all(len(each.reason) > 20 and each.places for each in DIFFERENCES.values())
    assert all(len(rule.reason) > 20 for rule in RULES.values())


def test_every_deployment_is_asked_something_and_there_are_enough_of_both():
    assert {deployment for deployment, _ in QUESTIONS.values()} == DEPLOYMENTS.keys()
    assert len({each.model for each in DEPLOYMENTS.values()}) >= 30
    assert len(QUESTIONS) >= 300
