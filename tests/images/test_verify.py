"""Images of the examples are what their locks make of them, however they travelled; and a byte more or less is found."""

from __future__ import annotations

import json
import subprocess
import tarfile

import pytest

from cog_oci.transports.sources import open_source
from tests.conftest import need
from tests.images.conftest import cog_oci

pytestmark = pytest.mark.network


def outcomes(done) -> dict[str, str]:
    (report,) = json.loads(done.stdout)
    return {layer["name"]: layer["outcome"] for layer in report["layers"]}


def test_every_layer_of_an_example_is_reproduced(filetype):
    done = cog_oci("verify", str(filetype.archive), "--json", cwd=filetype.folder, COG_CACHE_DIR=str(filetype.store))

    assert len(outcomes(done)) > 4
    assert set(outcomes(done).values()) == {"reproduced"}


@pytest.mark.engine
def test_layers_that_skopeo_compressed_again_are_reproduced_with_the_lock_of_the_project(filetype, tmp_path):
    need("skopeo")
    layout = tmp_path / "layout"
    subprocess.run(
        ["skopeo", "copy", "-q", "--dest-compress-format=zstd", f"oci-archive:{filetype.archive}", f"oci:{layout}:x"],
        check=True,
    )

    done = cog_oci("verify", str(layout), "--json", cwd=filetype.folder, COG_CACHE_DIR=str(filetype.store))

    assert set(outcomes(done).values()) == {"reproduced"}


def test_one_flipped_bit_in_a_large_layer_is_found(filetype, tmp_path):
    with open_source(str(filetype.archive)) as source:
        layer = max(source.images()[0].layers, key=lambda one: one.descriptor.size)
    with tarfile.open(filetype.archive) as archive:
        start = archive.getmember("blobs/" + layer.descriptor.digest.replace(":", "/")).offset_data
    at = layer.descriptor.size // 3
    bad = tmp_path / "bad.tar"
    bad.write_bytes(filetype.archive.read_bytes())
    with bad.open("r+b") as file:
        file.seek(start + at)
        (byte,) = file.read(1)
        file.seek(start + at)
        file.write(bytes([byte ^ 1]))

    done = cog_oci("verify", str(bad), cwd=filetype.folder, check=False, COG_CACHE_DIR=str(filetype.store))

    assert done.returncode == 1
    assert f"its blob differs at byte {at} of {layer.descriptor.size}, in /" in done.stdout
    assert [line.split()[-1] for line in done.stdout.splitlines() if "damaged" in line] == ["damaged:"]
