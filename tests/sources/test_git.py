"""A revision becomes a commit; nobody sees a login."""

from __future__ import annotations

import base64
import http.server
import os
import subprocess
import threading

import pytest

from cog_oci.errors import CogError
from cog_oci.indexes import bare
from cog_oci.sources._git import Repository, checkout
from tests.conftest import need


def git(folder, *words: str) -> str:
    who = {f"GIT_{role}_{what}": "a@b" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    done = subprocess.run(
        ["git", "-c", "init.defaultBranch=main", *words],
        cwd=folder,
        env={**os.environ, **who},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """Two commits: `v1` is a tag on the first, `feature/x` a branch there."""
    need("git")
    folder = tmp_path_factory.mktemp("git") / "repo"
    folder.mkdir()
    git(folder, "init", "-q")
    for number in ("1", "2"):
        (folder / "number").write_text(number)
        git(folder, "add", ".")
        git(folder, "commit", "-q", "-m", number)
        if number == "1":
            git(folder, "tag", "-a", "-m", "one", "v1")
            git(folder, "branch", "feature/x")
    return folder


@pytest.mark.parametrize(("revision", "number"), [("", "2"), ("main", "2"), ("v1", "1"), ("feature/x", "1")])
def test_a_revision_is_checked_out_and_named_by_its_commit(repository, tmp_path, revision, number):
    commit = checkout(Repository(repository.as_uri(), revision, ""), tmp_path / "tree")

    assert (tmp_path / "tree" / "number").read_text() == number
    assert commit == git(repository, "rev-parse", f"{revision or 'HEAD'}^{{commit}}")


def test_a_commit_is_itself(repository, tmp_path):
    commit = git(repository, "rev-parse", "v1^{commit}")

    assert checkout(Repository(repository.as_uri(), commit, ""), tmp_path / "tree") == commit


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("git+https://h/a/b.git@v1", Repository("https://h/a/b.git", "v1", "")),
        ("git+https://h/a/b@feature/x#subdirectory=py/lib&egg=c", Repository("https://h/a/b", "feature/x", "py/lib")),
        ("git+ssh://git@h/a/b.git", Repository("ssh://git@h/a/b.git", "", "")),
        ("git+https://me:pw@h/a@1", Repository("https://me:pw@h/a", "1", "")),
    ],
)
def test_an_address_is_taken_apart(where, expected):
    assert Repository.parse(where) == expected


def test_a_lock_gets_no_login_but_the_user_of_ssh():
    assert bare("https://me:pw@h:8/a/b?token=1#x") == "https://h:8/a/b"
    assert bare("ssh://git@h/a") == "ssh://git@h/a"
    assert bare("ssh://git:pw@h/a") == "ssh://git@h/a"


@pytest.mark.parametrize("revision", ["nonesuch", "--upload-pack=touch /tmp/x", "0" * 40])
def test_a_revision_that_is_not_there_is_an_error(repository, tmp_path, revision):
    with pytest.raises(CogError):
        checkout(Repository(repository.as_uri(), revision, ""), tmp_path / "tree")


def test_an_address_that_runs_programs_is_refused(tmp_path):
    need("git")
    with pytest.raises(CogError):
        checkout(Repository(f"ext::sh -c 'touch {tmp_path}/ran'", "", ""), tmp_path / "tree")
    assert not (tmp_path / "ran").exists()


def test_a_login_is_in_no_message(tmp_path):
    need("git")
    with pytest.raises(CogError) as caught:
        checkout(Repository("http://me:geheim@127.0.0.1:9/a", "", ""), tmp_path / "tree")

    assert "127.0.0.1:9/a" in str(caught.value)
    assert "geheim" not in str(caught.value)


@pytest.fixture
def served(repository):
    """The repository on a web server that wants a login; its address, without one."""
    git(repository, "update-server-info")
    login = "Basic " + base64.b64encode(b"me:geheim").decode()

    class Guarded(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments) -> None:
            super().__init__(*arguments, directory=str(repository.parent))

        def do_GET(self) -> None:
            if self.headers.get("Authorization") == login:
                super().do_GET()
            else:
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="x"')
                self.send_header("Content-Length", "0")
                self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Guarded) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/repo/.git"
        server.shutdown()
        thread.join()


def test_a_server_gets_the_login_of_the_address_or_of_netrc_and_nobody_else(served, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    with_login = Repository.parse(f"git+{served.replace('//', '//me:geheim@')}@v1")

    commit = checkout(with_login, tmp_path / "one")
    with pytest.raises(CogError) as caught:
        checkout(Repository(served, "v1", ""), tmp_path / "two")
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password geheim\n")

    assert checkout(Repository(served, "v1", ""), tmp_path / "three") == commit
    assert bare(with_login.address) == served
    assert "geheim" not in (tmp_path / "one" / ".git" / "config").read_text()
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("placeholders", [False, True])
def test_what_tags_say_is_there_without_git(repository, tmp_path, monkeypatch, placeholders):
    folder = tmp_path / "repo"
    git(tmp_path, "clone", "-q", str(repository), "repo")
    if placeholders:
        (folder / ".git_archival.txt").write_text("describe-name: $Format:%(describe:tags=true)$\n")
        git(folder, "add", ".")
        git(folder, "commit", "-q", "-m", "x")

    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.abbrev")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "20")
    commit = checkout(Repository(folder.as_uri(), "", ""), tmp_path / "tree")

    said = dict(line.split(": ") for line in (tmp_path / "tree" / ".git_archival.txt").read_text().splitlines())
    assert said["node"] == commit
    assert said["describe-name"] == f"v1-{2 if placeholders else 1}-g{commit[:7]}"


def test_whoever_locks_in_a_hook_of_another_repository_leaves_that_as_it_is(repository, tmp_path, monkeypatch):
    index = tmp_path / "index-of-another"
    index.write_bytes(b"theirs")
    monkeypatch.setenv("GIT_INDEX_FILE", str(index))
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(tmp_path / "objects"))

    checkout(Repository(repository.as_uri(), "v1", ""), tmp_path / "tree")

    assert (tmp_path / "tree" / "number").read_text() == "1"
    assert index.read_bytes() == b"theirs"
    assert not (tmp_path / "objects").exists()


def test_what_git_is_configured_with_counts_beside_the_login(repository, served, tmp_path, monkeypatch):
    known_as = served.replace("/repo/.git", "/known-as")
    settings = {f"url.{served}.insteadOf": known_as, "clone.defaultRemoteName": "upstream"}
    monkeypatch.setenv("GIT_CONFIG_COUNT", str(len(settings)))
    for number, (name, value) in enumerate(settings.items()):
        monkeypatch.setenv(f"GIT_CONFIG_KEY_{number}", name)
        monkeypatch.setenv(f"GIT_CONFIG_VALUE_{number}", value)

    commit = checkout(Repository.parse(f"git+{known_as.replace('//', '//me:geheim@')}@feature/x"), tmp_path / "tree")

    assert commit == git(repository, "rev-parse", "v1^{commit}")


def test_why_git_has_failed_is_told_and_not_what_it_advises(tmp_path):
    with pytest.raises(CogError, match=r"fatal: '.*/none' does not appear to be a git repository$"):
        checkout(Repository((tmp_path / "none").as_uri(), "", ""), tmp_path / "tree")


def test_what_tags_say_is_written_nowhere_else(repository, tmp_path):
    folder = tmp_path / "repo"
    git(tmp_path, "clone", "-q", str(repository), "repo")
    (folder / ".git_archival.txt").symlink_to(tmp_path / "elsewhere")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "x")

    checkout(Repository(folder.as_uri(), "", ""), tmp_path / "tree")

    assert not (tmp_path / "elsewhere").exists()


def test_a_submodule_of_what_is_far_away_is_no_folder_of_this_machine(repository, served, tmp_path):
    folder = repository.with_name("more")
    git(repository.parent, "clone", "-q", str(repository), folder.name)
    git(folder, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", repository.as_uri(), "own")
    git(folder, "commit", "-q", "-m", "x")
    git(folder, "update-server-info")
    address = served.replace("//", "//me:geheim@").replace("/repo/", "/more/")

    with pytest.raises(CogError, match=r": fatal: transport 'file' not allowed$"):
        checkout(Repository(address, "", ""), tmp_path / "tree")
