"""`cog-oci diff` as a user runs it."""

from __future__ import annotations

import json
import shutil
import tarfile
from dataclasses import replace

import pytest

from cog_oci.layers._tar import Entry
from cog_oci.oci import sha256
from tests.cli.in_process import command
from tests.cli.test_commands import RUN, lock_by_hand
from tests.image_maker import Listed, made, member, of_tars, tar
from tests.images.conftest import cog_oci
from tests.test_difference import BASE, carrying, deb, lock, site, wheel, write
from tests.transports.conftest import start_registry
from tests.transports.stored import write_layout


def diff(folder, *arguments: str, status: int = 0) -> list[str]:
    """What is said, blanks between columns as one."""
    done = command("diff", *arguments, cwd=folder, check=False)
    assert (done.returncode, done.stderr) == (status, "")
    return [" ".join(line.split()) for line in done.stdout.splitlines()]


@pytest.fixture
def two(tmp_path):
    """Two locks: a package upgraded, one gone, one new; another base; another input."""
    lock(wheel("numpy", "1.0", 3_000), wheel("old", "2", 50), deb("libc6", "1"), inputs={"python": "3.12"}).write(
        tmp_path / "a.lock"
    )
    lock(wheel("numpy", "2.0", 5_000), wheel("new", "3", 9_000), deb("libc6", "2"), inputs={"python": "3.13"}).write(
        tmp_path / "b.lock"
    )
    return tmp_path


def test_two_locks_are_told_apart_by_packages_and_inputs(two):
    assert diff(two, "a.lock", "b.lock") == [
        "linux/amd64: 14.0 kB to download (+10.9 kB), 14.0 kB of it new",
        "",
        "Python packages: 1 changed, 1 added, 1 removed",
        "+ new 3 +9.0 kB",
        "~ numpy 1.0 → 2.0 +2.0 kB",
        "- old 2 -50 B",
        "",
        "Debian packages: 1 changed",
        "~ libc6 1 → 2",
        "",
        "made from: 1 changed",
        "~ python 3.12 → 3.13",
    ]


def test_the_status_is_0_unless_it_is_asked_for(two):
    assert diff(two, "a.lock", "b.lock", "--exit-code", status=1)
    assert diff(two, "a.lock", "a.lock", "--exit-code") == ["the same packages, from the same inputs"]


def test_a_lock_may_have_any_name_and_a_folder_means_its_lock(two):
    shutil.copy(two / "a.lock", two / "lock.json")
    (two / "project").mkdir()
    shutil.copy(two / "b.lock", two / "project" / "cog.lock")

    assert diff(two, "lock.json", "project") == diff(two, "a.lock", "b.lock")


def test_two_locks_as_json(two):
    done = command("diff", "a.lock", "b.lock", "--json", cwd=two)

    document = json.loads(done.stdout)
    assert document["equal"] is False
    assert document["platforms"]["linux/amd64"]["packages"][0] == {
        "kind": "debian",
        "name": "libc6",
        "before": "1",
        "after": "2",
        "size": 0,
    }


def test_long_lists_are_cut_and_whole_when_asked_for(tmp_path):
    lock().write(tmp_path / "a.lock")
    lock(*(wheel(f"p{number:02}", "1", 10) for number in range(40))).write(tmp_path / "b.lock")

    short, whole = diff(tmp_path, "a.lock", "b.lock"), diff(tmp_path, "a.lock", "b.lock", "--all")

    assert short[-1] == "… and 25 more (--all)"
    assert "+ p39 1 +10 B" in whole
    assert len(whole) == len(short) + 24


def test_two_images_are_told_apart_most_important_first(store, tmp_path):
    code = [Entry.file("src/run.py", "1"), Entry.file("src/tool", "#!"), Entry.file("src/gone", "x" * 10)]
    changed = [
        Entry.file("src/run.py", "1" * 2001),
        Entry.file("src/tool", "#!", mode=0o755),
        Entry.symlink("src/l", "run.py"),
    ]
    one = made(store, BASE, site("1.0", 5_000), Listed("code", code), env={"A": "1"})
    other = made(store, BASE, site("2.0", 9_000), Listed("code", changed), env={"A": "2"})
    paths = write(store, tmp_path, one), write(store, tmp_path, other)
    sizes = [f"{size} B" for image in (one, other) for layer in image.layers[1:] if (size := layer.descriptor.size)]
    moved = (
        sum(layer.descriptor.size for layer in other.layers[1:])
        + len(other.config_document)
        + len(other.manifest_document)
    )
    whole = moved + other.layers[0].descriptor.size

    said = diff(tmp_path, *paths)

    assert said == [
        f"linux/amd64: {one.digest[:19]}… → {other.digest[:19]}…",
        f"{moved / 1000:.1f} kB of {whole / 1000:.1f} kB to move to where the first one is",
        "",
        "Python packages: 1 changed",
        "~ numpy 1.0 → 2.0 +4.0 kB",
        "",
        "how it starts, and what it says of itself: 1 changed",
        "~ Env.A 1 → 2",
        "",
        "files: 3 changed, 3 added, 3 removed",
        "~ +2.0 kB content /src/run.py",
        "- -10 B /src/gone",
        "+ /src/l",
        "~ mode 0644 → 0755 /src/tool",
        "~ of numpy 1 changed, 1 added, 1 removed +4.0 kB",
        "",
        "layers: 2 changed, 1 the same",
        f"~ python {sizes[0]} → {sizes[2]}",
        f"~ code {sizes[1]} → {sizes[3]}",
    ]


def test_two_images_as_json(store, tmp_path):
    one = write(store, tmp_path, made(store, BASE, Listed("code", [Entry.file("src/run.py", "1")])))
    other = write(store, tmp_path, made(store, BASE, Listed("code", [Entry.file("src/run.py", "22", mode=0o600)])))

    document = json.loads(command("diff", one, other, "--json", cwd=tmp_path).stdout)

    found = document["platforms"]["linux/amd64"]
    (change,) = found["files"]["changes"]
    assert (change["path"], change["what"]) == ("/src/run.py", ["content", "mode"])
    assert (change["before"]["mode"], change["after"]["mode"]) == ("0644", "0600")
    assert change["after"]["sha256"] == sha256(b"22").removeprefix("sha256:")
    assert [layer["state"] for layer in found["layers"]["layers"]] == ["same", "changed"]
    assert found["lock"] is None


def test_the_same_image_and_the_same_content_are_said_to_be_so(store, tmp_path):
    images = [made(store, BASE, compression=envelope) for envelope in ("gzip", "zstd")]
    one, other = (write(store, tmp_path, image) for image in images)
    moved = images[1].layers[0].descriptor.size + len(images[1].manifest_document)

    assert diff(tmp_path, one, one, "--exit-code")[1:] == ["the same image"]
    assert diff(tmp_path, one, other, "--exit-code")[1:] == [
        f"the same content, in another envelope; {moved} B to move"
    ]


def test_a_layout_may_be_compared_with_an_archive(store, tmp_path):
    image = made(store, BASE)
    write_layout(tmp_path / "layout", store, image)

    assert diff(tmp_path, "layout", write(store, tmp_path, image))[1:] == ["the same image"]


def test_time_stamps_alone_are_counted(store, tmp_path):
    one, other = (write(store, tmp_path, of_tars(store, tar(member("a", b"1", mtime=when)))) for when in (1, 2))

    said = diff(tmp_path, one, other)

    assert "files: none differs in more than its time stamp" in said
    assert "1 file with another time stamp, and nothing else" in said


def test_a_lock_is_compared_with_the_one_that_an_image_carries(store, tmp_path):
    locked = lock(wheel("numpy", "1.0", 100))
    image = carrying(store, tmp_path, locked, BASE)
    replace(locked, platforms={**locked.platforms, "linux/arm64": locked.platforms["linux/amd64"]}).write(
        tmp_path / "same.lock"
    )
    lock(wheel("numpy", "2.0", 100)).write(tmp_path / "other.lock")

    assert diff(tmp_path, "same.lock", image, "--exit-code") == ["the same packages, from the same inputs"]
    assert "~ numpy 2.0 → 1.0" in diff(tmp_path, "other.lock", image)
    assert "~ numpy 1.0 → 2.0" in diff(tmp_path, image, "other.lock", "--exit-code", status=1)


def test_a_project_and_its_image_are_the_same_until_the_lock_changes(tmp_path, monkeypatch):
    monkeypatch.setenv("COG_CACHE_DIR", str(tmp_path / "cache"))
    project = tmp_path / "project"
    project.mkdir()
    (project / "cog.yaml").write_text("build: {python_version: '3.13'}\nrun: run.py:Runner\n")
    (project / "run.py").write_text(RUN)
    lock_by_hand(project)
    command("image", cwd=project)

    assert diff(project, ".", "image.tar", "--exit-code") == ["the same packages, from the same inputs"]

    lock_by_hand(project, wheel("numpy", "1.0", 100))
    assert "- numpy 1.0 -100 B" in diff(project, ".", "image.tar")


def test_what_cannot_be_compared_is_one_clear_error(store, tmp_path):
    lock().write(tmp_path / "a.lock")
    (tmp_path / "bad.lock").write_text("{")
    (tmp_path / "empty").mkdir()
    image = write(store, tmp_path, made(store, BASE))

    for other, says in (
        ("bad.lock", "bad.lock: the file: Invalid JSON"),
        ("empty", "there is no cog.lock in empty"),
        ("none.tar", "there is no file or folder none.tar"),
        (image, "does not carry the lock that it was made from"),
    ):
        done = command("diff", "a.lock", other, cwd=tmp_path, check=False)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("error: ")
        assert says in done.stderr


def test_names_of_others_do_not_reach_the_terminal_as_they_are(store, tmp_path):
    one = write(store, tmp_path, of_tars(store, tar(member("evil\x1b[31m\udcff\n", b"x", kind=tarfile.REGTYPE))))
    other = write(store, tmp_path, of_tars(store, tar()))

    assert any(line.endswith(r"/evil\x1b[31m\xff\n") for line in diff(tmp_path, one, other))
    assert json.loads(command("diff", one, other, "--json", cwd=tmp_path).stdout)


def test_in_a_process_of_its_own_the_status_is_that_of_the_process(two):
    done = cog_oci("diff", "a.lock", "b.lock", "--exit-code", cwd=two, check=False)

    assert done.returncode == 1
    assert "~ numpy" in done.stdout
    assert done.stderr == ""


def test_the_help_says_what_the_status_means(tmp_path):
    text = " ".join(command("diff", "--help", cwd=tmp_path).stdout.split())

    assert "unless --exit-code asks for 1 when A and B differ; an error is 1 too" in text


@pytest.mark.engine
def test_an_image_in_a_registry_is_compared_where_it_is(store, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    one = write(store, tmp_path, made(store, BASE, Listed("code", [Entry.file("src/run.py", "1")])))
    other = made(store, BASE, Listed("code", [Entry.file("src/run.py", "22")]))
    write_layout(tmp_path / "layout", store, other)
    (tmp_path / "served").mkdir()
    process, registry = start_registry(tmp_path / "served")
    try:
        registry.fill(tmp_path / "layout", "me/model:v1")

        said = diff(tmp_path, one, f"{registry.host}/me/model:v1")
        same = diff(tmp_path, "layout", f"{registry.host}/me/model@{other.digest}", "--exit-code")
    finally:
        process.terminate()
        process.wait(20)

    assert "~ +1 B content /src/run.py" in said
    assert same[1:] == ["the same image"]
