"""Checks of the machine: they are about what is used, and never in the way of what is not."""

from __future__ import annotations

import json
import socket
import sys

import pytest

from cog_oci.config import Project
from cog_oci.doctor import _host
from tests.cli.test_commands import lock_by_hand


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home without logins, without Docker."""
    for name in (
        "DOCKER_HOST",
        "DOCKER_CONTEXT",
        "DOCKER_CONFIG",
        "REGISTRY_AUTH_FILE",
        "XDG_RUNTIME_DIR",
        "COG_SKIP_DOCKER_CHECK",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "bin").mkdir()
    return tmp_path


def test_a_machine_without_docker_is_as_good_as_any(patient, home):
    assert patient.write().said("env-docker") == []


def test_a_daemon_that_answers_is_fine_and_one_that_does_not_is_a_warning(patient, home, monkeypatch):
    patient.write()
    monkeypatch.setenv("DOCKER_HOST", f"unix://{home}/docker.sock")
    with socket.socket(socket.AF_UNIX) as daemon:
        daemon.bind(str(home / "docker.sock"))
        daemon.listen()
        assert patient.said("env-docker") == []

    [said] = patient.said("env-docker")
    assert said == f"warning the Docker daemon at unix://{home}/docker.sock cannot be reached: Connection refused"


@pytest.mark.parametrize(
    ("host", "says"),
    [
        ("tcp://127.0.0.1:1", ["Connection refused"]),
        ("ssh://host", ["forward the socket"]),
        ("unix:///x", ["No such"]),
    ],
)
def test_a_daemon_elsewhere_is_a_warning_unless_it_is_not_to_be_asked(patient, home, monkeypatch, host, says):
    patient.write()
    monkeypatch.setenv("DOCKER_HOST", host)

    assert [part for part in says if part in patient.said("env-docker")[0]] == says

    monkeypatch.setenv("COG_SKIP_DOCKER_CHECK", "1")
    assert patient.said("env-docker") == []


def test_a_daemon_behind_a_port_or_a_context_is_spoken_to_as_by_what_loads_images(patient, home, monkeypatch):
    patient.write()
    with socket.create_server(("127.0.0.1", 0)) as daemon:
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{daemon.getsockname()[1]}")
        assert patient.said("env-docker") == []

    monkeypatch.delenv("DOCKER_HOST")
    monkeypatch.setenv("DOCKER_CONTEXT", "gone")
    assert "there is no context 'gone'" in patient.said("env-docker")[0]


def test_syntax_that_this_python_does_not_know_is_told_from_a_mistake(patient):
    patient.write('build: {python_version: "3.99"}\nrun: run.py:Runner\n', run__py="def f(: ...\n")
    here = f"{sys.version_info.major}.{sys.version_info.minor}"

    assert patient.said("env-python-version") == [f"warning local Python is {here} but cog.yaml specifies 3.99"]
    assert patient.write('build: {python_version: "3.99"}\nrun: run.py:Runner\n').said("env-python-version") == []
    assert patient.write(run__py="def f(: ...\n").said("env-python-version") == []


def test_a_machine_without_a_sandbox_is_told_what_it_needs(patient, home):
    [found] = patient.write().found("env-sandbox")

    assert found.level == "warning"
    assert found.message == "the sandbox cannot start: there is no `unshare` on PATH"
    assert "user.max_user_namespaces" in found.remedy


def test_a_machine_with_a_sandbox_is_fine(patient, monkeypatch):
    monkeypatch.setattr(_host, "unavailable", lambda: None)

    assert patient.write().said("env-sandbox") == []


def test_no_lock_is_a_warning(patient):
    assert patient.write().said("lock") == ["warning there is no cog.lock"]


def test_a_lock_that_fits_is_fine_and_a_stale_one_an_error(patient):
    patient.write()
    lock_by_hand(patient.folder, platforms=("linux/amd64", "linux/arm64"))
    assert patient.said("lock") == []

    patient.write("build: {python_version: '3.11'}\nrun: run.py:Runner\n")

    [found] = patient.found("lock")
    assert found.level == "error"
    assert found.message.startswith(
        "for linux/amd64, cog.lock no longer fits: build.python_version has changed from 3.13"
    )
    assert found.remedy.startswith("Run `cog-oci lock`")


def test_a_lock_that_cannot_be_read_is_an_error(patient):
    [said] = patient.write(cog__lock="{").said("lock")

    assert said.startswith("error cog.lock: the file: Invalid JSON")


def test_what_is_wrong_with_cog_yaml_is_not_said_of_the_lock_again(patient):
    patient.write()
    lock_by_hand(patient.folder)

    assert patient.write("build: {python_requirements: nope.txt}\n").said("lock") == []
    assert patient.write("runn: x\n").said("lock") == []


@pytest.mark.parametrize(
    ("config", "place"), [("image: r.example.com/a/b\n", "1:8"), ("image:\n  name: r.example.com/a/b\n", "2:9")]
)
def test_a_registry_without_a_login_is_a_warning(patient, home, config, place):
    assert patient.write(config).said("registry-login") == [
        f"warning cog.yaml:{place} there is no login for r.example.com, where image: r.example.com/a/b belongs"
    ]


def test_a_registry_with_a_login_is_fine(patient, home):
    (home / ".docker").mkdir()
    (home / ".docker" / "config.json").write_text(json.dumps({"auths": {"r.example.com": {"auth": "YTpzZWNyZXQ="}}}))

    assert patient.write("image: r.example.com/a/b\n").said("registry-login") == []


def test_a_credential_helper_that_is_not_there_is_an_error(patient, home):
    (home / ".docker").mkdir()
    (home / ".docker" / "config.json").write_text('{"credsStore": "nowhere"}')

    [found] = patient.write("image: r.example.com/a/b\n").found("registry-login")

    assert found.level == "error"
    assert "docker-credential-nowhere" in found.message
    assert found.remedy.startswith("Install it")


@pytest.mark.parametrize("image", ["model", "localhost:5000/a/b", "127.0.0.1:5000/b"])
def test_a_name_for_this_machine_needs_no_login(patient, home, image):
    assert patient.write(f"image: {image}\n").said("registry-login") == []


def test_a_name_that_is_none_is_an_error(patient, home):
    assert patient.write("image: A B\n").said("registry-login") == [
        "error cog.yaml:1:8 'A B' is not the name of an image"
    ]
    assert Project.find(patient.folder).config.image_name == "A B"
