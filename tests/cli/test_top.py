"""`cog-oci top` as a user runs it."""

from __future__ import annotations

import json
import tarfile

import pytest

from cog_oci.layers._tar import Entry
from cog_oci.transports import archive
from cog_oci.transports.archive import Archive
from tests.cli.in_process import command
from tests.image_maker import Listed, made, member, of_tars, tar
from tests.transports.stored import NAME, pack, write_layout


@pytest.fixture
def place(store, tmp_path):
    """An image with a package, a file twice, and one that is hidden, as image.tar and as layout/."""
    site = "opt/venv/lib/python3.13/site-packages"
    image = made(
        store,
        Listed(
            "python",
            [
                Entry.file(f"{site}/big/__init__.py", b"b" * 70_000),
                Entry.file(f"{site}/big-1.0.dist-info/RECORD", "big/__init__.py,,\nbig-1.0.dist-info/RECORD,,\n"),
                Entry.file("etc/motd", "hello" * 300),
            ],
        ),
        Listed("code", [Entry.file("src/copy", b"b" * 70_000), Entry.file("etc/motd", "")]),
    )
    archive.write_file(tmp_path / "image.tar", Archive([image.stored()], NAME), store)
    write_layout(tmp_path / "layout", store, image)
    return tmp_path


def sections(text: str) -> dict[str, list[str]]:
    """The lines below each title, blanks between columns as one."""
    found = {}
    for block in text.split("\n\n"):
        title, *lines = block.rstrip("\n").split("\n")
        found[title] = [" ".join(line.split()) for line in lines]
    return found


def test_the_bytes_are_told_by_layer_package_and_file_and_what_is_for_nothing(place):
    done = command("top", "image.tar", cwd=place)

    found = sections(done.stdout)
    summary = next(iter(found))
    assert summary.startswith("linux/amd64  sha256:")
    assert found[summary][0].endswith("in 2 layers, 140.0 kB unpacked in 4 files")
    assert [line.split(" ", 2)[1] for line in found["layers, bottom up"]] == ["python", "code"]
    assert found["packages"] == [
        "70.0 kB 50.0 % python big 1.0 2 files /opt/venv/lib/python3.13/site-packages",
        "70.0 kB 50.0 % no package /src 1 file",
        "0 B 0.0 % no package /etc 1 file",
    ]
    assert found["files"][0].endswith("layer 1 /opt/venv/lib/python3.13/site-packages/big/__init__.py")
    assert found["carried and never seen: 1.5 kB"] == ["1.5 kB of layer 1, hidden by 2 /etc/motd"]
    assert found["equal files at several paths: 70.0 kB"] == [
        "70.0 kB 2 of 70.0 kB /opt/venv/lib/python3.13/site-packages/big/__init__.py = /src/copy"
    ]
    assert "\x1b" not in done.stdout
    assert done.stderr == ""


def test_a_folder_and_an_archive_are_told_of_alike(place):
    assert command("top", "layout", cwd=place).stdout == command("top", "image.tar", cwd=place).stdout


def test_lists_end_where_they_are_told_to(place):
    short, whole = (
        sections(command("top", "image.tar", *options, cwd=place).stdout) for options in (["-n1"], ["--all"])
    )

    assert len(short["files"]) == 2
    assert short["files"][1] == "… and 3 more (--all)"
    assert len(short["layers, bottom up"]) == 2
    assert len(whole["files"]) == 4


def test_as_json_everything_is_there_in_bytes(place):
    document = json.loads(command("top", "image.tar", "--json", "-n1", cwd=place).stdout)

    found = document["linux/amd64"]
    assert [layer["name"] for layer in found["layers"]] == ["python", "code"]
    assert sum(layer["contents"] for layer in found["layers"]) == 141_545
    assert {file["path"] for file in found["files"]} >= {"/src/copy", "/etc/motd"}
    assert found["hidden"] == [{"path": "/etc/motd", "size": 1500, "layer": 1, "by": 2}]
    assert found["copies"][0]["wasted"] == 70_000


def test_every_platform_is_told_of_or_the_one_asked_for(store, tmp_path):
    images = [made(store, Listed("base", [Entry.file("a", name)]), architecture=name) for name in ("amd64", "arm64")]
    pack(write_layout(tmp_path / "layout", store, *images), tmp_path / "image.tar")

    both = command("top", "image.tar", "--json", cwd=tmp_path)
    one = command("top", "image.tar", "--json", "--platform", "linux/arm64", cwd=tmp_path)
    none = command("top", "image.tar", "--platform", "linux/s390x", cwd=tmp_path, check=False)

    assert list(json.loads(both.stdout)) == ["linux/amd64", "linux/arm64"]
    assert list(json.loads(one.stdout)) == ["linux/arm64"]
    assert none.returncode == 1
    assert "image.tar has no image for linux/s390x, only for linux/amd64, linux/arm64" in none.stderr


def test_names_of_others_do_not_reach_the_terminal_as_they_are(store, tmp_path):
    image = of_tars(store, tar(member("evil\x1b[31m\udcff\n", b"x"), member("p", kind=tarfile.FIFOTYPE)))
    write_layout(tmp_path / "layout", store, image)

    done = command("top", "layout", cwd=tmp_path)

    assert r"/evil\x1b[31m\xff\n" in done.stdout
    assert json.loads(command("top", "layout", "--json", cwd=tmp_path).stdout)


def test_an_image_without_layers_has_nothing(store, tmp_path):
    write_layout(tmp_path / "layout", store, made(store))

    done = command("top", "layout", cwd=tmp_path)

    assert "0 B in 0 layers, 0 B unpacked in 0 files" in done.stdout


def test_what_is_no_image_is_one_clear_error(tmp_path):
    (tmp_path / "x.tar").write_bytes(b"nothing")

    for name in ("x.tar", "missing.tar", "."):
        done = command("top", name, cwd=tmp_path, check=False)
        assert done.returncode == 1
        assert done.stderr.startswith("error: ")
        assert "Traceback" not in done.stderr
