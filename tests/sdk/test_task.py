"""What is told of an error of the model, and when a prediction began."""

from __future__ import annotations

from contextlib import suppress

import pytest

from cog_oci.sdk.cog._inputs import InvalidInputError
from cog_oci.sdk.cog._outputs import UploadError
from cog_oci.sdk.cog._task import Desk, Task
from cog_oci.sdk.cog._wire import Predict


class MirageError(Exception):
    """One that fails when it is looked at."""

    def __getattr__(self, name):
        return getattr(self.inner, name)


class Channel:
    def send(self, message):
        self.sent = message


class Signature:
    takes_files = False


def told(error):
    """The `Done` of a prediction in which the model has raised this."""
    channel = Channel()
    with pytest.raises(type(error)):
        raise error
    Task(Desk(channel, None, Signature(), None), Predict(1, "p", {}, b"")).close("failed", error=error)
    return channel.sent


def with_cause(error, cause):
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        ValueError("why"),
        with_cause(ValueError("why"), KeyError("raised nowhere")),
        ExceptionGroup("why", [ValueError("one"), ValueError("two")]),
    ],
    ids=["plain", "with a cause", "group"],
)
def test_how_the_model_came_to_its_error_is_told_whatever_that_looks_like(error):
    assert __file__ in told(error).traceback


@pytest.mark.parametrize("error", [UploadError("502"), InvalidInputError("x", "no URL")])
def test_what_is_not_the_models_fault_has_no_traceback(error):
    assert told(error).traceback is None


def test_an_error_that_cannot_be_looked_at_is_told_nevertheless():
    done = None
    with suppress(RecursionError):  # which pytest would look at
        done = told(MirageError("far"))

    assert done is not None
    assert done.error == "MirageError: far"
    assert "MirageError: far\n" in done.traceback  # from Python 3.13 on, with where it came from


def test_a_file_that_is_made_while_a_prediction_runs_is_no_older_than_that(tmp_path):
    for number in range(50):
        began = Task(Desk(Channel(), None, Signature(), None), Predict(1, "p", {}, b"{}"))._began
        made = tmp_path / str(number)
        made.write_text("x")
        assert made.stat().st_mtime >= began
