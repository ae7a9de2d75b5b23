"""`cog-oci copy` as a user runs it: between archive, folder and registry, and back."""

from __future__ import annotations

import pytest

from cog_oci.image_config import LOCK_LABEL
from cog_oci.oci import MediaType, sha256
from cog_oci.transports.sources import open_source
from tests.cli.in_process import command
from tests.cli.test_commands import cache, lock_by_hand, project  # noqa: F401 - fixtures
from tests.images.conftest import cog_oci
from tests.transports.strict_registry import strict


@pytest.fixture
def registry():
    with strict() as found:
        yield found


@pytest.fixture
def built(project, cache):  # noqa: F811 - the fixture
    """image.tar, for two platforms, in the project's folder; and its digest."""
    lock_by_hand(project, platforms=("linux/amd64", "linux/arm64"))
    return command("image", "--platform", "linux/amd64,linux/arm64", cwd=project).stdout


def test_an_image_goes_round_and_stays_what_it_is(built, project, registry, monkeypatch, tmp_path):  # noqa: F811 - the fixture
    monkeypatch.setenv("COG_CACHE_DIR", str(tmp_path / "another"))  # whose store has none of the blobs
    name = f"{registry.host}/me/model:v1"
    for source, target in [("image.tar", name), (name, "layout/"), ("layout", "again.tar")]:
        assert command("copy", source, target, cwd=project).stdout == built

    with open_source(str(project / "again.tar")) as last, open_source(str(project / "image.tar")) as first:
        assert last.images() == first.images()
        for image in last.images():
            assert sha256(last.find(image.labels[LOCK_LABEL])) == image.labels[LOCK_LABEL]
    assert any(MediaType.LOCK.encode() in data for _, data in registry.repos["me/model"].manifests.values())


def test_another_repository_of_the_registry_mounts_and_nothing_is_read(built, project, registry, monkeypatch, tmp_path):  # noqa: F811 - the fixture
    command("copy", "image.tar", f"{registry.host}/me/model:v1", cwd=project)
    monkeypatch.setenv("COG_CACHE_DIR", str(tmp_path / "another"))
    registry.seen.clear()

    done = command("copy", f"{registry.host}/me/model:v1", f"{registry.host}/you/model:v2", cwd=project)

    assert done.stdout == built
    assert "mounted" in done.stderr
    with open_source(f"{registry.host}/you/model:v2") as source:
        for image in source.images():
            for part in image.layers:
                assert not any(method == "GET" and part.descriptor.digest in path for method, path in registry.seen)


def test_one_platform_of_several_is_copied_with_what_belongs_to_it(built, project, registry):  # noqa: F811 - the fixture
    name = f"{registry.host}/me/model:v1"

    done = command("copy", "image.tar", name, "--platform", "linux/arm64", cwd=project)
    none = command("copy", name, "other.tar", "--platform", "linux/amd64", cwd=project, check=False)

    with open_source(name) as source, open_source(str(project / "image.tar")) as whole:
        (image,) = source.images()
        assert image == whole.images()[1]
        assert image.descriptor.digest == done.stdout.strip()
        assert source.attached(image, MediaType.CYCLONEDX) == whole.attached(image, MediaType.CYCLONEDX) != []
    assert none.returncode == 1
    assert "has nothing for linux/amd64, only for linux/arm64" in none.stderr
    assert not (project / "other.tar").exists()


def test_a_digest_is_no_place_to_copy_to(built, project):  # noqa: F811 - the fixture
    done = cog_oci("copy", "image.tar", f"localhost:1/x@{built.strip()}", cwd=project, check=False)

    assert done.returncode == 1
    assert "hint: name a tag" in done.stderr
