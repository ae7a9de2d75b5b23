"""Logging in: credentials are tried, kept where Docker keeps them, found by every command, and forgotten."""

from __future__ import annotations

import base64
import json
import stat

import pytest

from cog_oci.errors import CogError
from cog_oci.transports._credentials import Credentials, credentials
from cog_oci.transports.logins import log_in, log_out
from tests.transports.fake_registry import Answer, fake

BASIC = "Basic " + base64.b64encode(b"me:secret").decode()

HELPER = """#!/bin/sh
case "$1" in
store) cat > "$KEPT" ;;
erase) rm -f "$KEPT" ;;
get) if [ -e "$KEPT" ]; then cat "$KEPT"; else echo "credentials not found"; exit 1; fi ;;
esac
"""


@pytest.fixture
def server():
    """A registry that wants a name and a password."""

    def answer(request):
        if request.headers.get("Authorization") == BASIC:
            return Answer(b"{}")
        return Answer(status=401, headers={"WWW-Authenticate": 'Basic realm="test"'})

    with fake() as found:
        found.pages["/v2/"] = answer
        yield found


@pytest.fixture
def helper(home, tmp_path, monkeypatch):
    """A helper that keeps one password in a file, and a configuration that names it for everything."""
    program = tmp_path / "docker-credential-test"
    program.write_text(HELPER)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("KEPT", str(tmp_path / "kept"))
    (home / ".docker").mkdir()
    (home / ".docker/config.json").write_text('{"credsStore": "test"}')
    return tmp_path / "kept"


def test_what_is_kept_is_found_and_for_the_users_eyes_only(server, home):
    assert log_in(server.host, "me", "secret") == str(home / ".docker/config.json")

    assert credentials(server.host, "any/model") == Credentials("me", "secret")
    assert stat.S_IMODE((home / ".docker/config.json").stat().st_mode) == 0o600
    assert [file.name for file in (home / ".docker").iterdir()] == ["config.json"]


def test_what_the_registry_does_not_take_is_not_kept(server, home):
    with pytest.raises(CogError, match="does not take this name and password") as caught:
        log_in(server.host, "me", "guessed")

    assert "guessed" not in str(caught.value) + str(caught.value.hint)
    assert not (home / ".docker").exists()


def test_a_token_server_decides_where_there_is_one(server, home):
    with fake() as other:
        bearer = f'Bearer realm="{other.url}/token",service="registry"'
        server.pages["/v2/"] = lambda request: (
            Answer(b"{}")
            if request.headers.get("Authorization") == "Bearer t0ken"
            else Answer(status=401, headers={"WWW-Authenticate": bearer})
        )
        other.pages["/token"] = lambda request: (
            Answer(json.dumps({"token": "t0ken"}).encode())
            if request.headers.get("Authorization") == BASIC
            else Answer(status=401)
        )
        log_in(server.host, "me", "secret")
        with pytest.raises(CogError, match="does not take"):
            log_in(server.host, "me", "guessed")

        assert other.seen[0].query == [("service", "registry")]
    assert credentials(server.host, "x") == Credentials("me", "secret")


def test_everything_else_in_the_file_stays(server, home):
    (home / ".docker").mkdir()
    file = home / ".docker/config.json"
    before = {
        "HttpHeaders": {"a": "b"},
        "auths": {"other.example.com": {"auth": "eDp5"}, f"https://{server.host}/v2/": {}},
    }
    file.write_text(json.dumps(before))

    log_in(server.host, "me", "secret")

    after = json.loads(file.read_text())
    assert after["HttpHeaders"] == {"a": "b"}
    assert set(after["auths"]) == {"other.example.com", server.host}
    assert log_out(server.host)
    assert json.loads(file.read_text())["auths"] == {"other.example.com": {"auth": "eDp5"}}
    assert not log_out(server.host)


def test_a_file_that_is_a_link_stays_one(server, home, tmp_path):
    (home / ".docker").mkdir()
    (tmp_path / "mine.json").write_text("{}")
    (home / ".docker/config.json").symlink_to(tmp_path / "mine.json")

    log_in(server.host, "me", "secret")

    assert (home / ".docker/config.json").is_symlink()
    assert json.loads((tmp_path / "mine.json").read_text())["auths"]


def test_a_helper_keeps_the_password_and_the_file_does_not(server, home, helper):
    assert log_in(server.host, "me", "secret") == "docker-credential-test"

    assert json.loads(helper.read_text()) == {"ServerURL": server.host, "Username": "me", "Secret": "secret"}
    assert (home / ".docker/config.json").read_text() == '{"credsStore": "test"}'
    assert credentials(server.host, "x") == Credentials("me", "secret")
    assert log_out(server.host)
    assert not helper.exists()
    assert not log_out(server.host)


def test_the_chosen_file_is_the_one_that_is_written(server, tmp_path, monkeypatch):
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "auth.json"))

    assert log_in(server.host, "me", "secret") == str(tmp_path / "auth.json")
    assert credentials(server.host, "x") == Credentials("me", "secret")


def test_a_file_that_cannot_be_read_is_not_written_over(server, home):
    (home / ".docker").mkdir()
    (home / ".docker/config.json").write_text("{")

    with pytest.raises(CogError, match=r"config\.json is not one that can be read"):
        log_in(server.host, "me", "secret")
    assert (home / ".docker/config.json").read_text() == "{"
