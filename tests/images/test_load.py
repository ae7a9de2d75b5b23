"""An image straight into a daemon: whole the first time, and then what is new."""

from __future__ import annotations

import io
import json
import random
import subprocess
import tarfile
from dataclasses import replace

import pytest

from cog_oci.layers import realise
from cog_oci.layers._tar import Entry
from cog_oci.oci import Image, ImageConfig, Platform
from cog_oci.reference import Reference
from cog_oci.transports.archive import Archive
from cog_oci.transports.docker import Docker
from tests.images.conftest import cog_oci
from tests.layers.test_realise import Listed

pytestmark = [pytest.mark.engine, pytest.mark.root]

NAME = Reference.parse("load/test:v1")
BARE = ImageConfig(command=("/nothing",))


def archive(store, *layers: dict[str, bytes], config: ImageConfig = BARE) -> Archive:
    blobs = tuple(realise(Listed([Entry.file(*file) for file in files.items()]), store) for files in layers)
    image = Image(Platform("linux", "amd64"), config, blobs)
    return Archive([image.stored()], NAME)


def files(docker) -> dict[str, bytes]:
    """What a container of the image would see."""
    container = docker("create", NAME.familiar).strip()
    done = subprocess.run(
        [docker.client, "--host", f"unix://{docker.socket}", "export", container], capture_output=True, check=True
    )
    docker("rm", container)
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
        return {one.name: tar.extractfile(one).read() for one in tar if one.isfile() and one.name.startswith("own/")}


BASE = {"own/base": bytes(range(256)) * 4000}


def test_a_second_load_sends_only_what_is_new(docker, store):
    daemon = Docker(f"unix://{docker.socket}")

    first = daemon.load(archive(store, BASE, {"own/code": b"one"}), store)
    second = daemon.load(archive(store, BASE, {"own/code": b"two!"}), store)

    assert second < 1000 < first
    assert files(docker) == {**BASE, "own/code": b"two!"}
    (known,) = json.loads(docker("image", "inspect", NAME.familiar))
    assert known["RootFS"]["Layers"] == [
        layer.diff_id for layer in archive(store, BASE, {"own/code": b"two!"}).images[0].layers
    ]


def test_an_image_that_the_daemon_has_whole_sends_no_layer(docker, store):
    daemon = Docker(f"unix://{docker.socket}")
    daemon.load(archive(store, BASE, {"own/code": b"same"}), store)

    assert daemon.load(archive(store, BASE, {"own/code": b"same"}), store) == 0
    assert files(docker)["own/code"] == b"same"


def test_what_an_image_of_another_name_has_is_not_sent_again(docker, store):
    """An image that has our label: a project under its next tag, another project on the same base."""
    noise = {"own/base": random.Random(7).randbytes(2 << 20)}
    labelled = ImageConfig(command=("/nothing",), labels={"run.cog.config": "{}"})
    daemon = Docker(f"unix://{docker.socket}")

    first = daemon.load(archive(store, noise, {"own/code": b"one"}, config=labelled), store)
    second = daemon.load(
        replace(
            archive(store, noise, {"own/code": b"two"}, config=labelled), reference=Reference.parse("load/next:v2")
        ),
        store,
    )

    assert second < 1000 < first
    assert "load/next" in docker("images")


def test_a_layer_that_comes_again_higher_up_is_sent(docker, store):
    daemon = Docker(f"unix://{docker.socket}")
    daemon.load(archive(store, BASE, {"own/a": b"a"}), store)

    daemon.load(archive(store, BASE, {"own/b": b"b"}, {"own/a": b"a"}), store)

    assert files(docker) == {**BASE, "own/a": b"a", "own/b": b"b"}


@pytest.mark.network
def test_the_command_loads_and_says_how_much_was_new(docker, filetype):
    done = cog_oci(
        *("image", "--load", "-t", "load/filetype"),
        cwd=filetype.folder,
        COG_CACHE_DIR=str(filetype.store),
        DOCKER_HOST=f"unix://{docker.socket}",
    )

    assert done.stdout.strip() == filetype.digest
    assert "MB of layers were new" in done.stderr
    assert docker("image", "inspect", "--format", "{{.Os}}", "load/filetype").strip() == "linux"
