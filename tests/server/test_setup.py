"""What a setup has printed, as the health check shows it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from cog_oci.server.newer import UTC
from cog_oci.server.worker import Setup


def test_a_setup_that_prints_much_copies_nothing_before_it_is_asked():
    setup = Setup(datetime.now(UTC))
    for piece in ("one\n", "two\n"):
        setup.printed.append(piece)
    assert setup.printed == ["one\n", "two\n"]
    assert setup.logs == "one\ntwo\n"
    replace(setup, status="succeeded").printed.append("three\n")
    assert setup.logs == "one\ntwo\nthree\n"
    assert Setup(datetime.now(UTC)).logs == ""
