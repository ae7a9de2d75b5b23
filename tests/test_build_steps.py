"""Commands of cog.yaml, from how they are written to what the lock has."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cog_oci.build_steps import SecretMount, Step, early_python_tools
from cog_oci.config import Project
from cog_oci.errors import SourceError


def project(folder, text: str) -> Project:
    (folder / "cog.yaml").write_text(text)
    return Project.find(folder)


def test_both_of_cogs_forms_and_ours(tmp_path):
    found = project(
        tmp_path,
        "build:\n"
        "  pre_install: [first]\n"
        "  run:\n"
        "    - second\n"
        "    - command: third\n"
        "      mounts:\n"
        "        - {type: secret, id: pip, target: /etc/pip.conf}\n"
        "        - {type: secret, id: other}\n"
        "    - command: |\n"
        "        fourth\n"
        "        and on\n"
        "      network: true\n"
        "environment: [A=1, B=x=y]\n",
    )

    variables = ("A=1", "B=x=y")
    secrets = (SecretMount(id="pip", target="/etc/pip.conf"), SecretMount(id="other", target="/run/secrets/other"))
    assert found.steps() == (
        Step(phase="pre_install", command="first", network=False, variables=variables),
        Step(phase="run", command="second", network=False, variables=variables),
        Step(phase="run", command="third", network=False, secrets=secrets, variables=variables),
        Step(phase="run", command="fourth\nand on\n", network=True, variables=variables),
    )
    assert {"build.run", "build.pre_install"} <= set(found.lock_inputs())
    assert found.config.said["build"]["run"][0] == "second"


def test_a_project_without_commands_has_no_input_of_them(tmp_path):
    assert not [name for name in project(tmp_path, "environment: [A=1]\n").lock_inputs() if "run" in name]


def test_each_change_of_a_command_or_a_variable_makes_the_lock_stale(tmp_path):
    def inputs(text: str, variable: str = "A=1") -> dict[str, str]:
        return project(tmp_path, f"build:\n  run:\n    - {text}\nenvironment: ['{variable}']\n").lock_inputs()

    known = inputs("make")
    assert known == inputs("make")
    assert inputs("make all")["build.run"] != known["build.run"]
    assert inputs("{command: make, network: true}")["build.run"] != known["build.run"]
    assert inputs("make", "A=2")["build.run"] != known["build.run"]


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("3", "cog.yaml:3:7: build.run.0: must be a command, or a mapping of command, mounts and network"),
        ("''", "cog.yaml:3:7: build.run.0.command: must not be empty"),
        ("{comand: x}", "cog.yaml:3:8: build.run.0.comand: unknown key, did you mean command?"),
        ("{command: x, mounts: [{type: cache, id: a}]}", "build.run.0.mounts.0.type: Input should be 'secret'"),
        ("{command: x, mounts: [{type: secret, id: 'a b'}]}", "'a b' cannot be the id of a secret"),
        ("{command: x, mounts: [{type: secret, id: a, target: etc/x}]}", "'etc/x' must be the whole path of a file"),
        ("{command: x, mounts: [{type: secret, id: a, target: /etc/../x}]}", "must be the whole path of a file"),
        ("{command: x, mounts: [{type: secret, id: a, target: /proc/x}]}", "nothing can be mounted below /proc"),
        (
            "{command: x, mounts: [{type: secret, id: a, target: /x}, {type: secret, id: b, target: /x}]}",
            "two secrets have the target /x",
        ),
        ("{command: x, network: maybe}", "build.run.0.network: should be a valid boolean, not 'maybe'"),
    ],
)
def test_a_command_that_is_miswritten_is_told_with_its_place(tmp_path, command, message):
    with pytest.raises(SourceError) as caught:
        project(tmp_path, f"build:\n  run:\n    - {command}\n")

    assert message in str(caught.value)
    assert str(caught.value).startswith("cog.yaml:3:")


def test_more_commands_than_an_image_has_room_for_are_refused(tmp_path):
    commands = "".join(f"    - echo {number}\n" for number in range(61))

    with pytest.raises(SourceError, match="there are more than 60 commands"):
        project(tmp_path, f"build:\n  run:\n{commands}")


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("pip install six\n", "pip install six"),
        ("a \\\n  b", "a \\\\n  b"),
        ("pip install git+ssh://git@example.com/x", "pip install git+ssh://git@example.com/x"),
        ("curl https://ghp_0123456789@example.com", "curl https://***@example.com"),
        (
            "curl https://me:pass:word@a.example https://you:other@b.example",
            "curl https://me:***@a.example https://you:***@b.example",
        ),
        ('curl "https://$(cat /run/secrets/login)@a.example"', 'curl "https://$(cat /run/secrets/login)@a.example"'),
        ("curl https://a.example/@scope/x", "curl https://a.example/@scope/x"),
        ("curl https://me:pass@word@a.example/@x", "curl https://me:***@a.example/@x"),
        ("mail 'https://me:word@a.example','me@b.example'", "mail 'https://me:***@a.example','me@b.example'"),
    ],
)
def test_what_is_told_of_a_command_is_one_line_without_passwords(command, told):
    assert Step(phase="run", command=command, network=True).told == told


@pytest.mark.parametrize(
    ("commands", "tools"),
    [
        (["pip install six", "uv pip install six"], ("pip", "uv")),
        (["true; python3 -m pip install six"], ("pip",)),
        (["python -c 'print()'"], ()),
        (["echo pip", "apt-get install -y python3", "/usr/bin/python3.13 x"], None),
    ],
)
def test_what_commands_before_the_packages_call_of_python_is_there_first(commands, tools):
    early = [Step(phase="pre_install", command=command, network=True) for command in commands]

    assert early_python_tools(early) == tools
    assert early_python_tools([replace(step, phase="run") for step in early]) is None


def test_scripts_of_packages_are_not_told():
    assert Step(phase="system_effects", command="a script", network=False).told == ""
