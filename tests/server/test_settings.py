"""The command line, the environment, and small parsers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cog_oci import __version__
from cog_oci.server.prefer import Preference, parse_prefer
from cog_oci.server.readiness import ReadyFile
from cog_oci.server.settings import SettingsError, read_settings

STUB = {"COG_PREDICT_TYPE_STUB": "run.py:Runner"}


def test_the_defaults_are_cogs():
    settings = read_settings([], STUB)
    assert (settings.host, settings.port, settings.setup_timeout, settings.ready_file) == ("0.0.0.0", 5000, None, None)


@pytest.mark.parametrize(("text", "value"), [("true", True), ("false", False), ("0", False), ("Yes", True)])
def test_d14_a_boolean_is_what_it_says(text, value):
    assert read_settings(["--await-explicit-shutdown", text], STUB).await_explicit_shutdown is value


@pytest.mark.parametrize(
    ("text", "seconds", "warning"),
    [
        ("7", 7.0, None),
        ("0", None, "COG_SETUP_TIMEOUT=0 would cause immediate timeout, ignoring"),
        ("-1", None, "Invalid COG_SETUP_TIMEOUT value, ignoring (no timeout will be applied)"),
        ("1.5", None, "Invalid COG_SETUP_TIMEOUT value, ignoring (no timeout will be applied)"),
    ],
)
def test_a_setup_timeout_that_cannot_be_used_is_ignored_aloud(text, seconds, warning):
    settings = read_settings([], {**STUB, "COG_SETUP_TIMEOUT": text})
    assert settings.setup_timeout == seconds
    assert settings.warnings == (() if warning is None else (warning,))


@pytest.mark.parametrize(
    ("name", "used", "unused", "instead"),
    [
        ("COG_WORKERS", "2", "0", "one worker is started"),
        ("COG_MAX_QUEUE", "0", "1e3", "no request waits for a slot"),
        ("COG_DRAIN_TIMEOUT", "30", "30s", "what runs may take its time at the end"),
    ],
)
def test_a_number_of_ours_that_cannot_be_used_is_ignored_aloud(name, used, unused, instead):
    assert read_settings([], {**STUB, name: used}).warnings == ()
    settings = read_settings([], {**STUB, name: unused})
    assert settings.warnings == (f"Invalid {name} value, ignoring ({instead})",)
    assert (settings.workers, settings.queue, settings.drain_timeout) == (1, 0, None)


def test_the_version_is_ours(capsys):
    with pytest.raises(SystemExit) as caught:
        read_settings(["-v"], STUB)
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"cog-oci {__version__}\n"


def test_an_unknown_option_is_a_usage_error(capsys):
    with pytest.raises(SystemExit) as caught:
        read_settings(["--nonsense"], STUB)
    assert caught.value.code == 2
    assert "usage" in capsys.readouterr().err


def test_a_model_must_be_named():
    with pytest.raises(SettingsError, match="COG_PREDICT_TYPE_STUB environment variable is not set"):
        read_settings([], {})


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], Preference()),
        (["respond-async"], Preference(respond_async=True)),
        (["Respond-Async, wait=5"], Preference(respond_async=True, wait=5.0)),
        (["wait = 10", "respond-async"], Preference(respond_async=True, wait=10.0)),
        (['foo="a, respond-async"'], Preference()),
        (["respond-async; x=1 , wait=5"], Preference(respond_async=True, wait=5.0)),
        (["wait=5, wait=9"], Preference(wait=5.0)),
        (["respond-asynchronously"], Preference()),
        (["wait=-1"], Preference()),
    ],
)
def test_d25_preferences_are_read_as_the_rfc_says(headers, expected):
    assert parse_prefer(headers) == expected


@given(st.lists(st.text(max_size=30), max_size=3))
def test_no_header_is_too_strange(headers):
    parse_prefer(headers)


def test_d23_the_ready_file_is_there_exactly_while_the_server_is_ready(tmp_path):
    path = tmp_path / "run/cog/ready"
    ready_file = ReadyFile(str(path))
    for ready in (False, True, True, False, False):
        ready_file.update(ready=ready)
        assert path.exists() is ready
    ReadyFile(None).update(ready=True)
