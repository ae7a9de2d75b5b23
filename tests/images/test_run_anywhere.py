"""Cog's commands with each engine: a daemon of the tests' own, podman with storage of its own, the sandbox."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import socket
import socketserver
import subprocess
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from cog_oci.sandbox import unavailable
from tests.conftest import need
from tests.images.conftest import COMMAND, ask, cog_oci, wait_until_ready
from tests.ports import free_port

pytestmark = [pytest.mark.network, pytest.mark.engine, pytest.mark.root]

RUN = """
import time

from cog import BaseRunner, Input, Path


class Runner(BaseRunner):
    def setup(self) -> None:
        self.greeting = "hello"

    def run(self, name: str = Input(min_length=2), file: Path = None, hold: bool = False) -> str:
        print("greeting", name)
        while hold:
            time.sleep(0.05)
        return f"{self.greeting} {name}" + (" " + open(file).read() if file else "")
"""


@pytest.fixture(scope="module")
def hello(tmp_path_factory, cache):
    """A project that was never locked before its first command."""
    folder = tmp_path_factory.mktemp("hello") / "hello"
    folder.mkdir()
    (folder / "cog.yaml").write_text("build:\n  python_version: '3.13'\nrun: run.py:Runner\n")
    (folder / "run.py").write_text(RUN)
    cog_oci("build", "--engine", "none", cwd=folder, COG_CACHE_DIR=str(cache))
    return folder


@pytest.fixture(scope="module")
def podman():
    """What makes podman keep everything in a folder of the tests' own."""
    need("podman")
    # podman refuses a run root whose path is longer than 50 characters.
    folder = Path(tempfile.mkdtemp(prefix="podman-"))
    storage, containers = folder / "storage.conf", folder / "containers.conf"
    storage.write_text(f'[storage]\ndriver = "vfs"\ngraphroot = "{folder}/root"\nrunroot = "{folder}/run"\n')
    # Left to itself it raises limits, which root of a container cannot.
    containers.write_text('[containers]\ndefault_ulimits = ["nofile=1000:1000", "nproc=1000:1000"]\n')
    yield {"CONTAINERS_STORAGE_CONF": str(storage), "CONTAINERS_CONF": str(containers)}
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["docker", "podman", "sandbox"])
def engine(request, cache):
    """The environment with which every command uses this engine, and options for its containers."""
    env = {"COG_CACHE_DIR": str(cache), "COG_OCI_ENGINE": request.param}
    if request.param == "docker":
        env["DOCKER_HOST"] = f"unix://{request.getfixturevalue('docker').socket}"
    elif request.param == "podman":
        env |= request.getfixturevalue("podman")
    elif reason := unavailable():
        pytest.skip(reason)
    return env


NETWORK = "--network=host"  # the daemon of the tests has no other


def test_a_prediction_takes_files_and_gives_text(engine, hello, tmp_path):
    (tmp_path / "in.txt").write_text("from a file")

    done = cog_oci("run", NETWORK, "-i", "name=you", "-i", f"file=@{tmp_path / 'in.txt'}", cwd=hello, **engine)

    assert done.stdout == "hello you from a file\n"
    assert "greeting you" in done.stderr


def test_the_whole_answer_goes_where_it_is_told(engine, hello, tmp_path):
    out = tmp_path / "answer.json"

    done = cog_oci("run", NETWORK, "--json", '{"name": "you"}', "-o", str(out), cwd=hello, **engine)

    assert done.stdout == ""
    assert json.loads(out.read_text())["output"] == "hello you"


def test_a_command_has_our_input_and_folder_and_gives_its_status(engine, hello):
    done = subprocess.run(
        [*COMMAND, "exec", NETWORK, "-e", "A=b", "sh", "-c", 'cat; echo "$A"; ls; echo oh >&2; exit 7'],
        input=b"given\n",
        capture_output=True,
        cwd=hello,
        env={**os.environ, **engine},
        check=False,
    )

    assert done.returncode == 7, done.stderr
    assert done.stdout.decode().split()[:2] == ["given", "b"]
    assert b"cog.lock" in done.stdout
    assert done.stderr.endswith(b"oh\n")


def test_a_command_has_our_terminal(engine, hello):
    ours, theirs = pty.openpty()
    program = subprocess.Popen(
        [*COMMAND, "exec", NETWORK, "sh", "-c", "test -t 0 && read word && echo got:$word"],
        stdin=theirs,
        stdout=theirs,
        cwd=hello,
        env={**os.environ, **engine},
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(theirs)
    os.write(ours, b"something\n")
    late = threading.Timer(60, program.kill)
    late.start()
    said = b""
    try:
        while data := os.read(ours, 1024):
            said += data
    except OSError:  # how a terminal says that nobody is there any more
        pass
    late.cancel()
    os.close(ours)

    assert program.wait(60) == 0, said
    assert b"got:something" in said


def test_the_server_answers_until_it_is_interrupted(engine, hello):
    port = free_port()
    program = subprocess.Popen(
        [*COMMAND, "serve", NETWORK, "-p", str(port)],
        cwd=hello,
        env={**os.environ, **engine},
        stderr=subprocess.PIPE,
    )
    try:
        wait_until_ready(f"http://127.0.0.1:{port}")
        answer = ask(f"http://127.0.0.1:{port}/predictions", {"input": {"name": "bob"}})
        taken = cog_oci("serve", NETWORK, "-p", str(port), cwd=hello, check=False, **engine)
    finally:
        program.send_signal(signal.SIGINT)
        said = program.communicate(timeout=60)[1]

    assert answer["output"] == "hello bob"
    assert program.returncode == 0, said
    assert f"port {port}: Address already in use" in taken.stderr
    with pytest.raises(OSError, match="refused"):
        ask(f"http://127.0.0.1:{port}/health-check")


def test_a_server_that_is_terminated_leaves_no_container(docker, hello, cache):
    port = free_port()
    program = subprocess.Popen(
        [*COMMAND, "serve", NETWORK, "-p", str(port)],
        cwd=hello,
        env={**os.environ, "COG_CACHE_DIR": str(cache), "DOCKER_HOST": f"unix://{docker.socket}"},
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until_ready(f"http://127.0.0.1:{port}")
    finally:
        program.terminate()

    assert program.wait(60) == 128 + signal.SIGTERM
    assert docker("ps", "-aq") == ""


def answer_of(url: str) -> str:
    return ask(f"{url}/predictions", {"input": {"name": "bob"}})["output"]


def until(url: str, expected: str) -> None:
    """A server that starts again is asked until it says this."""
    deadline = time.monotonic() + 60
    said = ""
    while said != expected:
        assert time.monotonic() < deadline, said
        try:
            said = answer_of(url)
        except OSError:
            time.sleep(0.05)  # between two lives nobody listens


def test_a_change_is_served_without_a_build_and_a_mistake_in_it_is_waited_out(engine, hello, tmp_path):
    folder = tmp_path / "edited"
    shutil.copytree(hello, folder)
    port = free_port()
    program = subprocess.Popen(
        [*COMMAND, "serve", NETWORK, "--reload", "-p", str(port)],
        cwd=folder,
        env={**os.environ, **engine},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until_ready(f"http://127.0.0.1:{port}")
        first = answer_of(f"http://127.0.0.1:{port}")
        (folder / "run.py").write_text("class Runner(")
        said = ""
        while "waiting" not in said:
            said += (line := program.stderr.readline())
            assert line, said
        (folder / "run.py").write_text(RUN.replace('"hello"', '"good morning"'))
        until(f"http://127.0.0.1:{port}", "good morning bob")
    finally:
        program.send_signal(signal.SIGINT)
        rest = program.communicate(timeout=60)[1]

    assert first == "hello bob"
    assert "run.py changed: starting again" in said
    assert program.returncode == 0, said + rest
    assert "layers were new" not in rest  # the image is the one that was there


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_what_it_prints_is_seen_at_once_and_who_interrupts_it_leaves_nothing(docker, engine, hello, tmp_path, end):
    folder = tmp_path / "held"
    shutil.copytree(hello, folder)
    program = subprocess.Popen(
        [*COMMAND, "run", NETWORK, "-i", "name=you", "-i", "hold=true", "-o", "out.txt"],
        cwd=folder,
        env={**os.environ, **engine},
        stderr=subprocess.PIPE,
        text=True,
    )
    said = ""
    while "greeting you" not in said:
        said += (line := program.stderr.readline())
        assert line, said
    inside = processes_below(program.pid)
    program.send_signal(end)
    program.communicate(timeout=60)

    assert program.returncode == {signal.SIGINT: 130, signal.SIGTERM: 128 + signal.SIGTERM}[end]
    assert not any(Path(f"/proc/{pid}").exists() for pid in inside)
    assert docker("ps", "-aq") == ""
    assert not list(folder.glob("*out.txt*"))


def processes_below(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [found for child in map(int, text.split()) for found in (child, *processes_below(child))]


def test_code_that_is_not_mounted_is_in_the_image(engine, hello):
    done = cog_oci("exec", NETWORK, "--no-mount", "sh", "-c", "ls -a /src", cwd=hello, **engine)

    assert "run.py" in done.stdout
    assert "cog.lock" not in done.stdout  # never part of an image


def test_a_daemon_elsewhere_is_given_the_code_in_the_image(docker, hello, cache):
    """One behind TCP: its containers cannot have folders of this machine."""
    with forwarded(docker.socket) as address:
        env = {"COG_CACHE_DIR": str(cache), "DOCKER_HOST": address}
        done = cog_oci("run", "--network=none", "-i", "name=you", cwd=hello, **env)

    assert done.stdout == "hello you\n"


@contextmanager
def forwarded(path: Path):
    """An address at which this socket answers."""

    def copy(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):  # one of them is gone
            while data := source.recv(1 << 16):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    class Forward(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.socket(socket.AF_UNIX) as daemon:
                daemon.connect(str(path))
                back = threading.Thread(target=copy, args=(daemon, self.request))
                back.start()
                copy(self.request, daemon)
                back.join()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Forward) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"tcp://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_the_sandbox_runs_an_archive_and_other_engines_say_how_they_would(docker, hello, cache, tmp_path):
    if reason := unavailable():
        pytest.skip(reason)
    env = {"COG_CACHE_DIR": str(cache), "DOCKER_HOST": f"unix://{docker.socket}"}
    archive = tmp_path / "hello.tar"
    cog_oci("image", "-o", str(archive), cwd=hello, **env)

    done = cog_oci("run", "--engine=sandbox", str(archive), "-i", "name=you", cwd=tmp_path, **env)
    refused = cog_oci("run", "--engine=docker", str(archive), "-i", "name=you", cwd=tmp_path, check=False, **env)

    assert done.stdout == "hello you\n"
    assert "greeting you" in done.stderr
    assert f"hint: load it first, with `docker load -i {archive}`" in refused.stderr


def test_podman_is_sent_what_it_lacks_and_no_more(podman, hello, cache):
    env = {"COG_CACHE_DIR": str(cache), **podman}

    cog_oci("build", "--engine=podman", "-t", "sent/first", cwd=hello, **env)
    with (hello / "run.py").open("a") as file:
        file.write("# a line\n")
    again = cog_oci("build", "--engine=podman", "-t", "sent/first", cwd=hello, **env)

    other = cog_oci("build", "--engine=podman", "-t", "another/name:v2", cwd=hello, **env)

    assert "loaded sent/first:latest: 0.0 MB of layers were new to podman" in again.stderr
    assert "loaded another/name:v2: 0.0 MB of layers were new to podman" in other.stderr


def test_an_image_is_loaded_into_podman_where_no_docker_is(podman, hello, cache):
    env = {"COG_CACHE_DIR": str(cache), **podman}

    done = cog_oci("image", "--load", "--engine=podman", "-t", "loaded/hello:v1", cwd=hello, **env)
    run = cog_oci("run", "--engine=podman", NETWORK, "loaded/hello:v1", "-i", "name=you", cwd=hello.parent, **env)

    assert done.stdout.startswith("sha256:")
    assert "loaded loaded/hello:v1" in done.stderr
    assert run.stdout == "hello you\n"


def test_an_image_that_nobody_of_us_has_made_is_refused(docker, hello, cache, tmp_path):
    (tmp_path / "root").mkdir()
    shutil.make_archive(str(tmp_path / "bare"), "tar", tmp_path / "root")
    docker("import", str(tmp_path / "bare.tar"), "bare/image")
    env = {"COG_CACHE_DIR": str(cache), "DOCKER_HOST": f"unix://{docker.socket}"}

    done = cog_oci("run", "bare/image", "-i", "name=you", cwd=hello, check=False, **env)

    assert (
        "the image bare/image has no label run.cog.openapi_schema: neither cog-oci nor Cog has made it" in done.stderr
    )


def test_nothing_is_left_when_a_setup_fails(docker, hello, cache, tmp_path):
    folder = tmp_path / "broken"
    shutil.copytree(hello, folder)
    (folder / "run.py").write_text(RUN.replace('self.greeting = "hello"', 'raise RuntimeError("no weights")'))
    env = {"COG_CACHE_DIR": str(cache), "DOCKER_HOST": f"unix://{docker.socket}"}

    done = cog_oci("run", NETWORK, "-i", "name=you", cwd=folder, check=False, **env)

    assert done.returncode == 1
    assert "no weights" in done.stderr
    assert docker("ps", "-aq") == ""


def test_a_container_that_is_killed_while_it_predicts_is_said(docker, hello, cache, tmp_path):
    folder = tmp_path / "slow"
    shutil.copytree(hello, folder)
    (folder / "run.py").write_text(RUN.replace('print("greeting", name)', "import time; time.sleep(600)"))
    program = subprocess.Popen(
        [*COMMAND, "run", NETWORK, "-i", "name=you"],
        cwd=folder,
        env={**os.environ, "COG_CACHE_DIR": str(cache), "DOCKER_HOST": f"unix://{docker.socket}"},
        stderr=subprocess.PIPE,
        text=True,
    )
    said = ""
    while "Running prediction" not in said:
        said += program.stderr.readline()
    time.sleep(0.5)  # the request is on its way when this is said
    docker("kill", docker("ps", "-q").strip())
    said += program.communicate(timeout=60)[1]

    assert program.returncode == 1
    assert "the container ended with status 137" in said
    assert docker("ps", "-aq") == ""


def test_an_image_is_built_once_and_run_by_its_name(docker, hello, cache):
    env = {"COG_CACHE_DIR": str(cache), "DOCKER_HOST": f"unix://{docker.socket}"}

    built = cog_oci("build", "-t", "named/hello:v1", cwd=hello, **env)
    again = cog_oci("build", "-t", "named/hello:v1", cwd=hello, **env)
    done = cog_oci("run", NETWORK, "named/hello:v1", "-i", "name=you", cwd=hello.parent, **env)

    assert built.stdout == again.stdout
    assert "Image built as named/hello:v1" in built.stderr
    assert ": 0.0 MB of layers were new to docker" in again.stderr
    assert done.stdout == "hello you\n"
