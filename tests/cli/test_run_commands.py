"""Commands that start something: what is said before anything starts, and how an answer is shown."""

from __future__ import annotations

import io
import json
import socket
import subprocess
from contextlib import redirect_stdout

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cog_oci.cli._answer import Display
from cog_oci.errors import CogError
from cog_oci.progress import SILENT
from cog_oci.transports._daemon import Daemon
from tests.cli.in_process import command

RUN = "from cog import BaseRunner\n\n\nclass Runner(BaseRunner):\n    def run(self, text: str, n: int = 1) -> str:\n        return text\n"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project that no command gets as far as locking: nothing on PATH, no daemon, no network."""
    monkeypatch.setenv("COG_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    folder = tmp_path / "project"
    (folder / "deep").mkdir(parents=True)
    (folder / "cog.yaml").write_text("build: {python_version: '3.13'}\nrun: run.py:Runner\n")
    (folder / "run.py").write_text(RUN)
    return folder


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run"], 'missing required input "text"'),
        (["run", "-i", "text"], "Failed to parse input 'text', expected format is 'name=value'"),
        (["run", "-i", "text=a", "-i", "n=b"], 'invalid input "n": expected integer, got string'),
        (["run", "-i", "text=a", "--json", "{}"], "Must use one of --json or --input to provide model inputs"),
        (["run", "--json", "[]"], "the value of --json must be an object"),
        (["run", "--json", "{"], "the value of --json is not JSON"),
        (["run", "--json", "@nope.json"], "cannot read the inputs from nope.json"),
        (["run", "-i", "text=a", "-o", "no/such/file"], "there is no folder no/such"),
        (["run", "-i", "text=a", "-o", "."], "it is a folder"),
        (["run", "-i", "text=a", "--engine", "sandbox"], "sandbox: there is no `unshare` on PATH"),
        (["run", "-i", "text=a", "--engine", "podman"], "podman: there is no `podman` on PATH"),
        (["run", "-i", "text=@nope.txt"], "nope.txt"),
        (["predict", "-i", "text"], '"cog-oci predict" is deprecated, use "cog-oci run"'),
        (["exec", "-p", "0", "ls"], 'invalid port "0": port must be between 1 and 65535'),
        (["exec", "-p", "[::1]:x", "ls"], 'invalid port "x": port must be between 1 and 65535'),
        (["exec", "-p", "8000:5000", "ls"], 'invalid address "8000": -p takes [HOST:]PORT'),
        (["exec", "-p", "[fe::1::2]:80", "ls"], 'invalid address "fe::1::2": -p takes [HOST:]PORT'),
        (["serve", "--network", "none"], "with --network none nobody can reach the server"),
    ],
)
@pytest.mark.parametrize("where", [".", "deep"])
def test_what_is_wrong_is_said_before_anything_starts(project, arguments, says, where):
    done = command(*arguments, cwd=project / where, check=False)

    assert done.returncode == 1
    assert says in done.stderr
    assert done.stdout == ""
    assert not (project / "cog.lock").exists()


@pytest.mark.parametrize("command_name", ["build", "run"])
def test_a_daemon_that_the_environment_names_and_that_is_dead_is_an_error(project, monkeypatch, command_name):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{project}/dead.sock")
    inputs = ["-i", "text=a"] if command_name == "run" else []

    done = command(command_name, *inputs, cwd=project, check=False)

    assert f"docker: the daemon at unix://{project}/dead.sock does not answer" in done.stderr
    assert "hint: no other engine works here either" in done.stderr
    assert not (project / "image.tar").exists()


@pytest.mark.parametrize(
    ("engine", "says"),
    [
        ("podman", "podman: there is no `podman` on PATH"),
        ("auto", "the Docker daemon at"),
        ("docker", "the Docker daemon"),
    ],
)
def test_an_engine_that_is_not_there_to_load_into_is_said_before_anything_is_built(
    project, monkeypatch, tmp_path, engine, says
):
    monkeypatch.setattr("cog_oci.transports.docker.find_daemon", lambda: Daemon(f"unix://{tmp_path}/dead.sock"))

    done = command("image", "--load", "--engine", engine, cwd=project, check=False)

    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {says}")


def test_an_image_of_another_architecture_is_refused_before_it_is_built(project, monkeypatch):
    monkeypatch.setattr("cog_oci.engines.sandbox.unavailable", lambda: None)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")

    done = command("run", "--engine=sandbox", "--platform=linux/arm64", "-i", "text=a", cwd=project, check=False)

    assert "the image is for linux/arm64, and sandbox here runs linux/amd64" in done.stderr
    assert done.returncode == 1


def test_an_input_in_the_place_of_an_image_is_a_forgotten_option(project, monkeypatch):
    monkeypatch.setattr("cog_oci.engines.sandbox.unavailable", lambda: None)

    done = command("run", "--engine=sandbox", "prompt=x", cwd=project, check=False)

    assert "Invalid image name 'prompt=x'. Did you forget `-i`?" in done.stderr


def test_a_port_that_is_taken_is_said():
    from cog_oci.cli._prediction import Serving, _refuse_taken

    with (
        socket.create_server(("127.0.0.1", 0)) as other,
        pytest.raises(CogError, match="Address already in use") as error,
    ):
        _refuse_taken(Serving(port=other.getsockname()[1]))
    assert error.value.hint == "choose another port with -p"


def test_an_address_that_is_none_is_said_in_words():
    from cog_oci.cli._prediction import Serving, _refuse_taken

    with pytest.raises(CogError, match=r"cannot listen on no\.host\.invalid port 1: (?!Unknown error)[\w ]+$"):
        _refuse_taken(Serving(port=1, host="no.host.invalid"))
    with pytest.raises(CogError, match=r"port 1: Cannot assign requested address$") as error:
        _refuse_taken(Serving(port=1, host="192.0.2.1"))
    assert error.value.hint == "name an address of this machine with --host"


def test_a_variable_without_a_value_is_said_before_anything_is_built(project):
    for name in ("run", "serve", "exec"):
        done = command(name, "-e", "TOKEN", *(["true"] if name == "exec" else []), cwd=project, check=False)

        assert done.stderr == "error: Failed to parse input 'TOKEN', expected format is 'NAME=VALUE'\n"


@pytest.mark.parametrize(("option", "says"), [("--gpus", "it has no GPUs"), ("--network", "there is no network 'x'")])
def test_what_the_sandbox_lacks_is_said_before_anything_is_locked(project, monkeypatch, option, says):
    monkeypatch.setattr("cog_oci.engines.sandbox.unavailable", lambda: None)

    done = command("exec", "--engine=sandbox", option, "x", "true", cwd=project, check=False)

    assert done.stderr.startswith(f"error: sandbox: {says}")


def test_an_option_of_exec_that_there_is_not_is_no_command(project):
    done = command("exec", "--gpu", "all", "true", cwd=project, check=False)

    assert done.returncode == 2
    assert "No such option '--gpu'" in done.stderr


def test_half_a_letter_is_no_reason_to_lose_an_answer(tmp_path):
    Display(SILENT, "", output=tmp_path / "out").finish({"status": "succeeded", "output": "a\ud800"})

    assert (tmp_path / "out").read_bytes() == b"a\\ud800"


def shown(capsys, output, path=None, **more):
    Display(SILENT, "", output=path).finish({"status": "succeeded", "output": output, **more})
    return capsys.readouterr()


@pytest.mark.parametrize(
    ("output", "text"),
    [
        ("plain", "plain\n"),
        (["a", "b"], '[\n  "a",\n  "b"\n]\n'),
        ({"a": 1}, '{\n  "a": 1\n}\n'),
        (0, "0\n"),
        ("data: three, and more", "data: three, and more\n"),
        (["data:,x"], '[\n  "data:,x"\n]\n'),
        (None, ""),
    ],
)
def test_outputs_are_text_on_standard_output(capsys, output, text):
    assert shown(capsys, output).out == text


def test_files_are_written_and_named(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    url = "data:image/png;base64,AAEC"

    assert shown(capsys, url).err == "Written output to: output.png\n"
    assert shown(capsys, [url, url]).err == "Written output to: output.0.png\nWritten output to: output.1.png\n"
    assert shown(capsys, [url], tmp_path / "x.bin").err == f"Written output to: {tmp_path}/x.0.bin\n"
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == dict.fromkeys(
        ["output.png", "output.0.png", "output.1.png", "x.0.bin"], b"\x00\x01\x02"
    )


def test_text_goes_into_a_file_when_asked(capsys, tmp_path):
    said = shown(capsys, "words", tmp_path / "out.txt", logs="a log\n")

    assert (said.out, said.err) == ("", f"a log\nWritten output to: {tmp_path}/out.txt\n")
    assert (tmp_path / "out.txt").read_text() == "words"


def test_a_failed_prediction_is_an_error_with_its_logs(capsys):
    with pytest.raises(CogError, match='Prediction failed with status "failed": no memory'):
        Display(SILENT, "").finish({"status": "failed", "error": "no memory", "logs": "last words\n"})

    assert capsys.readouterr().err == "last words\n"


@settings(max_examples=40)
@given(
    # The first may look like a file and the rest not: then it is none, and nothing of it was shown too late or twice.
    st.builds(
        lambda files, text, rest: [*files, text, *rest],
        st.lists(st.just("data:,x"), max_size=2),
        st.integers(),
        st.lists(st.recursive(st.text() | st.integers(), st.lists, max_leaves=4)),
    ),
    st.data(),
)
def test_a_list_shown_as_it_comes_is_the_list_shown_at_the_end(items, data):
    so_far, at_once = io.StringIO(), io.StringIO()
    with redirect_stdout(so_far):
        display = Display(SILENT, "")
        told = 0
        for count in sorted(data.draw(st.lists(st.integers(0, len(items)), max_size=3))):
            display.items(items[told:count])
            told = count
        display.finish({"status": "succeeded", "output": items})
    with redirect_stdout(at_once):
        Display(SILENT, "").finish({"status": "succeeded", "output": items})

    assert so_far.getvalue() == at_once.getvalue() == json.dumps(items, indent=2, ensure_ascii=False) + "\n"


def test_logs_are_shown_once(capsys):
    display = Display(SILENT, "", whole=True)
    display.log("a\n")
    display.log("b")
    display.finish({"status": "succeeded", "output": None, "logs": "a\nb"})

    assert capsys.readouterr().err == "a\nb\n"


def test_an_output_that_cannot_be_written_whole_leaves_the_old_one(tmp_path, monkeypatch):
    (tmp_path / "out.txt").write_text("old")
    monkeypatch.setattr("pathlib.Path.replace", lambda *_: (_ for _ in ()).throw(OSError("the disk is full")))

    with pytest.raises(OSError, match="full"):
        Display(SILENT, "", output=tmp_path / "out.txt").finish({"status": "succeeded", "output": "new"})

    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_the_alias_is_put_in_place_and_never_over_another_program(project, tmp_path):
    script = command("alias", cwd=project).stdout
    command("alias", "--install", str(tmp_path / "bin"), cwd=project)

    assert script.startswith("#!/bin/sh\n")
    assert (tmp_path / "bin" / "cog").read_text() == script
    assert (tmp_path / "bin" / "cog").stat().st_mode & 0o111
    command("alias", "--install", str(tmp_path / "bin"), cwd=project)
    (tmp_path / "bin" / "cog").write_text("#!/bin/sh\nthe real one\n")
    assert "is another program" in command("alias", "--install", str(tmp_path / "bin"), cwd=project, check=False).stderr


def test_the_alias_is_called_cog_and_imports_nothing_of_the_project(project, tmp_path):
    command("alias", "--install", str(tmp_path / "bin"), cwd=project)
    for module in ("click", "secrets", "sitecustomize"):
        (project / f"{module}.py").write_text("raise SystemExit('the project was imported')")

    done = subprocess.run(
        [str(tmp_path / "bin" / "cog"), "predict", "-i", "text"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    wrong = subprocess.run(
        [str(tmp_path / "bin" / "cog"), "run", "--nonsense"], cwd=project, capture_output=True, text=True, check=False
    )

    assert done.stderr.startswith('"cog predict" is deprecated, use "cog run"\nerror: Failed to parse input')
    assert wrong.stderr.startswith("Usage: cog run ")


def test_the_alias_logs_in_to_replicate_where_no_registry_is_named(project):
    script = command("alias", cwd=project).stdout.replace("exec ", "echo $COG_REGISTRY_HOST; exit; exec ")

    def said(**env):
        return subprocess.run(["sh", "-c", script], env=env, capture_output=True, text=True, check=True).stdout.strip()

    assert said() == "r8.im"
    assert said(COG_REGISTRY_HOST="registry.example.com") == "registry.example.com"
