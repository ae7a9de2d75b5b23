"""What an image says about the commit that it is made from."""

from __future__ import annotations

import os
import subprocess

import pytest

from cog_oci.git import labels
from tests.conftest import need

REVISION = "org.opencontainers.image.revision"
VERSION = "org.opencontainers.image.version"
ALONE = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
ME = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}


@pytest.fixture
def environ(tmp_path):
    """An environment in which no repository above the test is found, and no setting of the machine counts."""
    return {"PATH": os.environ["PATH"], "GIT_CEILING_DIRECTORIES": str(tmp_path), **ALONE}


@pytest.fixture
def checkout(tmp_path, environ):
    """A repository with one commit; `checkout(...)` runs git in it."""
    need("git")
    folder = tmp_path / "repository"
    folder.mkdir()

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", "-C", folder, *arguments], env=environ | ME, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    git.folder = folder
    git("init", "-q")
    (folder / "run.py").write_text("x")
    git("add", ".")
    git("commit", "-q", "-m", "one")
    return git


def test_a_commit_without_a_tag_is_a_revision_without_a_version(checkout, environ):
    assert labels(checkout.folder, environ) == {REVISION: checkout("rev-parse", "HEAD")}


def test_a_tag_is_the_version_and_says_how_far_behind_it_is(checkout, environ):
    checkout("tag", "v1")
    assert labels(checkout.folder, environ)[VERSION] == "v1"

    (checkout.folder / "run.py").write_text("y")
    assert labels(checkout.folder, environ)[VERSION] == "v1-dirty"

    checkout("commit", "-q", "-a", "-m", "two")
    assert labels(checkout.folder, environ)[VERSION] == f"v1-1-g{checkout('rev-parse', '--short', 'HEAD')}"


def test_a_folder_of_a_repository_is_in_it(checkout, environ):
    (checkout.folder / "model").mkdir()

    assert labels(checkout.folder / "model", environ) == labels(checkout.folder, environ)


def test_what_a_workflow_says_comes_before_what_git_says(checkout, environ):
    told = {"GITHUB_SHA": "abc", "GITHUB_REF_NAME": "7/merge"}

    assert labels(checkout.folder, environ | told) == {REVISION: "abc", VERSION: "7/merge"}


def test_an_empty_variable_says_nothing(checkout, environ):
    assert labels(checkout.folder, environ | {"GITHUB_SHA": ""}) == labels(checkout.folder, environ)


def test_a_folder_that_is_no_checkout_has_no_labels(tmp_path, environ):
    assert labels(tmp_path, environ) == {}


def test_a_repository_without_a_commit_has_no_labels(tmp_path, environ):
    need("git")
    subprocess.run(["git", "init", "-q", tmp_path / "new"], env=environ, check=True)

    assert labels(tmp_path / "new", environ) == {}


def test_a_work_tree_that_the_environment_names_is_asked_for_its_commit(checkout, environ, tmp_path):
    named = {"GIT_DIR": str(checkout.folder / ".git"), "GIT_WORK_TREE": str(checkout.folder)}

    assert labels(checkout.folder, environ | named) == {REVISION: checkout("rev-parse", "HEAD")}
    assert labels(tmp_path, environ | {"GIT_DIR": named["GIT_DIR"]}) == {REVISION: checkout("rev-parse", "HEAD")}


def test_no_git_is_no_error(tmp_path, environ):
    (tmp_path / ".git").mkdir()
    assert labels(tmp_path, environ | {"PATH": str(tmp_path)}) == {}


def test_a_git_that_does_not_answer_is_not_waited_for(tmp_path, environ, monkeypatch):
    monkeypatch.setattr("cog_oci.git._PATIENCE", 0.2)
    (tmp_path / ".git").mkdir()
    (tmp_path / "git").write_text("#!/bin/sh\nexec sleep 60\n")
    (tmp_path / "git").chmod(0o755)

    assert labels(tmp_path, environ | {"PATH": f"{tmp_path}:{environ['PATH']}"}) == {}


def test_asking_runs_nothing_that_the_repository_names_and_writes_nothing(checkout, environ, tmp_path):
    ran = tmp_path / "ran"
    hook = tmp_path / "hook"
    hook.write_text(f"#!/bin/sh\ntouch {ran}\n")
    hook.chmod(0o755)
    checkout("tag", "v1")
    checkout("config", "core.fsmonitor", str(hook))
    os.utime(checkout.folder / "run.py", (1, 1))  # git looks at the content again, and would note that it did
    index = (checkout.folder / ".git" / "index").read_bytes()

    assert labels(checkout.folder, environ)[VERSION] == "v1"

    assert not ran.exists()
    assert (checkout.folder / ".git" / "index").read_bytes() == index
