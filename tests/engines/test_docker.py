"""The Docker engine before a daemon that a test speaks for: what is asked, and what is made of the answers."""

from __future__ import annotations

import base64
import http.server
import json
import os
import socket
import socketserver
import struct
import threading
import time

import pytest

from cog_oci.engines import EngineError, Launch, Offer
from cog_oci.engines._streams import Streams
from cog_oci.engines.docker import DockerEngine
from cog_oci.oci import Image, ImageConfig, Platform
from cog_oci.progress import SILENT
from cog_oci.reference import Reference
from cog_oci.transports._daemon import Daemon as Connection

NAME = Reference.parse("a/b:c")
IMAGE = Image(Platform("linux", "amd64"), ImageConfig(command=("serve",), labels={"x": "y"}, working_dir="/src"), ())


class Daemon(socketserver.ThreadingUnixStreamServer):
    """Answers from `answers`, by method and path: a status and a document; keeps what it was asked."""

    daemon_threads = True

    def __init__(self, path):
        super().__init__(str(path), Handler)
        self.address = f"unix://{path}"
        self.answers: dict[str, tuple[int, object]] = {}
        self.asked: list[tuple[str, object]] = []

    def handle_error(self, *_):
        """Nobody need wait for an answer."""


class Handler(http.server.BaseHTTPRequestHandler):
    """Any method."""

    def answer(self):
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        words = f"{self.command} {self.path.partition('?')[0]}"
        self.server.asked.append((words, json.loads(body) if body else None))
        self.server.headers = self.headers
        status, document = self.server.answers.get(words, (404, {"message": "nothing there"}))
        data = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.send_response(status)
        self.end_headers()
        self.wfile.write(data)
        if words.endswith("/attach") and status == 200:
            self.server.attached = self.connection
            self.rfile.read()  # a container that goes on until it is stopped, or nobody looks any more
        elif words.endswith("/stop"):
            self.server.attached.shutdown(socket.SHUT_RDWR)

    do_GET = do_POST = do_DELETE = answer  # noqa: N815 - http.server calls them so

    def log_message(self, *_):
        pass

    def address_string(self):
        return "test"


@pytest.fixture
def daemon(tmp_path):
    """A daemon on a socket of the test's own."""
    with Daemon(tmp_path / "socket") as found:
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield found
        found.shutdown()
        thread.join()


def inspected(identity: str) -> dict:
    config = {"Cmd": ["serve"], "Labels": {"x": "y"}, "WorkingDir": "/src"}
    return {"Id": identity, "Architecture": "amd64", "Config": config, "RootFS": {"Layers": ["sha256:1"]}}


@pytest.mark.parametrize("says_so", [True, False])
def test_a_container_that_has_said_that_it_is_over_is_removed_and_any_other_is_stopped_first(daemon, store, says_so):
    daemon.answers |= {
        "GET /images/a/b:c/json": (200, inspected(IMAGE.content_id)),
        "POST /containers/create": (201, {"Id": "it"}),
        "POST /containers/it/attach": (200, b""),
        "POST /containers/it/start": (204, b""),
        "POST /containers/it/stop": (204, b""),
        "DELETE /containers/it": (204, b""),
    }
    image = DockerEngine(daemon.address).having(Offer(IMAGE, NAME), store)
    (requests, asks), (answers, told) = os.pipe(), os.pipe()

    with image.start(Launch(command=("predict",), pipes=(requests, told))) as container:
        if says_so:
            container.over()

    os.close(asks)
    with os.fdopen(answers, "rb") as pipe:
        assert pipe.read() == b"", "nobody else has its other end any more"
    end = time.monotonic() + 30
    while daemon.asked[-1][0] != "DELETE /containers/it":  # which may not have been waited for
        assert time.monotonic() < end
        time.sleep(0.001)
    assert ("POST /containers/it/stop" in [words for words, _ in daemon.asked]) is not says_so


@pytest.mark.parametrize("identity", [IMAGE.content_id, IMAGE.digest])
def test_an_image_that_is_there_is_known_by_configuration_or_by_manifest(daemon, store, identity):
    daemon.answers["GET /images/a/b:c/json"] = (200, inspected(identity))

    found = DockerEngine(daemon.address).having(Offer(IMAGE, NAME), store)

    assert (found.command, found.labels, found.architecture) == (("serve",), {"x": "y"}, "amd64")


@pytest.mark.parametrize(
    "answer", [(200, inspected("sha256:other")), (404, {"message": "no such image"}), (200, b'{"Id": "sha2')]
)
def test_anything_else_is_not_that_image(daemon, store, answer):
    daemon.answers["GET /images/a/b:c/json"] = answer

    assert DockerEngine(daemon.address).having(Offer(IMAGE, NAME), store) is None


@pytest.mark.parametrize("body", [b"[]", b"{}", b"hello"])
def test_what_answers_and_is_no_daemon_is_said(daemon, body):
    daemon.answers["GET /version"] = (200, body)

    assert "is no Docker daemon" in DockerEngine(daemon.address).unavailable()


def test_one_question_tells_whether_it_is_there_and_what_it_runs(daemon):
    daemon.answers["GET /version"] = (200, {"Arch": "arm64"})
    engine = DockerEngine(daemon.address)

    assert engine.unavailable() is None
    assert engine.architecture == "arm64"
    assert len(daemon.asked) == 1


def test_an_image_is_pulled_as_who_we_are_and_a_refusal_has_its_reason(daemon, store, tmp_path, monkeypatch):
    login = base64.b64encode(b"me:secret").decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {"registry.test": {"auth": login}}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    daemon.answers["POST /images/create"] = (200, b'{"status":"Pulling"}\n{"error":"denied: not for you"}\n')

    with pytest.raises(EngineError, match=r"registry\.test/a:v1 is not here and cannot be pulled: denied: not for you"):
        DockerEngine(daemon.address).find("registry.test/a:v1", store, SILENT)

    sent = json.loads(base64.urlsafe_b64decode(daemon.headers["X-Registry-Auth"]))
    assert (sent["username"], sent["password"], sent["serveraddress"]) == ("me", "secret", "registry.test")


def test_a_container_that_cannot_start_is_removed_and_said(daemon, store, tmp_path):
    daemon.answers |= {
        "GET /images/a/b:c/json": (200, inspected(IMAGE.content_id)),
        "POST /containers/create": (201, {"Id": "f00"}),
        "POST /containers/f00/attach": (200, b""),
        "POST /containers/f00/start": (500, {"message": "port is already allocated"}),
        "DELETE /containers/f00": (204, b""),
    }
    image = DockerEngine(daemon.address).having(Offer(IMAGE, NAME), store)

    with (
        pytest.raises(EngineError, match="already allocated") as error,
        image.start(Launch(command=("x",), project=tmp_path)),
    ):
        pass

    assert error.value.hint == "another program has the port: choose one with -p"
    assert daemon.asked[-1][0] == "DELETE /containers/f00"
    host = dict(daemon.asked)["POST /containers/create"]["HostConfig"]
    assert host["Mounts"] == [{"Type": "bind", "Source": str(tmp_path), "Target": "/src"}]


def test_what_keeps_a_program_from_starting_is_raised_once_its_container_is_removed(daemon, store):
    daemon.answers |= {
        "GET /images/a/b:c/json": (200, inspected(IMAGE.content_id)),
        "POST /containers/create": (201, {"Id": "f00"}),
        "DELETE /containers/f00": (204, b""),
    }
    image = DockerEngine(daemon.address).having(Offer(IMAGE, NAME), store)

    def gate():
        raise ValueError("an input that does not fit")

    with pytest.raises(ValueError, match="does not fit"), image.start(Launch(command=("x",), gate=gate)):
        pass

    assert [what for what, _ in daemon.asked][1:] == ["POST /containers/create", "DELETE /containers/f00"]


class _Interrupting:
    """A connection on which Ctrl-C comes, so many times, while the answer is waited for that names a container."""

    def __init__(self, stream, times):
        self.stream, self.times, self.is_making = stream, times, False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()

    def sendall(self, data):
        self.is_making = b"/containers/create" in data
        self.stream.sendall(data)

    def recv(self, size):
        if self.is_making and self.times:
            self.times -= 1
            raise KeyboardInterrupt
        return self.stream.recv(size)


@pytest.mark.parametrize(("times", "is_removed"), [(1, True), (2, False)])
def test_who_interrupts_the_making_of_a_container_leaves_none_behind_unless_he_insists(
    daemon, store, monkeypatch, times, is_removed
):
    daemon.answers |= {
        "GET /images/a/b:c/json": (200, inspected(IMAGE.content_id)),
        "POST /containers/create": (201, {"Id": "f00"}),
        "DELETE /containers/f00": (204, b""),
    }
    connect = Connection.connect
    monkeypatch.setattr(Connection, "connect", lambda self, timeout: _Interrupting(connect(self, timeout), times))
    image = DockerEngine(daemon.address).having(Offer(IMAGE, NAME), store)

    with pytest.raises(KeyboardInterrupt), image.start(Launch(command=("x",))):
        pass

    asked = [what for what, _ in daemon.asked]
    assert ("DELETE /containers/f00" in asked) is is_removed
    assert not any(what.endswith("/start") for what in asked)


def test_what_does_not_fit_is_said_rather_than_that_the_container_cannot_be_made(daemon, store):
    daemon.answers |= {
        "GET /images/a/b:c/json": (200, inspected(IMAGE.content_id)),
        "POST /containers/create": (400, {"message": "no"}),
    }
    image = DockerEngine(daemon.address).having(Offer(IMAGE, NAME), store)

    def gate():
        raise ValueError("an input that does not fit")

    with pytest.raises(ValueError, match="does not fit"), image.start(Launch(command=("x",), gate=gate)):
        pass


def test_a_folder_that_the_daemon_cannot_see_is_said_with_what_to_do(daemon, store, tmp_path):
    message = 'invalid mount config for type "bind": bind source path does not exist: /x'
    daemon.answers |= {
        "GET /images/a/b:c/json": (200, inspected(IMAGE.content_id)),
        "POST /containers/create": (400, {"message": message}),
    }
    image = DockerEngine(daemon.address).having(Offer(IMAGE, NAME), store)

    with (
        pytest.raises(EngineError, match="bind source path") as error,
        image.start(Launch(command=("x",), project=tmp_path)),
    ):
        pass

    assert "--no-mount" in error.value.hint


def test_a_daemon_elsewhere_has_none_of_our_folders_and_not_our_network():
    there, here = DockerEngine("tcp://10.0.0.1:2375"), DockerEngine("unix:///var/run/docker.sock")

    assert (there.is_here(), there.shares_network("host")) == (False, False)
    assert (here.is_here(), here.shares_network("host"), here.shares_network(None)) == (True, True, False)


def test_a_container_that_talks_by_pipes_is_heard_to_its_end():
    ours, theirs = socket.socketpair()
    requests, told = os.pipe(), os.pipe()
    streams = Streams(ours, b"", terminal=False, source=requests[0], sink=told[1], closing=True)
    streams.start()
    os.write(requests[1], b"asked\n")
    os.close(requests[1])
    heard = theirs.recv(100)
    for part in (b"half of ", b"an answer"):
        theirs.sendall(struct.pack(">BxxxL", 1, len(part)) + part)
    theirs.close()

    with os.fdopen(told[0], "rb") as pipe:
        assert pipe.read() == b"half of an answer"  # the end is told by closing it
    streams.finish()
    assert heard == b"asked\n"
    assert streams.ended
