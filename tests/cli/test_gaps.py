"""What `image` says of libraries that an image lacks, and `doctor` after it."""

from __future__ import annotations

import json

import pytest

from tests.cli.in_process import command as cog_oci
from tests.cli.test_commands import cache, lock_by_hand, project  # noqa: F401 - fixtures
from tests.closed_world.elf_writer import elf
from tests.conftest import keep_wheel, make_wheel


@pytest.fixture
def lacking(project, cache, tmp_path):  # noqa: F811 - the fixture
    """A project with a wheel that brings its own C library, and needs one library that nothing brings."""
    from cog_oci.store import Store

    files = {
        "demo/_demo.abi3.so": elf("libc.so.6", "libGL.so.1"),
        "demo/libplugin.so": elf("libc.so.6", "libICE.so.6"),
        "demo/libc.so.6": elf(soname="libc.so.6"),
    }
    lock_by_hand(project, keep_wheel(Store(cache), make_wheel(tmp_path, "demo", files)))
    return project


def test_a_missing_library_is_a_warning_with_the_file_that_wants_it_and_the_image_is_there_all_the_same(lacking):
    done = cog_oci("image", cwd=lacking)

    assert done.stdout.startswith("sha256:")
    assert (
        "demo/_demo.abi3.so needs libGL.so.1, and nothing in the image brings it\nhint: add the Debian" in done.stderr
    )
    assert "libICE" not in done.stderr
    assert (lacking / "image.tar").is_file()


def test_the_doctor_tells_it_again_and_what_may_be_missing_as_a_note(lacking):
    cog_oci("image", cwd=lacking)

    found = [
        one
        for one in json.loads(cog_oci("doctor", "--json", cwd=lacking).stdout)["findings"]
        if one["check"] == "libraries"
    ]

    assert [one["level"] for one in found] == ["warning", "note"]
    assert "demo/_demo.abi3.so needs libGL.so.1, and nothing in the image brings it" in found[0]["message"]
    assert found[1]["message"].startswith("missing, for what is loaded only when it is asked for: /opt/venv/")
    assert "libplugin.so needs libICE.so.6" in found[1]["message"]
    assert found[0]["remedy"].startswith("Add the Debian package")


def test_an_image_that_was_never_built_here_is_not_judged(lacking, monkeypatch, tmp_path):
    assert "libraries" not in cog_oci("doctor", cwd=lacking).stdout

    cog_oci("image", cwd=lacking)
    monkeypatch.setenv("COG_CACHE_DIR", str(tmp_path / "another"))
    said = cog_oci("doctor", cwd=lacking).stdout

    assert "note: the layers for linux/amd64 are not here, so that their libraries cannot be looked at" in said
