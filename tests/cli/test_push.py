"""`cog-oci push` as a user runs it, into a registry in memory that keeps to the specification."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

from cog_oci.build import build
from cog_oci.cli._options import platforms
from cog_oci.cli._target import push_target
from cog_oci.config import Project
from cog_oci.errors import CogError
from cog_oci.lock import Lock
from cog_oci.oci import MediaType, Platform
from cog_oci.store import Store
from cog_oci.transports import archive
from cog_oci.transports.archive import Archive
from cog_oci.transports.sources import open_source
from cog_oci.workshop import Workshop
from tests.cli.in_process import command
from tests.cli.test_commands import cache, lock_by_hand, project  # noqa: F401 - fixtures
from tests.images.conftest import COMMAND, cog_oci
from tests.transports.stored import NAME, image
from tests.transports.strict_registry import Fault, strict


@pytest.fixture
def registry():
    with strict(referrers=False) as found:
        yield found


@pytest.fixture
def locked(project, cache):  # noqa: F811 - the fixture
    lock_by_hand(project, platforms=("linux/amd64", "linux/arm64"))
    return project


def test_the_digest_and_nothing_else_is_on_standard_output(locked, registry):
    done = cog_oci("push", f"{registry.host}/me/model:v1", cwd=locked)

    assert re.fullmatch(r"sha256:[0-9a-f]{64}\n", done.stdout)
    assert registry.repos["me/model"].tags["v1"] == done.stdout.strip()
    assert f"pushed {registry.host}/me/model:v1: sent " in done.stderr
    assert command("image", "--digest", cwd=locked).stdout == done.stdout


def test_a_second_push_sends_nothing_and_a_change_only_what_changed(locked, registry):
    name = f"{registry.host}/me/model"
    command("push", name, cwd=locked)

    assert "sent 0 blobs (0 B)" in command("push", name, cwd=locked).stderr
    with (locked / "run.py").open("a") as file:
        file.write("# a line\n")
    assert "sent 2 blobs" in command("push", name, cwd=locked).stderr  # the code, and the configuration


def test_layers_that_are_there_are_on_their_way_before_the_code_is_looked_at(locked, cache):  # noqa: F811 - the fixture
    taken = []

    class Receiver:
        def has(self, blob):
            return False

        def take(self, layer):
            taken.append(layer)

    found, platform, shop = Project.find(locked), Platform("linux", "amd64"), Workshop(Store(cache))
    lock = Lock.read(found.lock_path)
    image = build(found, platform, lock, shop).image
    (locked / "run.py").write_text("def run(text):\n")

    with pytest.raises(CogError, match=r"run\.py:1"):
        build(found, platform, lock, shop, receiver=Receiver())

    assert taken
    assert {layer.diff_id for layer in taken} < {layer.diff_id for layer in image.layers}
    assert "code" not in {layer.name for layer in taken}


def test_the_bill_of_materials_travels_with_the_image_wherever_it_is_copied(locked, registry):
    first = f"{registry.host}/me/model:v1"
    (locked / "lay").mkdir()
    command("push", first, "--platform", "linux/amd64,linux/arm64", cwd=locked)
    command("copy", first, f"{registry.host}/you/model:v1", cwd=locked)
    command("copy", first, "image.tar", cwd=locked)
    command("transcode", "image.tar", "lay/", "--compression", "zstd", cwd=locked)

    for platform in ("linux/amd64", "linux/arm64"):
        bills = set()
        for place in (first, f"{registry.host}/you/model:v1", "image.tar", "lay"):
            done = command("pull-sbom", place, "--platform", platform, "-o", "bom.json", cwd=locked)
            assert f"wrote bom.json, for {platform}" in done.stderr
            bills.add((locked / "bom.json").read_bytes())
        (bill,) = bills
        assert json.loads(bill)["metadata"]["component"]["bom-ref"] == f"model@{platform}"
    assert cog_oci("pull-sbom", first, "--platform", platform, cwd=locked).stdout.encode() == bill


def test_an_image_without_a_bill_says_so(locked, registry, store):
    made = image(store)
    archive.write_file(locked / "other.tar", Archive([made.stored()], NAME), store)

    none = command("pull-sbom", "other.tar", cwd=locked, check=False)
    other = command("pull-sbom", "other.tar", "--platform", "linux/arm64", cwd=locked, check=False)

    assert (none.returncode, none.stdout) == (1, "")
    assert "carries no bill of materials" in none.stderr
    assert "other.tar is for linux/amd64" in other.stderr


def test_several_platforms_are_one_tag_and_each_has_its_lock(locked, registry):
    done = command("push", f"{registry.host}/me/model:v1", "--platform", "linux/amd64,linux/arm64", cwd=locked)

    repo = registry.repos["me/model"]
    index = json.loads(repo.manifests[done.stdout.strip()][1])
    assert [entry["platform"]["architecture"] for entry in index["manifests"]] == ["amd64", "arm64"]
    for entry in index["manifests"]:
        listed = json.loads(repo.manifests[repo.tags[entry["digest"].replace(":", "-")]][1])["manifests"]
        assert {one["artifactType"] for one in listed} == {MediaType.LOCK, MediaType.CYCLONEDX}
        (lock,) = (one for one in listed if one["artifactType"] == MediaType.LOCK)
        (blob,) = json.loads(repo.manifests[lock["digest"]][1])["layers"]
        assert json.loads(repo.blobs[blob["digest"]])["platforms"]


def test_a_platform_that_is_named_twice_is_one():
    assert [str(one) for one in platforms("linux/arm64, linux/amd64,linux/amd64 ")] == ["linux/arm64", "linux/amd64"]


def test_what_was_pushed_is_verified_where_it_is(locked, registry):
    command("push", f"{registry.host}/me/model", cwd=locked)

    assert command("verify", f"{registry.host}/me/model", cwd=locked).returncode == 0
    with open_source(f"{registry.host}/me/model") as source:
        assert len(source.images()) == 1


def test_a_push_that_is_killed_is_repeated_by_running_it_again(locked, registry, tmp_path):
    registry.faults = [Fault("PUT", "stall")]
    words = [*COMMAND, "push", f"{registry.host}/me/model:v1"]
    with subprocess.Popen(words, cwd=locked, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert registry.stalled.wait(60)
        process.kill()
        assert process.communicate()[0] == b""
    registry.released.set()
    assert registry.repo("me/model").tags == {}

    done = command("push", f"{registry.host}/me/model:v1", cwd=locked)

    assert registry.repos["me/model"].tags["v1"] == done.stdout.strip()
    assert registry.wrong == []
    with open_source(f"{registry.host}/me/model:v1") as source:
        (image,) = source.images()
        for part in image.layers:
            with source.blob(part.descriptor) as blob:
                assert len(blob.read()) == part.descriptor.size


def test_whoever_may_not_push_is_told_before_anything_is_built(locked, registry, tmp_path):
    registry.faults = [Fault("HEAD", 403)]

    done = command("push", f"{registry.host}/me/model", cwd=locked, check=False)

    assert done.returncode == 1
    assert "HTTP 403" in done.stderr
    assert not (tmp_path / "cache" / "layers").exists()


def test_an_image_that_has_no_name_is_not_pushed_anywhere(locked):
    done = command("push", cwd=locked, check=False)

    assert done.returncode == 1
    assert "you must either set the 'image' option in cog.yaml or pass an image name as an argument" in done.stderr


def test_a_model_without_a_registry_goes_to_the_one_that_the_command_line_names(locked, registry, monkeypatch):
    monkeypatch.setenv("COG_REGISTRY_HOST", "nowhere.invalid")
    monkeypatch.setenv("COG_MODEL_REPO", "me/m")
    monkeypatch.setenv("COG_MODEL_TAG", "v1")

    done = command("--registry", registry.host, "push", cwd=locked)

    assert registry.repos["me/m"].tags["v1"] == done.stdout.strip()


def test_the_environment_comes_before_cog_yaml():
    assert push_target(None, "me/a", {}) == "me/a"
    assert push_target("me/b", "me/a", {}) == "me/b"
    assert push_target(None, "me/a", {"COG_MODEL": "r.example.com/me/m:v3"}) == "r.example.com/me/m:v3"
    found = push_target(None, "me/a", {"COG_MODEL": "r.example.com/me/m"})
    assert re.fullmatch(r"r\.example\.com/me/m:cog-\d{8}t\d{6}z", found)
    parts = {"COG_MODEL_REGISTRY": "localhost:5000", "COG_MODEL_REPO": "you/n", "COG_MODEL_TAG": "v4"}
    assert push_target(None, None, parts) == "localhost:5000/you/n:v4"
    assert push_target(None, None, {**parts, "COG_MODEL": "r.example.com/me/m:v3"}) == "localhost:5000/you/n:v4"
    hosted = {"COG_MODEL_REPO": "me/m", "COG_MODEL_TAG": "t", "COG_REGISTRY_HOST": "h.example.com"}
    assert push_target(None, None, hosted) == "h.example.com/me/m:t"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"COG_MODEL_TAG": "v1"}, "and no model"),
        ({"COG_MODEL_REGISTRY": "a/b", "COG_MODEL_REPO": "m"}, "bare host"),
        ({"COG_MODEL_REPO": "m:v1"}, "bare path"),
        ({"COG_MODEL": "model"}, "full name"),
        ({"COG_MODEL_REPO": "m", "COG_MODEL_TAG": "cog-1"}, "made by pushes"),
    ],
)
def test_variables_that_make_no_name_are_refused_by_theirs(given, words):
    with pytest.raises(CogError, match=words):
        push_target(None, "me/a", given)


def test_an_argument_beside_a_model_is_one_name_too_many():
    with pytest.raises(CogError, match="positional image argument not supported"):
        push_target("me/b", None, {"COG_MODEL": "r.example.com/me/m"})


def test_a_model_that_replicate_does_not_know_has_to_be_made_there(locked, registry, monkeypatch):
    monkeypatch.setattr("cog_oci.cli.push.REPLICATE", registry.host)
    registry.faults = [Fault("POST", "unknown")] * 40

    done = command("push", f"{registry.host}/me/model", cwd=locked, check=False)
    registry.faults = []
    again = command("push", f"{registry.host}/me/model", cwd=locked)

    assert done.returncode == 1
    assert "Unable to find existing Replicate model for me/model" in done.stderr
    assert "https://replicate.com/me/model" in again.stderr
