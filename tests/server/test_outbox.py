"""Answers leave at once, or together where several predictions end together, each once and in its order."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from cog_oci.server.outbox import Outbox


@pytest.fixture
def wire():
    """What is written, and connections that write it."""
    written: list = []
    return written, lambda name: SimpleNamespace(write=lambda answer: written.append((name, answer)))


def test_an_answer_is_written_at_once(wire):
    written, connection = wire
    Outbox().send(connection("a"), b"1")
    assert written == [("a", b"1")]


def test_answers_of_predictions_that_end_together_are_written_when_all_are_made(wire):
    written, connection = wire
    outbox = Outbox()
    with outbox:
        for turn in range(3):
            outbox.send(connection("abc"[turn]), b"%d" % turn)
        assert not written
    assert written == [("a", b"0"), ("b", b"1"), ("c", b"2")]
    outbox.send(connection("d"), b"3")
    assert written[3:] == [("d", b"3")]


def test_a_fault_on_the_way_keeps_back_no_answer_that_was_made_before(wire):
    written, connection = wire
    outbox = Outbox()
    with pytest.raises(ZeroDivisionError), outbox:
        outbox.send(connection("a"), b"1")
        raise ZeroDivisionError
    assert written == [("a", b"1")]
