"""Which build cache is used, and who may say that it is trusted."""

from __future__ import annotations

import pytest

from cog_oci.cache_settings import CacheSettings, cache_settings, user_file
from cog_oci.config import Project
from cog_oci.errors import CogError, SourceError
from cog_oci.memory import Memory

PROJECT = {"ref": "r.example.com/project/cache", "push": False}


@pytest.fixture(autouse=True)
def written(tmp_path, monkeypatch):
    """Writes the user's own file."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    def write(text: str) -> None:
        user_file().parent.mkdir(parents=True, exist_ok=True)
        user_file().write_text(text)

    return write


def test_the_environment_comes_before_the_user_and_the_user_before_the_project(written):
    assert cache_settings(None, {}) is None
    assert cache_settings(PROJECT, {}) == CacheSettings("r.example.com/project/cache")

    written("cache: {ref: r.example.com/me/cache, push: true, trust: true}\n")
    assert cache_settings(PROJECT, {}) == CacheSettings("r.example.com/me/cache", push=True, trust=True)
    given = {"COG_CACHE": "http://r.example.com:5000/x"}
    assert cache_settings(PROJECT, given) == CacheSettings("http://r.example.com:5000/x")


def test_variables_say_whether_it_is_written_to_and_trusted():
    both = {"COG_CACHE_PUSH": "1", "COG_CACHE_TRUST": "yes"}
    assert cache_settings(PROJECT, both) == CacheSettings(PROJECT["ref"], push=True, trust=True)
    assert cache_settings({**PROJECT, "push": True}, {"COG_CACHE_PUSH": "0"}) == CacheSettings(PROJECT["ref"])
    with pytest.raises(CogError, match="COG_CACHE_TRUST='maybe' is neither yes nor no"):
        cache_settings(PROJECT, {"COG_CACHE_TRUST": "maybe"})


@pytest.mark.parametrize("none", ["", "none"])
def test_no_cache_can_be_asked_for(written, none):
    written("cache: r.example.com/me/cache\n")

    assert cache_settings(PROJECT, {"COG_CACHE": none, "COG_CACHE_PUSH": "1"}) is None


def test_the_users_file_is_remembered_as_long_as_it_is_the_same(written, tmp_path):
    memory = Memory(tmp_path / "memory")
    for name in ("one", "two", "two"):
        written(f"cache: r.example.com/me/{name}\n")
        assert cache_settings(None, {}, memory).repository == f"r.example.com/me/{name}"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("cach: x/y\n", "config.yaml:1:1: cach: unknown key"),
        ("cache: {ref: x/y, pus: true}\n", "config.yaml:1:19: cache.pus: unknown key"),
        ("cache: r.example.com/me:v1\n", "must be a repository without a tag"),
        ("cache: {ref: r.example.com/me, push: maybe}\n", "config.yaml:1:38: cache.push: Input should be"),
        ("cache: [\n", "this is not YAML"),
    ],
)
def test_a_mistake_in_the_users_file_has_its_place(written, text, says):
    written(text)

    with pytest.raises(SourceError) as caught:
        cache_settings(None, {})
    assert says in str(caught.value)


@pytest.mark.parametrize("text", ["cache", "Me/Cache", "r.example.com/me@sha256:1", "ftp://x/y", "x/y z"])
def test_what_is_no_repository_is_refused(text):
    with pytest.raises(CogError, match=r"COG_CACHE=.* must be a repository without a tag"):
        cache_settings(None, {"COG_CACHE": text})


def test_a_project_names_a_cache_and_cannot_have_it_trusted(tmp_path):
    file = tmp_path / "cog.yaml"
    file.write_text("cache: r.example.com/me/cache\n")
    found = Project.find(tmp_path).config
    assert (found.cache, found.said) == ({"ref": "r.example.com/me/cache", "push": False}, {})
    assert Project.find(tmp_path).lock_inputs().keys() == {"build.python_version"}

    file.write_text("cache: {ref: r.example.com/me/cache, trust: true}\n")
    with pytest.raises(SourceError, match=r"cog.yaml:1:1: cache: trust is not for a project to say"):
        Project.find(tmp_path)
