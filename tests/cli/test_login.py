"""`cog-oci login` and `logout` as a user runs them."""

from __future__ import annotations

import base64
import io
import json
import subprocess

import pytest

from tests.cli.in_process import command
from tests.images.conftest import COMMAND
from tests.transports.fake_registry import Answer, fake
from tests.transports.test_logins import server  # noqa: F401 - a fixture


@pytest.fixture(autouse=True)
def docker(tmp_path, monkeypatch):
    """A user without credentials."""
    monkeypatch.delenv("REGISTRY_AUTH_FILE", raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    return tmp_path / "docker" / "config.json"


def test_a_password_comes_in_on_standard_input_and_is_shown_nowhere(server, docker, tmp_path):  # noqa: F811 - the fixture
    done = subprocess.run(
        [*COMMAND, "login", server.host, "-u", "me", "--password-stdin"],
        input="secret\n",
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=True,
    )

    assert done.stdout == ""
    assert f"Login succeeded for {server.host}" in done.stderr
    assert "secret" not in done.stderr
    assert server.host in docker.read_text()
    assert f"Logged out of {server.host}" in command("logout", server.host, cwd=tmp_path).stderr
    assert server.host not in docker.read_text()
    assert "Not logged in" in command("logout", server.host, cwd=tmp_path).stderr


def test_a_password_of_nobody_is_refused(tmp_path):
    done = command("login", "localhost:1", "--password-stdin", cwd=tmp_path, check=False)

    assert done.returncode == 1
    assert "hint: add -u NAME" in done.stderr


def test_the_registry_may_be_named_as_with_cog(tmp_path):
    done = command("login", "--registry", "one:1", "two:2", cwd=tmp_path, check=False)
    same = command("login", "--registry", "localhost:1", "--password-stdin", cwd=tmp_path, check=False)

    assert "error: two:2 and one:1 are two registries" in done.stderr
    assert "hint: add -u NAME" in same.stderr


def test_a_scheme_says_whether_tls_is_spoken_and_is_no_part_of_the_name(server, docker, tmp_path):  # noqa: F811 - the fixture
    def asked(name: str):
        return subprocess.run(
            [*COMMAND, "login", name, "-u", "me", "--password-stdin"],
            input="secret\n",
            capture_output=True,
            text=True,
            cwd=tmp_path,
            check=False,
        )

    assert "does not speak TLS" in asked(f"https://{server.host}").stderr
    assert "Login succeeded" in asked(f"http://{server.host}").stderr
    assert json.loads(docker.read_text())["auths"].keys() == {server.host}
    assert "Logged out" in command("logout", f"https://{server.host}", cwd=tmp_path).stderr


def test_an_image_is_no_registry(tmp_path):
    with fake() as registry:
        done = command("login", f"{registry.host}/me/model", cwd=tmp_path, check=False)

        assert done.returncode == 1
        assert "is not a host" in done.stderr
        assert registry.seen == []


def test_replicate_takes_a_token_and_says_whose_it_is(docker, tmp_path, monkeypatch):
    def answer(request):
        known = request.headers.get("Authorization") == "Basic " + base64.b64encode(b"me:secret").decode()
        return Answer(b"{}") if known else Answer(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})

    with fake() as registry:
        registry.pages["/v2/"] = answer
        registry.pages["/cog/v1/verify-token"] = Answer(b'{"username": "me"}')
        monkeypatch.setattr("cog_oci.cli.login.REPLICATE", registry.host)
        monkeypatch.setattr("sys.stdin", io.StringIO("secret\n"))
        done = command("login", registry.host, "--token-stdin", cwd=tmp_path)

        assert f"Login succeeded for {registry.host}" in done.stderr
        assert "secret" not in done.stderr
        assert registry.host in docker.read_text()
