"""A prediction that is followed, on servers that answer as ours does, as Cog's does, and as none should."""

from __future__ import annotations

import json
import socket
import threading

import pytest

from cog_oci.cli._asked import Asked
from cog_oci.cli._following import follow
from cog_oci.errors import CogError
from tests.conftest import Answers, Site

STATE = {"status": "processing", "logs": "one\n", "output": ["a"]}
ANSWER = {"status": "succeeded", "logs": "one\ntwo\n", "output": ["a", "b"]}


def request(kind, body, events) -> Asked:
    return Asked(kind=kind, body=body, setup_timeout=1, events=events)


class Seen:
    """A viewer that keeps what it was told, and says when that was something."""

    def __init__(self):
        self.told = threading.Event()
        self.said: list[object] = []

    def ready(self):
        self.said.append("ready")

    def log(self, text):
        self.said.append(text)

    def items(self, items):
        self.said.append(items)
        self.told.set()

    def finish(self, answer):
        self.said.append(answer)


class Ended:
    """A container that has ended, or runs."""

    def __init__(self, status=None):
        self.status = status
        self.said_so = False

    def poll(self):
        return self.status

    def wait(self):
        return self.status

    def over(self):
        self.said_so = True


class Handler(Answers):
    """Answers by the server's own functions."""

    def do_PUT(self):  # noqa: N802 - http.server calls it so
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.put(self, body)

    def do_GET(self):  # noqa: N802 - likewise
        self.server.get(self)

    def json(self, status, document):
        self.answer(status, json.dumps(document).encode(), Content_Type="application/json")


@pytest.fixture
def site():
    """A server whose answers to PUT and GET a test sets."""
    with Site() as found:
        found.RequestHandlerClass = Handler
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield found
        found.shutdown()
        thread.join()


def test_what_it_has_made_is_seen_before_it_ends(site):
    seen = Seen()
    site.get = lambda handler: handler.json(200, STATE)

    def put(handler, body):
        assert body == {"input": {"x": 1}}
        assert seen.told.wait(30)
        handler.json(200, ANSWER)

    site.put = put

    answer = follow(site.url, request("predictions", {"input": {"x": 1}}, False), Ended(), seen)

    assert answer == ANSWER
    assert seen.said[:2] == ["one\n", ["a"]]


def test_a_server_of_cogs_is_asked_by_an_input_that_it_cannot_take(site):
    seen, asked = Seen(), []
    site.get = lambda handler: handler.answer(405, b"")

    def put(handler, body):
        asked.append(body)
        if len(asked) > 1:
            handler.json(202, STATE)
            return
        assert seen.told.wait(30)
        handler.json(200, ANSWER)

    site.put = put

    assert follow(site.url, request("trainings", {"input": {}}, False), Ended(), seen) == ANSWER
    assert asked[1] == {"input": []}
    assert seen.said[:2] == ["one\n", ["a"]]


def test_events_are_shown_as_they_come(site):
    seen = Seen()

    def put(handler, _):
        assert handler.headers["Accept"] == "text/event-stream"
        stream = (
            ': keep-alive\n\nevent: start\ndata: {"id":"x"}\n\n'
            'event: log\ndata: {"data":"one\\n","source":"stdout"}\n\n'
            'id: 3\nevent: output\ndata: {"chunk":"a","index":0}\n\n'
            f"event: completed\ndata: {json.dumps(ANSWER)}\n\n"
        )
        handler.answer(200, stream.encode(), Content_Type="text/event-stream")

    site.put = put

    assert follow(site.url, request("predictions", {"input": {}}, True), Ended(), seen) == ANSWER
    assert seen.said == ["one\n", ["a"]]


@pytest.mark.parametrize("events", [True, False])
def test_a_refusal_is_told_field_by_field(site, events):
    problems = [{"loc": ["body", "input", "x"], "msg": "Field required"}]
    site.put = lambda handler, _: handler.json(422, {"detail": problems})

    with pytest.raises(CogError, match="the model refused the input: x: Field required"):
        follow(site.url, request("predictions", {"input": {}}, events), Ended(), Seen())


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        (lambda handler, _: handler.answer(500, b"broken"), "the server answered HTTP 500: broken"),
        (lambda handler, _: handler.connection.shutdown(socket.SHUT_RDWR), "the container ended with status 137"),
        (lambda handler, _: handler.answer(200, b"{", Content_Type="application/json"), "status 137"),
    ],
)
def test_a_server_that_breaks_is_told_with_what_is_known(site, answers, says):
    site.put = answers

    with pytest.raises(CogError, match=says):
        follow(site.url, request("predictions", {"input": {}}, False), Ended(137), Seen())


def test_events_that_end_before_the_prediction_are_no_answer(site):
    site.put = lambda handler, _: handler.answer(200, b"event: start\ndata: {}\n\n", Content_Type="text/event-stream")

    with pytest.raises(CogError, match="there is no answer: the container ended with status 1"):
        follow(site.url, request("predictions", {"input": {}}, True), Ended(1), Seen())
