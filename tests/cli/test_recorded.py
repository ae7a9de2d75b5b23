"""What the lock remembers of its layers, and what comes of it: a digest without artifacts, and a build held to it."""

from __future__ import annotations

import json
import shutil
import tarfile
from dataclasses import replace

import pytest

from cog_oci.lock import Lock
from cog_oci.oci import MediaType
from cog_oci.store import Store
from tests.cli.in_process import command
from tests.cli.test_commands import lock_by_hand, project_in
from tests.conftest import keep_wheel, make_wheel
from tests.images.conftest import cog_oci

from .test_commands import cache, project  # noqa: F401 - fixtures


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    """A project with one wheel and its store, after a build: the folder of both, and the digest."""
    folder = tmp_path_factory.mktemp("once")
    own, store = project_in(folder), Store(folder / "cache")
    lock_by_hand(own, keep_wheel(store, make_wheel(folder, "demo", {"demo/__init__.py": b"x = 1\n" * 99})))
    return folder, command("image", cwd=own, COG_CACHE_DIR=str(store.root)).stdout.strip()


@pytest.fixture
def built(once, cache, tmp_path):  # noqa: F811 - the fixture
    """A copy of that for each test: its project and its digest; COG_CACHE_DIR is the copy of the store."""
    folder, digest = once
    shutil.copytree(folder / "cache", cache)
    shutil.copytree(folder / "project", tmp_path / "project")
    return tmp_path / "project", digest


def layers(folder):
    return Lock.read(folder / "cog.lock").platforms["linux/amd64"].layers


def test_a_build_records_what_the_locks_layers_are(built):
    folder, _ = built

    assert [layer.name for layer in layers(folder)] == ["server", "python"]
    assert all(list(layer.blobs) == ["gzip"] for layer in layers(folder))


def test_the_record_grows_with_each_compression_and_the_content_stays(built):
    folder, _ = built

    ids = {}
    for compression in ("gzip", "zstd", "none"):
        command("image", "--compression", compression, "-o", "../image.tar", cwd=folder)
        with tarfile.open(folder.parent / "image.tar") as archive:
            manifest = json.load(archive.extractfile("manifest.json"))[0]
            ids[compression] = manifest["Config"]

    assert len(set(ids.values())) == 1
    assert all(sorted(layer.blobs) == ["gzip", "none", "zstd"] for layer in layers(folder))


def test_building_again_changes_nothing_in_the_lock(built):
    folder, digest = built
    before = (folder / "cog.lock").read_bytes()

    assert command("image", cwd=folder).stdout.strip() == digest
    assert (folder / "cog.lock").read_bytes() == before


def test_the_digest_is_known_from_lock_and_code_without_any_artifact(built, tmp_path):
    folder, digest = built
    empty = tmp_path / "empty"

    done = cog_oci("image", "--digest", cwd=folder, COG_CACHE_DIR=str(empty))

    assert done.stdout == digest + "\n"
    with (folder / "run.py").open("a") as file:
        file.write("# changed\n")
    assert command("image", "--digest", cwd=folder, COG_CACHE_DIR=str(empty)).stdout.strip() != digest


def test_the_digest_without_compression_follows_from_any_record(built, tmp_path):
    folder, _ = built

    done = command(
        *("image", "--digest", "--compression", "none"), cwd=folder, COG_CACHE_DIR=str(tmp_path / "another cache")
    )

    assert done.stdout == command("image", "--compression", "none", "-o", "../image.tar", cwd=folder).stdout


def test_a_digest_that_nothing_says_is_an_error_that_says_what_to_do(built, tmp_path):
    folder, _ = built

    done = command(
        "image", "--digest", "--compression", "zstd", cwd=folder, check=False, COG_CACHE_DIR=str(tmp_path / "e")
    )

    assert done.returncode == 1
    assert "layer python" in done.stderr
    assert "build the image once" in done.stderr


def test_a_layer_that_comes_out_otherwise_fails_the_build_and_names_the_place(built, cache, tmp_path):  # noqa: F811 - the fixture
    folder, _ = built
    path = folder / "cog.lock"
    locked = Lock.read(path)
    server, python = locked.platforms["linux/amd64"].layers
    # What the lock recorded once: the same layer, but for one byte of one file.
    from io import BytesIO

    from cog_oci.blobs import open_plain
    from cog_oci.layers import render

    store = Store(cache)
    with store.path(python.blobs["gzip"].digest).open("rb") as blob:
        plain = open_plain(blob, "").read().replace(b"x = 1\nx = 1\n", b"x = 1\nx = 2\n", 1)
    other = render("python", BytesIO(plain), store)
    blobs = {"gzip": replace(python.blobs["gzip"], digest=other.descriptor.digest, size=other.descriptor.size)}
    recorded = replace(python, diff_id=other.diff_id, blobs=blobs)
    locked.recording({"linux/amd64": (server, recorded)}).write(path)

    done = command("image", cwd=folder, check=False)

    assert done.returncode == 1
    assert "layer python is not what cog.lock recorded" in done.stderr
    assert "/opt/venv/lib/python3.13/site-packages/demo/__init__.py" in done.stderr
    assert "byte 10" in done.stderr
    # Without the recorded blob at hand the layer is still named.
    shutil.rmtree(cache / "layers")
    store.path(other.descriptor.digest).unlink()
    done = command("image", cwd=folder, check=False)
    assert done.returncode == 1
    assert other.diff_id in done.stderr


def test_several_platforms_are_one_index(project, cache):  # noqa: F811 - the fixture
    both = "linux/amd64,linux/arm64"
    lock_by_hand(project, platforms=("linux/amd64", "linux/arm64"))

    digest = command("image", "--platform", both, cwd=project).stdout.strip()

    with tarfile.open(project / "image.tar") as archive:
        (entry,) = json.load(archive.extractfile("index.json"))["manifests"]
        assert entry["digest"] == digest
        index = json.load(archive.extractfile("blobs/" + digest.replace(":", "/")))
        assert [one["platform"]["architecture"] for one in index["manifests"]] == ["amd64", "arm64"]
        for one in index["manifests"]:
            manifest = json.load(archive.extractfile("blobs/" + one["digest"].replace(":", "/")))
            config = json.load(archive.extractfile("blobs/" + manifest["config"]["digest"].replace(":", "/")))
            assert config["architecture"] == one["platform"]["architecture"]
        assert len(json.load(archive.extractfile("manifest.json"))) == 1
    assert command("image", "--digest", "--platform", both, cwd=project).stdout.strip() == digest


def test_the_image_carries_its_lock(built):
    folder, digest = built
    with tarfile.open(folder / "image.tar") as archive:

        def document(name: str) -> dict:
            return json.load(archive.extractfile("blobs/" + name.replace(":", "/")))

        config = document(document(digest)["config"]["digest"])
        carried = archive.extractfile("blobs/" + config["config"]["Labels"]["run.cog.lock"].replace(":", "/")).read()
        artifacts = [
            json.load(archive.extractfile(member))
            for member in archive
            if member.isfile() and member.size < 2000 and b'"subject"' in archive.extractfile(member).read()
        ]

    locked = Lock.from_bytes(carried)
    assert locked.platforms["linux/amd64"].layers == ()
    assert [wheel.name for wheel in locked.platforms["linux/amd64"].wheels] == ["demo"]
    assert {one["artifactType"] for one in artifacts} == {MediaType.LOCK, MediaType.CYCLONEDX}
    (artifact,) = (one for one in artifacts if one["artifactType"] == MediaType.LOCK)
    assert artifact["subject"]["digest"] == digest
    assert artifact["layers"][0]["digest"] == config["config"]["Labels"]["run.cog.lock"]
