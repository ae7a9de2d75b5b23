"""Who looks for the next message before sleeping, when, and for how long."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from itertools import takewhile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cog_oci.sdk.cog import _lookout
from cog_oci.sdk.cog._channel import LOOK_SECONDS, Inbox
from cog_oci.sdk.cog._lookout import Lookout
from cog_oci.sdk.cog._wire import Stop, encode

LIMIT = 0.0002


@pytest.fixture(autouse=True)
def two_processors(monkeypatch, tmp_path):
    """Whatever this machine has."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    monkeypatch.setattr(_lookout, "_QUOTA", tmp_path / "cpu.max")
    return tmp_path / "cpu.max"


@given(st.lists(st.sampled_from([0.0, LIMIT / 2, LIMIT, LIMIT * 1.01, 1.0, float("inf")]), max_size=40))
def test_it_is_worth_looking_exactly_after_eight_short_waits_in_a_row(waits):
    lookout = Lookout(LIMIT)
    for wait in waits:
        lookout.note(wait)
    short = sum(1 for _ in takewhile(lambda wait: wait <= LIMIT, reversed(waits)))
    assert lookout.worthwhile is (short >= 8)


@pytest.mark.parametrize(
    ("quota", "worthwhile"),
    [("100000 100000", False), ("199999 100000", False), ("200000 100000", True), ("max 100000", True)],
)
def test_a_quota_of_less_than_two_processors_leaves_none_to_look_with(two_processors, quota, worthwhile):
    two_processors.write_text(quota + "\n")
    assert _after_short_waits().worthwhile is worthwhile


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs sched_setaffinity(2)")
def test_on_one_processor_nobody_looks():
    program = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from cog_oci.sdk.cog._lookout import Lookout\n"
        "lookout = Lookout(1.0)\n"
        "for _ in range(100): lookout.note(0.0)\n"
        "print(lookout.worthwhile)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


class _Socket:
    """A connection that has nothing until somebody sleeps for it, which then takes `seconds`."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.looks = 0
        self.sleeps = 0

    def recv_into(self, buffer: bytearray, size: int = 0, flags: int = 0) -> int:
        if flags & socket.MSG_DONTWAIT:
            self.looks += 1
            raise BlockingIOError
        self.sleeps += 1
        time.sleep(self.seconds)
        frame = encode(Stop())
        buffer[: len(frame)] = frame
        return len(frame)


def test_a_request_is_looked_for_only_where_those_before_came_at_once_and_in_vain_only_once():
    connection = _Socket()
    inbox = Inbox(connection)  # type: ignore[arg-type]  # what it needs of a socket
    for _ in range(100):  # more than eight: an instant may take longer where others use the processor
        inbox.read()
        if connection.looks:
            break
    assert connection.sleeps > 8, "eight came at once before anything is looked for"
    looks = connection.looks
    assert looks, "the next one is looked for"
    connection.seconds = 2 * LOOK_SECONDS
    inbox.read()
    for _ in range(8):
        before = connection.looks
        inbox.read()
        assert connection.looks == before, "what does not come at once is slept for"


def test_what_was_looked_for_is_read_without_sleeping():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        inbox = Inbox(ours)
        for _ in range(8):
            inbox._lookout.note(0.0)
        theirs.sendall(encode(Stop()))
        assert inbox.read() == [Stop()]
        theirs.close()
        assert inbox.read() is None, "the end is seen while looking, too"


def _after_short_waits() -> Lookout:
    lookout = Lookout(LIMIT)
    for _ in range(100):
        lookout.note(0.0)
    return lookout
