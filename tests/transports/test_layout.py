"""A layout in a folder: whole, readable by others, and never in place of something else."""

from __future__ import annotations

import subprocess

import pytest

from cog_oci.errors import CogError
from cog_oci.oci import MediaType, sha256
from cog_oci.transports.archive import Archive
from cog_oci.transports.layout import write_folder
from cog_oci.transports.sources import open_source
from tests.conftest import need
from tests.transports.stored import NAME, image


def test_what_is_written_is_read_back_with_its_name_and_what_is_attached(store, tmp_path):
    images = [image(store, name).stored() for name in ("amd64", "arm64")]

    write_folder(tmp_path / "a" / "layout", Archive(images, NAME, (b"{lock}",)), store)

    with open_source(str(tmp_path / "a" / "layout")) as source:
        assert source.images() == images
        assert source.reference == NAME
        assert source.find(sha256(b"{lock}")) == b"{lock}"


def test_a_layout_takes_a_new_image_in_place_of_the_old_one(store, tmp_path):
    first, second = (image(store, media_type=kind).stored() for kind in (MediaType.LAYER_GZIP, MediaType.LAYER))
    write_folder(tmp_path / "layout", Archive([first], NAME), store)
    write_folder(tmp_path / "layout", Archive([second], NAME), store)

    with open_source(str(tmp_path / "layout")) as source:
        assert source.images() == [second]
    assert not list(tmp_path.rglob(".cog-oci*"))


def test_a_failure_leaves_the_old_image(store, tmp_path):
    first, second = (image(store, media_type=kind).stored() for kind in (MediaType.LAYER_GZIP, MediaType.LAYER))
    write_folder(tmp_path / "layout", Archive([first], NAME), store)
    store.path(second.layers[1].descriptor.digest).unlink()

    with pytest.raises(FileNotFoundError):
        write_folder(tmp_path / "layout", Archive([second], NAME), store)

    with open_source(str(tmp_path / "layout")) as source:
        assert source.images() == [first]
    assert not list(tmp_path.rglob(".cog-oci*"))


def test_a_folder_with_something_else_in_it_is_left_alone(store, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    (tmp_path / "file").write_text("x")
    made = Archive([image(store).stored()], NAME)

    with pytest.raises(CogError, match="is not empty, and no OCI layout"):
        write_folder(tmp_path / "mine", made, store)
    with pytest.raises(CogError, match="is a file and no folder"):
        write_folder(tmp_path / "file", made, store)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


@pytest.mark.engine
def test_umoci_and_skopeo_read_it(store, tmp_path):
    need("skopeo", "umoci")
    made = image(store)
    write_folder(tmp_path / "layout", Archive([made.stored()], NAME), store)

    listed = subprocess.run(["umoci", "list", "--layout", tmp_path / "layout"], capture_output=True, check=True).stdout
    raw = subprocess.run(
        ["skopeo", "inspect", "--raw", f"oci:{tmp_path}/layout:v1"], capture_output=True, check=True
    ).stdout
    assert listed == b"v1\n"
    assert raw == made.manifest_document
