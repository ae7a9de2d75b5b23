"""What every command takes, wherever it stands; flags of Cog's; work that takes long, in lines."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest

from cog_oci.cli._progress import Lines
from cog_oci.cli._settings import Settings
from tests.cli.in_process import command

RUN = "from cog import BaseRunner\n\n\nclass Runner(BaseRunner):\n    def run(self, text: str, top: int = 1) -> str:\n        return text\n"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project, and no engine, network or daemon."""
    monkeypatch.setenv("COG_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", "/nonexistent")
    (tmp_path / "cog.yaml").write_text("build: {python_version: '3.13'}\nrun: run.py:Runner\n")
    (tmp_path / "run.py").write_text(RUN)
    return tmp_path


class Terminal(io.StringIO):
    """What a command prints, as on a terminal."""

    def isatty(self):
        return True


class Latin(io.TextIOWrapper):
    """What a command prints, where there are no letters but those of Western Europe."""

    def __init__(self):
        super().__init__(io.BytesIO(), encoding="latin-1")

    def getvalue(self):
        self.flush()
        return self.buffer.getvalue().decode("latin-1")


@pytest.mark.parametrize("words", [["--debug", "run", "-i", "x=1"], ["run", "--debug", "-i", "x=1"]])
def test_debug_shows_where_an_error_is_before_and_after_the_command(project, words):
    said = command(*words, cwd=project, check=False).stderr

    assert "Traceback (most recent call last)" in said
    assert said.endswith('error: unknown input "x"; valid inputs are: text, top\n')


def test_without_debug_nothing_but_the_error_is_said(project):
    assert "Traceback" not in command("run", "-i", "x=1", cwd=project, check=False).stderr


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, Settings()),
        ({"NO_COLOR": "1"}, Settings(color=False)),
        ({"COG_NO_COLOR": "1", "TERM": "dumb"}, Settings(color=False, progress="plain")),
        ({"BUILDKIT_PROGRESS": "quiet"}, Settings(progress="quiet")),
        ({"BUILDKIT_PROGRESS": "rawjson"}, Settings()),
    ],
)
def test_variables_say_what_options_do_not(environment, expected):
    assert Settings.of(environment) == expected


@pytest.mark.parametrize(
    ("words", "variable", "coloured"),
    [(["doctor"], "", True), (["doctor"], "1", False), (["doctor", "--no-color"], "", False)],
)
def test_colours_on_a_terminal_can_be_turned_off(project, monkeypatch, words, variable, coloured):
    monkeypatch.setenv("NO_COLOR", variable)
    monkeypatch.setattr("tests.cli.in_process.io.StringIO", Terminal)
    (project / "cog.yaml").write_text("runn: x\n")

    assert ("\x1b[" in command(*words, cwd=project, check=False).stdout) is coloured


def test_letters_that_standard_output_cannot_show_are_written_in_others(project, monkeypatch):
    monkeypatch.setattr("tests.cli.in_process.io.StringIO", Latin)
    (project / "cog.yaml").write_text("grö\u0436: x\n", encoding="utf-8")

    assert "grö\\u0436: unknown key" in command("doctor", cwd=project, check=False).stdout


def test_streams_that_are_closed_are_nowhere(project):
    code = (
        "import os, sys\nfrom cog_oci.cli import main\nsys.argv = ['cog-oci', 'schema']\ntry: main()\n"
        "finally: sys.stderr.write(str([os.readlink(f'/proc/self/fd/{number}') for number in (0, 1)]))"
    )

    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" <&- >&-', "sh", sys.executable, "-c", code],
        cwd=project,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stderr == "['/dev/null', '/dev/null']"


@pytest.mark.parametrize(
    ("variables", "which"),
    [
        ({"COG_SDK_WHEEL": "dist"}, "COG_SDK_WHEEL is"),
        ({"COGLET_WHEEL": "pypi"}, "COGLET_WHEEL is"),
        ({"COG_SDK_WHEEL": "a.whl", "COGLET_WHEEL": "b.whl"}, "COG_SDK_WHEEL and COGLET_WHEEL are"),
    ],
)
def test_wheels_of_cog_are_not_used_and_it_is_said_once(project, monkeypatch, variables, which):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    said = command("schema", cwd=project)

    assert said.stderr.count("not used here") == 1
    assert said.stderr.startswith(f"warning: {which} not used here: ")


@pytest.mark.parametrize("words", [["--registry", "h:1", "logout"], ["logout", "--registry", "h:1"]])
def test_the_registry_may_be_named_before_and_after_the_command(tmp_path, monkeypatch, words):
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("COG_REGISTRY_HOST", "other:2")

    assert command(*words, cwd=tmp_path).stderr == "Not logged in to h:1\n"
    assert command("logout", cwd=tmp_path).stderr == "Not logged in to other:2\n"


def test_every_command_takes_the_registry_as_with_cog(project):
    assert "No such option" not in command("schema", "--registry", "h:1", cwd=project).stderr


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("auth", "No such command 'auth'. Did you mean login?"),
        ("biuld", "No such command 'biuld'. Did you mean build?"),
        ("playground", "No such command 'playground'. A page to try the model with is at /docs of `cog-oci serve`."),
        ("weights", "No such command 'weights'. Weights that are files of the project are in its image"),
        ("xyzzy", "No such command 'xyzzy'.\n"),
    ],
)
def test_a_command_that_there_is_not_is_told_what_there_is(tmp_path, name, says):
    done = command(name, cwd=tmp_path, check=False)

    assert done.returncode == 2
    assert f"Error: {says}" in done.stderr


@pytest.mark.parametrize("name", ["build", "image", "push", "run", "predict", "serve", "exec", "train"])
def test_every_command_that_builds_takes_secrets(project, name):
    assert "--secret id=NAME,src=FILE" in command(name, "--help", cwd=project).stdout


def test_keys_on_their_way_out_are_told_with_every_command(project):
    (project / "cog.yaml").write_text("predict: run.py:Runner\nbuild: {sdk_version: 0.18, python_packages: [six]}\n")

    assert command("schema", cwd=project).stderr.splitlines() == [
        'warning: deprecated field "build.python_packages": use a requirements.txt file instead',
        'warning: deprecated field "predict": use "run" instead',
        "warning: build.sdk_version 0.18 changes nothing: the image has the SDK of this tool, as Cog 0.23's",
    ]


def test_quiet_work_says_nothing_of_its_steps(project):
    words = ("run", "-i", "text=a", "--engine", "sandbox")

    loud = command(*words, cwd=project, check=False).stderr
    quiet = command("--progress", "quiet", *words, cwd=project, check=False).stderr

    assert loud == quiet  # nothing but the error: there was no step before it
    assert quiet.startswith("error: sandbox: there is no `unshare` on PATH\n")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["serve", "--playground"], "note: --playground changes nothing: a page to try the model with is at /docs"),
        (["run", "--use-cog-base-image=false"], "every image has a base of its own"),
        (["train", "--use-cuda-base-image", "auto"], "there is no CUDA image to build on"),
        (["run", "--use-replicate-token"], "Failed to find REPLICATE_API_TOKEN in the current environment"),
    ],
)
def test_flags_of_cogs_are_taken_and_explained(project, monkeypatch, words, says):
    monkeypatch.delenv("REPLICATE_API_TOKEN", raising=False)

    done = command(*words, "--engine", "sandbox", cwd=project, check=False)

    assert says in done.stderr
    assert done.returncode == 1  # there is no engine, or an input is missing: the flag is no reason to end


def test_debug_takes_cogs_flags(project):
    said = command("debug", "--image-name=x", "--use-cog-base-image=false", cwd=project, check=False).stderr

    assert "note: --image-name changes nothing: the layers are the same whatever the image is called" in said
    assert "note: --use-cog-base-image changes nothing" in said


def test_long_work_says_how_far_it_is_and_when_it_will_end(capsys):
    seconds = iter([0.0, 5.0, 10.0, 15.0, 20.0, 21.0])

    with Lines(lambda: next(seconds)).task("fetching 3 files", 4_000_000) as task:
        for _ in range(4):
            task.advance(1_000_000)

    assert capsys.readouterr().err.splitlines() == [
        "fetching 3 files: 2.0 MB of 4.0 MB, 200.0 kB/s, 10 s left",
        "fetching 3 files: 4.0 MB of 4.0 MB, 200.0 kB/s, 0 s left",
        "fetching 3 files: 4.0 MB in 21 s",
    ]


def test_short_work_says_nothing(capsys):
    with Lines(lambda: 0.0).task("hashing") as task:
        task.advance(1)

    assert capsys.readouterr().err == ""
