"""Which engine is taken, and what is said of one that does not work."""

from __future__ import annotations

import socket
import threading

import pytest

from cog_oci.engines import ENGINES, EngineError, choose
from cog_oci.engines.docker import DockerEngine, _devices


class Fake:
    """An engine that works or does not."""

    def __init__(self, reason):
        self.reason = reason

    def unavailable(self):
        return self.reason


@pytest.fixture
def engines(monkeypatch):
    """Set the engines of this machine: a name to what is wrong with it."""
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.delenv("DOCKER_CONTEXT", raising=False)

    def set_to(**reasons):
        for name in list(ENGINES):
            monkeypatch.setitem(ENGINES, name, lambda name=name: Fake(reasons[name]))

    return set_to


def test_the_first_that_works_is_taken(engines):
    engines(docker="no socket", sandbox=None, podman=None)

    assert choose().reason is None
    assert choose("podman").reason is None


def test_one_that_was_asked_for_and_is_dead_is_said_with_what_works(engines):
    engines(docker="the daemon does not answer", sandbox=None, podman=None)

    with pytest.raises(EngineError) as error:
        choose("docker")

    assert str(error.value) == "docker: the daemon does not answer"
    assert error.value.hint == "sandbox and podman work here: --engine sandbox"


def test_a_machine_without_engines_is_told_of_the_archive(engines):
    engines(docker="d", sandbox="s", podman="p")

    with pytest.raises(EngineError, match="docker: d; sandbox: s; podman: p"):
        choose()
    with pytest.raises(EngineError) as error:
        choose("podman")
    assert "cog-oci image -o image.tar" in error.value.hint


@pytest.mark.parametrize("variable", ["DOCKER_HOST", "DOCKER_CONTEXT"])
def test_a_daemon_that_was_named_is_not_replaced_by_another_engine(engines, monkeypatch, variable):
    engines(docker="dead", sandbox=None, podman=None)
    monkeypatch.setenv(variable, "unix:///nowhere")

    with pytest.raises(EngineError, match="docker: dead"):
        choose()


@pytest.mark.parametrize("address", ["unix:///nonexistent/socket", "tcp://127.0.0.1:1", "ssh://host"])
def test_a_daemon_that_cannot_be_reached_says_where_it_was_looked_for(address):
    assert f"the daemon at {address} does not answer" in DockerEngine(address).unavailable()


def test_something_that_speaks_no_http_is_no_daemon(tmp_path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()

        def answer():
            peer, _ = listener.accept()
            peer.recv(1000)
            peer.sendall(b"SSH-2.0-nothing\r\n")
            peer.close()

        thread = threading.Thread(target=answer)
        thread.start()
        assert "does not answer" in DockerEngine(f"unix://{tmp_path}/s").unavailable()
        thread.join()


def test_gpus_are_asked_for_as_docker_run_does():
    assert _devices("all")["Count"] == -1
    assert _devices("2")["Count"] == 2
    assert _devices("device=0,1")["DeviceIDs"] == ["0", "1"]
    with pytest.raises(EngineError, match="--gpus some"):
        _devices("some")
