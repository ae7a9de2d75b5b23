"""Work beside other work: when it begins, how often, and what becomes of it."""

from __future__ import annotations

from threading import Event, current_thread

import pytest

from cog_oci.upkeep.aside import Aside


def test_nothing_begins_by_itself():
    done = []

    with Aside(lambda _: done.append(1)):
        pass

    assert not done


def test_it_is_done_once_in_a_thread_of_its_own_however_often_it_is_begun_and_asked():
    threads = []

    with Aside(lambda _: threads.append(current_thread()) or "found") as aside:
        aside.begin()
        aside.begin()
        assert aside.result() == aside.result() == "found"

    assert len(threads) == 1
    assert threads[0] is not current_thread()


def test_it_goes_on_while_others_work_and_has_ended_when_they_have_failed():
    go, ended = Event(), []

    def work(_):
        assert go.wait(10)
        ended.append(1)

    def fail():
        with Aside(work) as aside:
            aside.begin()
            go.set()
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert ended


def test_its_error_is_told_to_whoever_wants_its_result():
    with Aside(lambda _: {}["absent"]) as aside:
        aside.begin()
        with pytest.raises(KeyError):
            aside.result()


def test_what_began_is_told_when_nobody_wants_it_any_more():
    with Aside(lambda given_up: given_up.is_set()) as aside:
        assert aside.result() is False

    told = []

    def interrupted():
        with Aside(lambda given_up: told.append(given_up.wait(10))) as aside:
            aside.begin()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert told == [True]
