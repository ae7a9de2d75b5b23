"""One tar, two formats: everything that either names is in it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
from concurrent.futures import ThreadPoolExecutor

import pytest

from cog_oci.errors import CogError
from cog_oci.oci import Descriptor, DiffID, Image, ImageConfig, LayerBlob, MediaType, Platform, sha256
from cog_oci.reference import Reference
from cog_oci.transports import archive
from tests.conftest import need

NAME = Reference.parse("me/model:v1")


@pytest.fixture
def image(store):
    """Two layers, the second one twice: its blob must be in the archive once."""
    layers = []
    for data in (b"first" * 1000, b"second", b"second"):
        digest = store.add(data)
        layers.append(
            LayerBlob("x", DiffID(sha256(b"tar" + data)), Descriptor(MediaType.LAYER_GZIP, digest, len(data)), 1)
        )
    return Image(Platform("linux", "amd64"), ImageConfig(command=("true",)), tuple(layers))


def contents(image, store) -> dict[str, bytes]:
    out = io.BytesIO()
    archive.write(out, archive.Archive([image.stored()], NAME), store)
    with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as tar:
        names = tar.getnames()
        assert len(names) == len(set(names))
        return {member.name: tar.extractfile(member).read() for member in tar if member.isfile()}


def test_every_blob_that_the_layout_names_is_there_and_right(image, store):
    files = contents(image, store)
    index = json.loads(files["index.json"])
    manifest = json.loads(files["blobs/" + index["manifests"][0]["digest"].replace(":", "/")])

    assert json.loads(files["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    assert index["manifests"][0]["annotations"]["io.containerd.image.name"] == "docker.io/me/model:v1"
    for descriptor in (manifest["config"], *manifest["layers"]):
        data = files["blobs/" + descriptor["digest"].replace(":", "/")]
        assert (sha256(data), len(data)) == (descriptor["digest"], descriptor["size"])


def test_dockers_manifest_is_over_the_same_blobs(image, store):
    files = contents(image, store)
    (entry,) = json.loads(files["manifest.json"])

    assert entry["RepoTags"] == ["me/model:v1"]
    assert all(name in files for name in (entry["Config"], *entry["Layers"]))


def test_equal_images_make_equal_archives(image, store):
    first, second = io.BytesIO(), io.BytesIO()
    archive.write(first, archive.Archive([image.stored()], NAME), store)
    archive.write(second, archive.Archive([image.stored()], NAME), store)

    assert first.getvalue() == second.getvalue()


def test_a_failure_leaves_the_old_archive(image, store, tmp_path):
    path = tmp_path / "image.tar"
    path.write_bytes(b"old")
    store.path(image.layers[0].descriptor.digest).unlink()

    with pytest.raises(FileNotFoundError):
        archive.write_file(path, archive.Archive([image.stored()], NAME), store)

    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["image.tar"]


def test_a_device_a_pipe_and_a_link_stay_what_they_are(image, store, tmp_path):
    whole = archive.Archive([image.stored()], NAME)
    pipe, link, file = tmp_path / "pipe", tmp_path / "link", tmp_path / "elsewhere" / "image.tar"
    os.mkfifo(pipe)
    file.parent.mkdir()
    link.symlink_to(file)

    archive.write_file(link, whole, store)
    with ThreadPoolExecutor() as pool:
        written = pool.submit(archive.write_file, pipe, whole, store)
        read = pipe.read_bytes()
        written.result()

    assert link.is_symlink()
    assert pipe.is_fifo()
    assert read == file.read_bytes()


def test_an_archive_is_no_folder(image, store, tmp_path):
    with pytest.raises(CogError, match="is a folder") as error:
        archive.write_file(tmp_path, archive.Archive([image.stored()], NAME), store)
    assert error.value.hint == f"name a file in it, as in {tmp_path.name}/image.tar"


def test_a_folder_that_is_not_there_is_said(image, store, tmp_path):
    with pytest.raises(CogError, match="there is no folder"):
        archive.write_file(tmp_path / "no" / "image.tar", archive.Archive([image.stored()], NAME), store)


@pytest.mark.engine
def test_skopeo_reads_both_formats(image, store, tmp_path):
    need("skopeo")
    path = tmp_path / "image.tar"
    archive.write_file(path, archive.Archive([image.stored()], NAME), store)

    for transport in ("oci-archive", "docker-archive"):
        raw = subprocess.run(
            ["skopeo", "inspect", "--config", "--raw", f"{transport}:{path}"], capture_output=True, check=True
        ).stdout
        assert sha256(raw.rstrip(b"\n")) == image.content_id
