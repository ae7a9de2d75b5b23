"""Laws: what is written is what is read; a stale lock names what changed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cog_oci.errors import CogError
from cog_oci.lock import (
    Archive,
    Deb,
    Interpreter,
    Lock,
    PlatformLock,
    Requires,
    StaleLockError,
    Wheel,
    _lock,
    check_fresh,
)
from cog_oci.oci import Platform

words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
hashes = st.binary(min_size=32, max_size=32).map(bytes.hex)
sizes = st.integers(0, 1 << 40)
asked = st.lists(words, max_size=3).map(tuple)
common = {"name": words, "version": words, "file": words, "sha256": hashes, "size": sizes, "needed_by": asked}
wheels = st.builds(Wheel, **common, index=words)
debs = st.builds(Deb, **common, archive=words, architecture=words, layer=st.sampled_from(["base", "system"]))
platforms = st.builds(
    PlatformLock,
    inputs=st.dictionaries(words, words, max_size=4),
    interpreter=st.builds(Interpreter, source=st.just("debian"), suite=words, version=words, executable=words),
    archives=st.lists(st.builds(Archive, name=words, suite=words, date=words, inrelease=hashes), max_size=2).map(tuple),
    debs=st.lists(debs, max_size=3).map(tuple),
    wheels=st.lists(wheels, max_size=3).map(tuple),
    server=st.lists(wheels, max_size=2).map(tuple),
    requires=st.none()
    | st.builds(
        Requires,
        cuda=words,
        driver=words,
        driver_for_ptx=words,
        cudnn=st.just("") | words,
        capabilities=st.lists(words, max_size=2).map(tuple),
    ),
)
locks = st.builds(
    Lock, version=st.just(1), as_of=words, platforms=st.dictionaries(st.just("linux/amd64"), platforms, min_size=1)
)


@settings(max_examples=30, deadline=None)
@given(locks)
def test_what_is_written_is_what_is_read(lock):
    assert Lock.from_bytes(lock.to_bytes()) == lock
    assert Lock.from_bytes(lock.to_bytes()).to_bytes() == lock.to_bytes()
    assert _lock(json.loads(lock.to_bytes())) == lock  # as it is read the second time


@settings(max_examples=30, deadline=None)
@given(locks)
def test_an_artifact_is_one_line_and_the_file_ends_with_a_newline(lock):
    text = lock.to_bytes().decode()
    assert text.endswith("}\n")
    lines = [json.loads(line.strip().rstrip(",")) for line in text.split("\n") if line.strip().startswith('{"')]
    parts = lock.platforms["linux/amd64"]
    assert len(lines) == len(parts.archives) + len(parts.debs) + len(parts.wheels) + len(parts.server)


def test_a_stale_lock_names_every_input_that_changed(tmp_path):
    with pytest.raises(StaleLockError) as caught:
        check_fresh(
            tmp_path / "cog.lock",
            {"build.python_version": "3.11", "requirements.txt": "sha256:1", "gone.txt": "sha256:2", "same": "x"},
            {"build.python_version": "3.13", "requirements.txt": "sha256:9", "new.txt": "sha256:3", "same": "x"},
        )

    assert caught.value.changed == [
        "build.python_version has changed from 3.11 to 3.13",
        "gone.txt is gone",
        "new.txt is new",
        "requirements.txt has changed",
    ]
    assert "cog-oci lock" in caught.value.hint


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"{", "cog.lock: the file: Invalid JSON"),
        (b'{"version": 2, "as_of": "x", "platforms": {}}', "cog.lock: version: Input should be 1"),
        (b'{"version": 1, "as_of": "x", "platforms": {}, "more": 1}', "cog.lock: more: there is no such field"),
    ],
)
def test_a_lock_that_was_edited_is_refused_with_the_place(data, message):
    with pytest.raises(CogError, match=message.replace("(", r"\(")):
        Lock.from_bytes(data)


def test_a_missing_lock_says_what_to_run(tmp_path):
    with pytest.raises(CogError) as caught:
        Lock.read(tmp_path / "cog.lock")

    assert caught.value.hint == "run `cog-oci lock` first"


def test_a_platform_that_is_not_locked_is_named():
    with pytest.raises(CogError, match="nothing for linux/arm64"):
        Lock(as_of="x", platforms={}).platform(Platform.parse("linux/arm64"))


def test_writing_replaces_the_file_in_one_step(tmp_path):
    path = tmp_path / "cog.lock"
    Lock(as_of="1", platforms={}).write(path)
    Lock(as_of="2", platforms={}).write(path)

    assert Lock.read(path).as_of == "2"
    assert [p.name for p in tmp_path.iterdir()] == ["cog.lock"]
