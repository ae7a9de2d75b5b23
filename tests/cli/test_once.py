"""A container that answers by pipes, as the command line hears it: stood for by a thread with the other ends."""

from __future__ import annotations

import json
import os
import threading
from contextlib import contextmanager

import pytest

from cog_oci.cli._asked import Asked
from cog_oci.cli._asking import ask as dispatch
from cog_oci.cli._launch import Where
from cog_oci.cli._once import once
from cog_oci.cli._ready import Ready
from cog_oci.errors import CogError
from tests.cli.test_following import Ended, Seen

WHERE = Where(engine="x", platform=None, network="none", gpus=None, variables=("A=b",))
ANSWER = {"status": "succeeded", "output": "x" * 100_000}


class Image:
    """What it says when it is started, and what it was asked."""

    command = ("python", "-I", "-S", "/opt/cog/server")

    def __init__(self, *events: tuple[str, object], status: int = 0, hold: threading.Event | None = None):
        self.events, self.hold = events, hold
        self.asked = b""
        self.ended = False
        self.container = Ended(status)

    @contextmanager
    def start(self, launch):
        self.launch = launch
        launch.gate()
        source, sink = launch.pipes

        def talk():
            with os.fdopen(source, "rb") as requests, os.fdopen(sink, "wb") as told:
                self.asked = requests.read()
                for name, data in self.events:
                    told.write(f"event: {name}\ndata: {json.dumps(data)}\n\n".encode())
                    told.flush()
                if self.hold is not None:
                    assert self.hold.wait(30)

        thread = threading.Thread(target=talk)
        thread.start()
        try:
            yield self.container
        finally:
            if self.hold is not None:
                self.hold.set()
            thread.join()
            self.ended = True


def ask(image, *, timeout=30.0, body=None):
    seen = Seen()
    request = Asked(kind="predictions", body=body or {"input": {}}, setup_timeout=timeout)
    once(Ready(image=image, own=True), WHERE, "predictions", lambda: request, seen)
    return seen


def test_what_is_told_is_seen_and_the_request_is_whole():
    large = {"input": {"x": "y" * 1_000_000}}
    image = Image(("ready", {}), ("log", {"data": "a\n"}), ("output", {"chunk": "one"}), ("completed", ANSWER))

    seen = ask(image, body=large)

    assert seen.said == ["ready", "a\n", ["one"], ANSWER]
    request = json.loads(image.asked)
    assert request.pop("id").startswith("run-")
    assert request == large
    assert image.launch.command[-2:] == ("/opt/cog/server", "predictions")
    assert image.launch.env["A"] == "b"
    assert image.launch.network == "none"


def test_a_container_that_says_that_it_has_ended_is_not_waited_for(monkeypatch):
    monkeypatch.setattr("cog_oci.cli._once._END_SECONDS", 1000)
    image = Image(("ready", {}), ("completed", ANSWER), ("ended", {}), hold=threading.Event())

    assert ask(image).said == ["ready", ANSWER]
    assert image.container.said_so


def test_what_keeps_it_from_being_asked_keeps_the_model_from_starting():
    image = Image(("ready", {}), ("completed", ANSWER))

    def asking():
        raise CogError("unknown input")

    with pytest.raises(CogError, match="unknown input"):
        once(Ready(image=image, own=True), WHERE, "predictions", asking, Seen())
    assert not image.asked


def test_what_setup_prints_is_shown_and_a_failure_said(capsys):
    image = Image(("setup", {"data": "loading\n"}), ("failed", {"error": "no gpu", "traceback": "Traceback…\n"}))

    with pytest.raises(CogError, match="the model's setup failed: no gpu"):
        ask(image)
    assert capsys.readouterr().err == "loading\nTraceback…\n"
    assert image.ended


def test_how_the_models_code_came_to_an_error_is_shown(capsys):
    answer = {"status": "failed", "error": "KeyError: 'x'"}
    image = Image(("ready", {}), ("traceback", {"data": "Traceback…\n"}), ("completed", answer))

    assert ask(image).said == ["ready", answer]
    assert capsys.readouterr().err == "Traceback…\n"


def test_a_container_that_ends_before_it_has_answered_is_said_with_its_status():
    with pytest.raises(CogError, match="there is no answer: the container ended with status 137"):
        ask(Image(("ready", {}), status=137))


def test_a_model_that_is_not_ready_in_time_is_ended():
    image = Image(hold=threading.Event())

    with pytest.raises(CogError, match=r"not ready after 0\.05 s") as error:
        ask(image, timeout=0.05)
    assert "--setup-timeout" in error.value.hint
    assert image.ended


def test_a_server_that_cannot_be_reached_is_not_started():
    class Elsewhere:
        name = "docker"

        def is_here(self):
            return False

    request = Asked(kind="predictions", body={}, setup_timeout=1)

    with pytest.raises(CogError, match="docker is on another machine"):
        dispatch(Elsewhere(), Ready(image=Image()), WHERE, "predictions", lambda: request, Seen())
