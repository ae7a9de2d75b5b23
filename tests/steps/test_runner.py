"""Steps on steps, and what a host cannot run."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from cog_oci.build_steps import Step, python_tools, system_tools
from cog_oci.layers import realise
from cog_oci.layers.steps import StepLayer
from cog_oci.lock import Interpreter, PlatformLock
from cog_oci.oci import Platform
from cog_oci.steps import Allowance, CannotRunError, StepRunner, cannot_run
from cog_oci.steps._runner import _hint
from tests.small_root import small_root

PARTS = PlatformLock(
    inputs={},
    interpreter=Interpreter(source="debian", suite="trixie", version="3.13", executable="/usr/bin/python3.13"),
    archives=(),
    debs=(),
    wheels=(),
    server=(),
)


def step(command: str, **fields) -> Step:
    return Step(phase="run", command=command, network=False, **fields)


def runner(platform: str = "amd64", **fields) -> StepRunner:
    return StepRunner(Platform("linux", platform), PARTS, Allowance(), lambda _: (), **fields)


@pytest.mark.namespaces
def test_what_a_step_stands_on_is_checked_even_when_it_is_made_for_that_step_alone(store):
    base = small_root()
    first = StepLayer(step("echo 1 > /one"), 1, (base,), {"PATH": "/bin"})
    second = StepLayer(step("cat /one > /two"), 2, (base, first), {"PATH": "/bin"})
    checked = []
    running = runner(check_below=lambda layer, blob: checked.append((layer.name, blob.diff_id)))

    realise(second.run_by(running), store, compression="none")

    made = realise(first, store, compression="none")
    assert ("build.run 1", made.diff_id) in checked


def test_a_step_that_nobody_can_run_is_an_error_of_ours(store):
    with pytest.raises(RuntimeError, match="opened without a runner"):
        realise(StepLayer(step("true"), 1, (), {}), store)


def test_a_recipe_is_of_what_a_step_sees_and_not_of_whether_it_may_use_the_network():
    def recipe(command: str = "true", env: str = "a", **fields) -> str:
        return StepLayer(Step(phase="run", command=command, **{"network": False, **fields}), 1, (), {"A": env}).recipe

    assert recipe() == recipe(network=True)
    assert len({recipe(), recipe("false"), recipe(env="b"), recipe(variables=("A=1",))}) == 4


def test_an_image_for_another_processor_is_refused_before_anything_runs():
    layer = StepLayer(step("true"), 1, (), {})

    assert cannot_run(Platform("linux", "s390x"))
    with pytest.raises(CannotRunError, match="the image is for s390x, and this host is") as caught:
        runner("s390x").check([layer])
    assert "build once on Linux for linux/s390x" in caught.value.hint
    assert "install qemu-user-static" in caught.value.hint


def test_an_emulator_is_no_help_where_there_is_no_sandbox(monkeypatch):
    monkeypatch.setattr("cog_oci.steps._runner._MACHINES", {os.uname().machine: "amd64"})
    monkeypatch.setattr("cog_oci.steps._runner.unavailable", lambda: "there is no `unshare` on PATH")

    with pytest.raises(CannotRunError, match="no `unshare`") as caught:
        runner().check([StepLayer(step("true"), 1, (), {})])
    assert "qemu" not in caught.value.hint


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("E: Temporary failure resolving 'example.org'", "no network"),
        ("curl: (6) Could not resolve host: example.org", "no network"),
        ("error: dns error: failed to lookup address", "no network"),
        ("E: Unable to locate package git", "no network"),
        ("ERROR: No matching distribution found for six", "no network"),
        ("/bin/sh: 1: git: not found", "no git in the image"),
        ("bash: line 1: make: command not found", "no make in the image"),
    ],
)
def test_the_last_words_of_a_step_tell_what_it_lacked(line, words):
    assert words in _hint([line, "E: giving up"], step("true"), network=False)
    assert "no network" not in (_hint([line], step("true"), network=True) or "")


@pytest.mark.parametrize("line", ["/bin/sh: 1: pip: not found", "/usr/bin/python3: No module named pip"])
def test_pip_that_a_step_lacks_is_nothing_for_apt(line):
    before, after = (replace(step("pip install x"), phase=phase) for phase in ("pre_install", "run"))

    assert "no pip before the Python packages, unless a command" in _hint([line], before, network=True)
    assert "move the command to build.run" in _hint([line], before, network=True)
    assert "add pip or uv to build.python_requirements" in _hint([line], after, network=True)


def test_tools_are_those_that_commands_call():
    def tools(*commands: str) -> tuple[bool, tuple[str, ...]]:
        steps = [step(command) for command in commands]
        return "apt" in system_tools(steps, {}), python_tools(steps)

    assert tools("apt-get update && apt-get install -y git") == (True, ())
    assert tools("cd /x && pip install six", "python -m pip list") == (False, ("pip",))
    assert tools("python3.11 -m pip install six") == (False, ("pip",))
    assert tools("uv pip install six") == (False, ("uv",))
    assert python_tools([replace(step("pip install six"), phase="pre_install")]) == ("pip",)
    assert tools("echo adapt ; ls /var/lib/apt/lists; my-pip x; ./apt x") == (False, ())


def test_scripts_that_are_run_have_what_they_may_count_on():
    assert "perl-base" in system_tools([], {"ssl-cert": "run"})
    assert system_tools([], {"ssl-cert": "skip"}) == ()
