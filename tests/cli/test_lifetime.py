"""How signals end what was started."""

from __future__ import annotations

import os
import signal

import pytest

from cog_oci import cli
from cog_oci.cli._lifetime import ended_soon, ending_in_order
from tests.cli.test_following import Ended


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_us_in_order_and_is_as_before_afterwards(number):
    before = signal.getsignal(number)
    ended = False

    with pytest.raises(SystemExit) as status, ending_in_order():
        try:
            os.kill(os.getpid(), number)
        finally:
            ended = True

    assert ended
    assert status.value.code == 128 + number
    assert signal.getsignal(number) == before


def test_every_command_is_ended_in_order(monkeypatch):
    cleared = []

    def command(**_: object) -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            cleared.append("what was begun")

    monkeypatch.setattr(cli, "cog_oci", command)

    with pytest.raises(SystemExit) as status:
        cli.main()

    assert status.value.code == 128 + signal.SIGTERM
    assert cleared


def test_what_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ending_in_order():
            os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_container_that_goes_on_has_no_status():
    assert ended_soon(Ended(None), 0) is None
    assert ended_soon(Ended(3), 0) == 3
