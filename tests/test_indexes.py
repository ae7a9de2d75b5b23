"""Indexes by name: a lock names them, the machine knows where they are, and nobody sees a password."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest

from cog_oci.config import Project
from cog_oci.errors import CogError, SourceError
from cog_oci.indexes import DEFAULT, Indexes, _from_keyring, with_login_of
from cog_oci.lock import Lock
from tests.cli.in_process import command
from tests.cli.test_commands import cache, lock_by_hand, project  # noqa: F401 - fixtures
from tests.conftest import make_wheel
from tests.resolver.test_python import NOW, index  # noqa: F401 - a fixture: the default index, which has `app` and `lib`

LOGIN = "Basic " + base64.b64encode(b"me:geheim/1").decode()


@pytest.fixture
def company(project, cache, index, tmp_path, monkeypatch):  # noqa: F811 - fixtures
    """A project that needs `ours`, which the index `company` has, and that only with a login; and `app`."""
    path = make_wheel(tmp_path, "ours", {"ours.py": b""})
    data = path.read_bytes()

    def guarded(body: bytes, kind: str):
        def answer(handler) -> None:
            if handler.headers.get("Authorization") == LOGIN:
                handler.answer(200, body, Content_Type=kind)
            else:
                handler.answer(401, b"", WWW_Authenticate='Basic realm="company"')

        return answer

    def page(prefix: str) -> bytes:
        file = {
            "filename": path.name,
            "url": f"{index.url}/{prefix}/files/{path.name}",
            "hashes": {"sha256": hashlib.sha256(data).hexdigest()},
            "size": len(data),
            "upload-time": NOW.replace(year=2020).isoformat(),
            "core-metadata": True,
        }
        return json.dumps({"meta": {"api-version": "1.1"}, "name": "ours", "files": [file]}).encode()

    kind = "application/vnd.pypi.simple.v1+json"
    index.pages["/private/simple/ours/"] = guarded(page("private"), kind)
    index.pages[f"/private/files/{path.name}"] = guarded(data, "application/octet-stream")
    index.pages[f"/private/files/{path.name}.metadata"] = guarded(
        b"Metadata-Version: 2.1\nName: ours\nVersion: 1.0\n", "text/plain"
    )
    index.pages["/mirror/simple/ours/"] = page("mirror")
    index.pages[f"/mirror/files/{path.name}"] = data
    lock_by_hand(project)
    build = {"python_version": "3.13", "python_packages": ["ours", "app"]}
    indexes = {"company": f"{index.url}/private/simple"}
    (project / "cog.yaml").write_text(json.dumps({"build": build, "indexes": indexes, "run": "run.py:Runner"}))
    monkeypatch.setenv("UV_INDEX_COMPANY_USERNAME", "me")
    monkeypatch.setenv("UV_INDEX_COMPANY_PASSWORD", "geheim/1")
    return project


def test_a_lock_names_the_index_of_each_wheel_and_no_address(company, index):  # noqa: F811 - a fixture
    done = command("lock", cwd=company)

    text = (company / "cog.lock").read_text()
    wheels = Lock.read(company / "cog.lock").platforms["linux/amd64"].wheels
    assert {wheel.name: wheel.index for wheel in wheels} == {"app": "default", "lib": "default", "ours": "company"}
    assert index.url.partition("//")[2] not in text
    assert "geheim" not in text + done.stderr + done.stdout


def test_an_image_is_built_with_the_login_and_from_a_mirror_without_one(company, index, cache, monkeypatch):  # noqa: F811 - fixtures
    command("lock", cwd=company)
    lock = Lock.read(company / "cog.lock")
    # Nothing but these: the server's wheels are on no index here.
    lock_by_hand(company, *lock.platforms["linux/amd64"].wheels)
    first = command("image", cwd=company).stdout

    monkeypatch.setenv("COG_CACHE_DIR", str(cache.with_name("elsewhere")))
    monkeypatch.delenv("UV_INDEX_COMPANY_PASSWORD")
    refused = command("image", cwd=company, check=False)
    monkeypatch.setenv("COG_INDEX_COMPANY", f"{index.url}/mirror/simple/")

    assert command("image", cwd=company).stdout == first
    assert refused.returncode == 1
    assert f"cannot fetch the index page of ours from {index.url}/private/simple/ours/: HTTP 401" in refused.stderr


def test_the_label_of_an_image_does_not_say_where_indexes_are(company):
    assert "indexes" not in Project.find(company).config.said


def test_a_lock_goes_stale_with_the_names_of_indexes_and_not_with_their_addresses(company):
    command("lock", cwd=company)
    text = (company / "cog.yaml").read_text()

    (company / "cog.yaml").write_text(text.replace("/private/", "/another/"))
    command("lock", "--check", cwd=company)
    (company / "cog.yaml").write_text(text.replace('"company"', '"theirs"'))

    assert "indexes has changed from company to theirs" in command("lock", "--check", cwd=company, check=False).stderr


def test_an_index_that_is_not_known_says_how_to_name_it():
    with pytest.raises(CogError, match="'their-own', which is not known") as caught:
        Indexes().address("their-own")
    assert "COG_INDEX_THEIR_OWN" in caught.value.hint


def test_an_address_gets_the_login_of_its_name_and_only_then(monkeypatch):
    found = Indexes({"a-b": "https://x.example/simple/", "c": "https://y.example/c"})
    monkeypatch.setenv("UV_INDEX_A_B_USERNAME", "me")
    monkeypatch.setenv("UV_INDEX_A_B_PASSWORD", "p@ss")

    assert found.with_login("a-b") == "https://me:p%40ss@x.example/simple"
    assert found.with_login("c") == "https://y.example/c"
    assert found.address("a-b") == "https://x.example/simple"
    assert found.name_of("https://me:p%40ss@x.example/simple/") == "a-b"
    assert found.name_of("https://x.example/other") == DEFAULT
    assert found.arguments() == ["--index", "a-b=https://x.example/simple", "--index", "c=https://y.example/c"]


def test_the_login_of_the_default_index_of_a_pyproject_has_its_name(tmp_path, monkeypatch):
    (tmp_path / "cog.yaml").write_text("build: {python_requirements: uv.lock}\nrun: run.py:Runner\n")
    (tmp_path / "uv.lock").write_text("version = 1\n")
    (tmp_path / "pyproject.toml").write_text(
        '[[tool.uv.index]]\nname = "our.own"\nurl = "https://h.example/simple"\ndefault = true\n'
        '[[tool.uv.index]]\nname = "default"\nurl = "https://other.example/simple"\n'
    )
    monkeypatch.setenv("UV_INDEX_OUR_OWN_USERNAME", "me")

    indexes = Project.find(tmp_path).indexes()

    assert indexes.with_login("index-url") == "https://me:@h.example/simple"
    assert indexes.name_of("https://other.example/simple") != DEFAULT


def test_a_login_goes_to_the_server_that_it_is_for_and_to_no_other():
    page = "https://me:secret@x.example/simple/a/"

    assert with_login_of("https://x.example/files/a.whl", page) == "https://me:secret@x.example/files/a.whl"
    assert with_login_of("https://cdn.example/a.whl", page) == "https://cdn.example/a.whl"
    assert with_login_of("http://x.example/a.whl", page) == "http://x.example/a.whl"
    assert with_login_of("https://x.example:8443/a.whl", page) == "https://x.example:8443/a.whl"


@pytest.mark.parametrize(
    ("indexes", "says"),
    [
        ("{a: 'https://me:secret@x.example/simple'}", "cog.yaml:1:14: indexes.a: a login does not belong here"),
        ("{a: 'ftp://x.example'}", "cog.yaml:1:14: indexes.a: must be an address"),
        ("{Default: 'https://x.example'}", "indexes: 'Default' cannot be the name of an index"),
        ("{default: 'https://x.example'}", "indexes: 'default' cannot be the name of an index"),
    ],
)
def test_what_cannot_be_an_index_points_at_its_place(tmp_path, indexes, says):
    (tmp_path / "cog.yaml").write_text(f"indexes: {indexes}\n")

    with pytest.raises(SourceError) as caught:
        Project.find(tmp_path)
    assert says in str(caught.value)
    assert "secret" not in str(caught.value)


def test_of_a_user_without_a_password_the_keyring_is_asked(tmp_path, monkeypatch):
    _from_keyring.cache_clear()
    program = tmp_path / "keyring"
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n[ "$2 $3" = "x.example me" ] && echo "p ss"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("UV_INDEX_A_USERNAME", "me")
    found = Indexes({"a": "https://x.example/a", "b": "https://x.example/b"}, {"index-url": "https://me@x.example/c"})

    assert found.with_login("a") == "https://me:p%20ss@x.example/a"
    assert found.with_login("index-url") == "https://me:p%20ss@x.example/c"
    assert found.with_login("b") == "https://x.example/b"
    assert (tmp_path / "asked").read_text().splitlines()[:2] == ["get https://x.example/a me", "get x.example me"]
    assert "--keyring-provider" in found.arguments()
    monkeypatch.setenv("UV_KEYRING_PROVIDER", "disabled")
    _from_keyring.cache_clear()
    assert found.with_login("a") == "https://me:@x.example/a"
    assert "--keyring-provider" not in found.arguments()


@pytest.mark.parametrize(
    "line",
    [
        "lib @ https://me:geheim@127.0.0.1:9/lib-1.0-py3-none-any.whl",
        "lib @ https://me:geheim@127.0.0.1:9/lib-1.0.tar.gz",
        "lib @ git+http://me:geheim@127.0.0.1:9/lib@main",
        "lib @ https://me:geheim@127.0.0.1:9/page",
        "lib @ https://me:geheim@127.0.0.1:9/lib-1.0-py3-none-any.whl oops",
        "cog @ https://me:geheim@127.0.0.1:9/cog-1.0-py3-none-any.whl",
        "--extra-index-url https://me:geheim@127.0.0.1:9/simple\nlib",
        "--find-links https://me:geheim@127.0.0.1:9/links/\nlib",
        "--proxy http://me:geheim@127.0.0.1:9\nlib",
        "lib >= https://me:geheim@127.0.0.1:9/",
    ],
)
def test_no_password_is_in_a_lock_or_a_message_whatever_goes_wrong(project, cache, index, monkeypatch, line):  # noqa: F811 - fixtures
    monkeypatch.setattr("cog_oci.fetch._fetcher._ATTEMPTS", 1)
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    lock_by_hand(project)
    (project / "requirements.txt").write_text(f"{line}\n")
    build = {"python_version": "3.13", "python_requirements": "requirements.txt"}
    (project / "cog.yaml").write_text(json.dumps({"build": build, "run": "run.py:Runner"}))

    done = command("lock", cwd=project, check=False)

    text = (project / "cog.lock").read_text()
    assert "geheim" not in text + done.stderr + done.stdout
    assert done.stderr
