"""`cog-oci transcode` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cog_oci.oci import MediaType
from cog_oci.store import Store
from cog_oci.transports import archive
from cog_oci.transports.archive import Archive
from cog_oci.transports.sources import open_source
from tests.cli.in_process import command
from tests.cli.test_commands import RUN, lock_by_hand
from tests.images.conftest import cog_oci
from tests.transports.stored import NAME, image, write_layout


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    """The store of the commands in this test, with nothing in it."""
    monkeypatch.setenv("COG_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def made(store, tmp_path):
    """An image as image.tar in the test's folder."""
    found = image(store)
    archive.write_file(tmp_path / "image.tar", Archive([found.stored()], NAME), store)
    return found


def only(place: Path):
    """The one image of a place, and what it is called."""
    with open_source(str(place)) as source:
        (found,) = source.images()
        return found, source.reference


def test_an_archive_becomes_an_archive_and_its_new_digest_is_printed(made, tmp_path):
    done = cog_oci("transcode", "image.tar", "small.tar", "--compression", "zstd", cwd=tmp_path)

    found, name = only(tmp_path / "small.tar")
    assert done.stdout == f"{found.descriptor.digest}\n"
    assert "wrote small.tar (me/model:v1)" in done.stderr
    assert (found.content_id, name) == (made.content_id, NAME)
    assert {layer.descriptor.media_type for layer in found.layers} == {MediaType.LAYER_ZSTD}


def test_an_archive_may_take_its_own_place(made, tmp_path):
    command("transcode", "image.tar", "image.tar", "--compression", "none", cwd=tmp_path)

    assert only(tmp_path / "image.tar")[0].content_id == made.content_id


@pytest.mark.parametrize("out", ["layout/", "there"])
def test_a_folder_becomes_a_layout(made, tmp_path, out):
    (tmp_path / "there").mkdir()

    done = command("transcode", "image.tar", out, "--compression", "none", "-t", "you/other:v2", cwd=tmp_path)

    found, name = only(tmp_path / out)
    assert (tmp_path / out / "oci-layout").is_file()
    assert done.stdout.strip() == found.descriptor.digest
    assert name.familiar == "you/other:v2"


def test_an_image_without_a_name_has_to_be_given_one(store, tmp_path):
    write_layout(tmp_path / "layout", store, image(store))

    done = command("transcode", "layout", "out.tar", "--compression", "gzip", cwd=tmp_path, check=False)

    assert done.returncode == 1
    assert "layout does not say what the image is called\nhint: name it, with -t" in done.stderr
    assert not (tmp_path / "out.tar").exists()


def test_an_image_of_ours_keeps_its_lock_and_its_content_id(tmp_path):
    (tmp_path / "cog.yaml").write_text("build: {python_version: '3.13'}\nrun: run.py:Runner\n")
    (tmp_path / "run.py").write_text(RUN)
    lock_by_hand(tmp_path)
    command("image", "-t", "me/model:v1", cwd=tmp_path)

    command("transcode", "image.tar", "out.tar", "--compression", "zstd", cwd=tmp_path)

    before, after = only(tmp_path / "image.tar")[0], only(tmp_path / "out.tar")[0]
    assert before.config == after.config
    assert [layer.diff_id for layer in before.layers] == [layer.diff_id for layer in after.layers]
    with open_source(str(tmp_path / "out.tar")) as source:
        lock = source.find(after.labels["run.cog.lock"])
    assert list(json.loads(lock)["platforms"]) == ["linux/amd64"]


def test_a_damaged_archive_is_one_clear_error_and_leaves_nothing(made, tmp_path):
    path = tmp_path / "image.tar"
    digest = made.layers[1].descriptor.digest
    blob = Store(tmp_path / "store").path(digest).read_bytes()
    data = path.read_bytes()
    at = data.index(blob) + len(blob) // 2
    path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])

    done = command("transcode", "image.tar", "out.tar", "--compression", "none", cwd=tmp_path, check=False)

    assert done.returncode == 1
    assert f"error: image.tar: blob {digest} is not what the image says: expected {digest}, got sha256:" in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["image.tar"]


def test_the_help_says_what_in_and_out_may_be(tmp_path):
    text = " ".join(command("transcode", "--help", cwd=tmp_path).stdout.split())

    assert "cog-oci transcode image.tar small.tar --compression zstd" in text
    assert "IN is an archive, a folder with an OCI layout, or an image in a registry." in text


def test_nothing_else_than_a_known_envelope_is_taken(made, tmp_path):
    done = command("transcode", "image.tar", "out.tar", "--compression", "xz", cwd=tmp_path, check=False)

    assert done.returncode == 2
    assert "'xz' is not one of 'gzip', 'zstd', 'none'" in done.stderr
