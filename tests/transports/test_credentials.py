"""What `docker login` and `podman login` leave on a machine is found, and never shown."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from cog_oci.errors import CogError
from cog_oci.transports._credentials import Credentials, credentials
from cog_oci.transports.logins import log_out

ME = Credentials("me", "se:cret")


def basic(text: str) -> dict[str, str]:
    return {"auth": base64.b64encode(text.encode()).decode()}


def write(path: Path, **content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


@pytest.fixture
def docker(home):
    """Writes Docker's configuration."""
    return lambda **content: write(home / ".docker" / "config.json", **content)


def helper(folder: Path, name: str, script: str) -> None:
    """A credential helper on PATH that runs this shell script, with the host in $host."""
    folder.mkdir(exist_ok=True)
    path = folder / f"docker-credential-{name}"
    path.write_text(f'#!/bin/sh\n[ "$1" = get ] || exit 9\nread -r host || true\n{script}\n')
    path.chmod(0o755)


@pytest.fixture
def helpers(tmp_path, monkeypatch) -> Path:
    """A folder on PATH for helpers."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    return tmp_path / "bin"


def test_a_machine_without_any_has_none():
    assert credentials("r.example.com", "x") is None


def test_who_has_no_home_has_none_and_can_keep_none(monkeypatch):
    for name in ("HOME", "DOCKER_CONFIG", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "REGISTRY_AUTH_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)

    assert credentials("registry.example.com", "me/model") is None
    with pytest.raises(CogError, match="this user has no home folder to keep a login in"):
        log_out("registry.example.com")


@pytest.mark.parametrize(
    "key", ["r.example.com", "https://r.example.com", "https://r.example.com/v1/", "http://r.example.com/v2/"]
)
def test_an_entry_may_be_a_host_or_an_address(docker, key):
    docker(auths={"other.example.com": basic("no:no"), key: basic("me:se:cret")})

    assert credentials("r.example.com", "x") == ME


def test_docker_hub_is_found_by_its_old_address(docker):
    docker(auths={"https://index.docker.io/v1/": basic("me:se:cret")})

    assert credentials("docker.io", "me/x") == ME


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        ({"username": "me", "password": "se:cret"}, ME),
        ({"identitytoken": "t"}, Credentials(identity_token="t")),
        ({**basic("me:"), "identitytoken": "t"}, Credentials("me", identity_token="t")),
        ({"registrytoken": "t"}, Credentials(registry_token="t")),
        ({**basic("me:se:cret\0\0")}, ME),
        ({"email": "me@example.com"}, None),
        ({}, None),
    ],
)
def test_an_entry_is_a_password_or_a_token(docker, entry, found):
    docker(auths={"r.example.com": entry})

    assert credentials("r.example.com", "x") == found


def test_the_most_specific_of_podmans_entries_is_taken(home):
    write(
        home / ".config" / "containers" / "auth.json",
        auths={"r.example.com": basic("all:1"), "r.example.com/a": basic("a:1"), "r.example.com/a/b": basic("b:1")},
    )

    names = [credentials("r.example.com", path).username for path in ("a/b", "a/bc", "a", "c")]
    assert names == ["b", "a", "a", "all"]


def test_the_first_file_that_has_some_wins(home, tmp_path, monkeypatch):
    host = "r.example.com"
    write(home / ".config" / "containers" / "auth.json", auths={host: basic("config:1")})
    assert credentials(host, "x").username == "config"

    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    write(tmp_path / "run" / "containers" / "auth.json", auths={host: basic("run:1")})
    assert credentials(host, "x").username == "run"

    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    write(tmp_path / "docker" / "config.json", auths={host: basic("docker:1"), "other": {}})
    assert credentials(host, "x").username == "docker"

    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(write(tmp_path / "mine.json", auths={host: basic("mine:1")})))
    assert credentials(host, "x").username == "mine"


def test_a_helper_is_asked_for_the_host(docker, helpers):
    helper(helpers, "vault", """printf '{"ServerURL": "%s", "Username": "me", "Secret": "%s"}' "$host" "$host" """)
    docker(credHelpers={"r.example.com": "vault"}, auths={"r.example.com": basic("file:1")})

    assert credentials("r.example.com", "x") == Credentials("me", "r.example.com")


def test_the_store_is_asked_for_docker_hub_by_its_address(docker, helpers):
    helper(helpers, "store", """printf '{"Username": "me", "Secret": "%s"}' "$host" """)
    docker(credsStore="store")

    assert credentials("docker.io", "x") == Credentials("me", "https://index.docker.io/v1/")


def test_a_helper_may_give_an_identity_token(docker, helpers):
    helper(helpers, "vault", """printf '{"Username": "<token>", "Secret": "t"}'""")
    docker(credHelpers={"r.example.com": "vault"})

    assert credentials("r.example.com", "x") == Credentials(identity_token="t")


def test_where_a_helper_knows_nothing_the_file_may(docker, helpers):
    helper(helpers, "store", "echo credentials not found in native keychain; exit 1")
    docker(credsStore="store", auths={"r.example.com": basic("me:se:cret")})

    assert credentials("r.example.com", "x") == ME


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("echo secret locked; exit 3", "docker-credential-vault failed with exit status 3"),
        ("echo secret", "the answer of docker-credential-vault is not one that can be read"),
        ("""printf '{"Username": "me", "secret": "secret"}'""", "Secret: Field required"),
    ],
)
def test_a_helper_that_does_not_work_is_said_without_what_it_said(docker, helpers, script, says):
    helper(helpers, "vault", script)
    docker(credHelpers={"r.example.com": "vault"})

    with pytest.raises(CogError, match=says) as caught:
        credentials("r.example.com", "x")
    assert "secret" not in str(caught.value)


def test_a_helper_that_is_not_installed_is_said(docker, helpers):
    docker(credHelpers={"r.example.com": "vault"})

    with pytest.raises(CogError, match=r"docker-credential-vault knows the password .* there is no such program"):
        credentials("r.example.com", "x")
    assert credentials("other.example.com", "x") is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "config.json is not one that can be read"),
        ('{"auths": {"r.example.com": {"auth": "not base64 secret"}}}', r"auths.r\.example\.com\.auth is not base64"),
        ('{"auths": {"r.example.com": {"auth": ["secret"]}}}', r"config.json .*auths\.r\.example\.com\.auth"),
    ],
)
def test_a_file_that_cannot_be_read_is_said_without_its_content(home, text, says):
    write(home / ".docker" / "config.json").write_text(text)

    with pytest.raises(CogError, match=says) as caught:
        credentials("r.example.com", "x")
    assert "secret" not in str(caught.value)


def test_nothing_secret_is_in_a_representation():
    assert "secret" not in repr(Credentials("me", "secret", "secret-id", "secret-registry"))
