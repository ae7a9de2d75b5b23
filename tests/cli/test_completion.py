"""What shells complete: asked as they ask, and by bash itself."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from click.shell_completion import BashComplete, ShellComplete

from cog_oci.cli import cog_oci
from cog_oci.cli.completion import VARIABLE
from tests.cli.in_process import command
from tests.cli.test_settings import project  # noqa: F401 - a fixture
from tests.conftest import need


def completed(line: str, monkeypatch, cwd) -> list[str]:
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
    monkeypatch.chdir(cwd)
    answer = ShellComplete.complete(BashComplete(cog_oci, {}, "cog-oci", VARIABLE))
    return [row.partition(",")[2] for row in answer.splitlines()]


@pytest.mark.parametrize(
    ("line", "offers"),
    [
        ("cog-oci why", ["why", "why-not"]),
        ("cog-oci run -i ", ["text=", "top="]),
        ("cog-oci run -i to", ["top="]),
        ("cog-oci train -i ", []),
        ("cog-oci run --engine s", ["sandbox"]),
        ("cog-oci completion ", ["bash", "zsh", "fish"]),
    ],
)
def test_commands_options_and_inputs_are_offered(project, monkeypatch, line, offers):  # noqa: F811 - the fixture
    assert completed(line, monkeypatch, project) == offers


def test_a_project_with_a_mistake_offers_nothing_and_says_nothing(project, monkeypatch):  # noqa: F811 - the fixture
    (project / "run.py").write_text("class Runner(")

    assert completed("cog-oci run -i ", monkeypatch, project) == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_takes_its_script(tmp_path, shell):
    script = command("completion", shell, "--name", "cog", cwd=tmp_path).stdout

    assert "_COG_OCI_COMPLETE" in script
    assert " cog" in script


@pytest.mark.oracle
def test_bash_completes_with_it(tmp_path):
    need("bash")
    program = tmp_path / "cog-oci"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m cog_oci.cli "$@"\n')
    program.chmod(0o755)
    script = (
        "source <(cog-oci completion bash); COMP_WORDS=(cog-oci why); COMP_CWORD=1; "
        '_cog_oci_completion cog-oci 2>/dev/null; echo "${COMPREPLY[@]}"'
    )

    done = subprocess.run(
        ["bash", "-c", script],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "why why-not\n"
