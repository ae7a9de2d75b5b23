"""Silence, and sound again after it."""

# ruff: noqa: T201 - printing is what it is about

from __future__ import annotations

import subprocess
import sys

import pytest

from cog_oci.sdk.cog.suppress_output import suppress_output


def test_nothing_is_seen_of_what_python_c_and_programs_print(capfd):
    print("before")
    with suppress_output():
        print("python")
        print("python", file=sys.stderr)
        subprocess.run(["sh", "-c", "echo program; echo program >&2"], check=True)
    print("after")
    subprocess.run(["sh", "-c", "echo later >&2"], check=True)
    assert capfd.readouterr() == ("before\nafter\n", "later\n")


def test_an_error_inside_ends_the_silence_too(capfd):
    with pytest.raises(ZeroDivisionError), suppress_output():
        print(1 / 0)
    print("after")
    assert capfd.readouterr().out == "after\n"


def test_silence_inside_of_silence_ends_with_the_outer(capfd):
    with suppress_output():
        with suppress_output():
            print("inner")
        print("outer")
    print("after")
    assert capfd.readouterr().out == "after\n"
