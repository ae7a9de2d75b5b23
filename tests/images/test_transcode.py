"""Real engines load every envelope that they know, and find the same image in it. No network is needed."""

from __future__ import annotations

import json
import subprocess
import tempfile

import pytest

from cog_oci.reference import Reference
from cog_oci.store import Store
from cog_oci.transcode import transcode
from cog_oci.transports import archive
from cog_oci.transports.archive import Archive
from cog_oci.transports.sources import open_source
from tests.conftest import need
from tests.test_transcode import built

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def turned(tmp_path_factory):
    """One image in archives of every envelope: gzip → zstd → none → gzip, each made from the one before."""
    folder = tmp_path_factory.mktemp("turned")
    store = Store(folder / "store")
    made = built(store, "gzip")
    before = folder / "built.tar"
    archive.write_file(before, Archive([made.stored()], Reference.parse("turned:built")), store)
    places = {}
    for compression in ("zstd", "none", "gzip"):
        place = folder / f"{compression}.tar"
        with open_source(str(before)) as source:
            images = transcode(source, compression, store).images
        archive.write_file(place, Archive(images, Reference.parse(f"turned:{compression}")), store)
        places[compression] = before = place
    return made, places


@pytest.mark.root
@pytest.mark.parametrize("compression", ["none", "gzip"])  # zstd is not known to Docker before 23
def test_dockerd_finds_the_same_image_in_it(docker, turned, compression):
    made, places = turned

    assert f"turned:{compression}" in docker("load", "-i", str(places[compression]))

    (found,) = json.loads(docker("image", "inspect", f"turned:{compression}"))
    assert found["Id"] == made.content_id
    assert found["RootFS"]["Layers"] == [layer.diff_id for layer in made.layers]


@pytest.mark.parametrize("compression", ["zstd", "none", "gzip"])
def test_podman_finds_the_same_image_in_it(turned, tmp_path, compression):
    need("podman")
    made, places = turned
    run = tempfile.mkdtemp(prefix="podman-")  # podman refuses a run root whose path is longer than 50 characters
    podman = ["podman", "--root", str(tmp_path / "root"), "--runroot", run, "--storage-driver", "vfs"]

    subprocess.run([*podman, "load", "-i", str(places[compression])], check=True, capture_output=True)
    inspect = [*podman, "image", "inspect", f"turned:{compression}"]
    (found,) = json.loads(subprocess.run(inspect, check=True, capture_output=True).stdout)

    assert f"sha256:{found['Id']}" == made.content_id
    assert found["RootFS"]["Layers"] == [layer.diff_id for layer in made.layers]


@pytest.mark.parametrize("compression", ["zstd", "none", "gzip"])
def test_skopeo_copies_it_layer_by_layer(turned, tmp_path, compression):
    need("skopeo")
    made, places = turned

    subprocess.run(
        ["skopeo", "copy", "--quiet", f"oci-archive:{places[compression]}", f"oci:{tmp_path}/copy:v1"], check=True
    )

    with open_source(str(tmp_path / "copy")) as source:
        (found,) = source.images()
    assert found.content_id == made.content_id
