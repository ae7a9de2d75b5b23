"""What reaches an image from outside its project: the commit, a given schema, certificates, weights apart."""

from __future__ import annotations

import json
import tarfile

import pytest

from tests.cli.in_process import command
from tests.cli.test_commands import lock_by_hand

from .test_commands import cache, project  # noqa: F401 - fixtures


@pytest.fixture
def locked(project, cache):  # noqa: F811 - the fixture
    lock_by_hand(project)
    return project


def config(folder) -> dict:
    with tarfile.open(folder / "image.tar") as archive:
        entry = json.load(archive.extractfile("manifest.json"))[0]
        return json.load(archive.extractfile(entry["Config"]))


def test_the_commit_is_in_the_labels_and_verify_takes_it_from_there(locked):
    command("image", cwd=locked, GITHUB_SHA="c0ffee", GITHUB_REF_NAME="v1.2")

    labels = config(locked)["config"]["Labels"]
    assert labels["org.opencontainers.image.revision"] == "c0ffee"
    assert labels["org.opencontainers.image.version"] == "v1.2"
    done = command("verify", "image.tar", cwd=locked, check=False, GITHUB_SHA="another")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("how", ["option", "variable"])
def test_a_given_schema_is_the_images_byte_for_byte(locked, tmp_path, how):
    document = {
        "openapi": "3.0.2",
        "info": {"title": "m", "version": "1"},
        "paths": {},
        "components": {"schemas": {"Input": {"type": "object"}}},
    }
    (tmp_path / "given.json").write_text(json.dumps(document, indent=3))
    given = {"option": ("--openapi-schema", "../given.json"), "variable": ()}[how]
    env = {"COG_OPENAPI_SCHEMA": "../given.json"} if how == "variable" else {}
    (locked / "run.py").write_text("this is no Python\n")

    command("image", *given, cwd=locked, **env)

    assert config(locked)["config"]["Labels"]["run.cog.openapi_schema"] == json.dumps(document, indent=3)


def test_certificates_without_a_base_that_knows_any_are_refused(locked):
    done = command("image", cwd=locked, check=False, COG_CA_CERT="nowhere")

    assert done.returncode == 1
    assert "COG_CA_CERT: 'nowhere' is no file" in done.stderr


def test_weights_apart_do_not_move_when_the_code_does(locked):
    with (locked / "model.bin").open("wb") as file:
        file.truncate(11 << 20)

    def layers() -> list[str]:
        command("image", "--separate-weights", cwd=locked)
        return config(locked)["rootfs"]["diff_ids"]

    before = layers()
    with (locked / "run.py").open("a") as file:
        file.write("# changed\n")
    after = layers()

    assert [one == other for one, other in zip(before, after, strict=True)] == [True, True, True, False]
    rows = json.loads(command("plan", "--separate-weights", "--json", cwd=locked).stdout)["linux/amd64"]
    assert rows[2]["layer"] == "weights model.bin"


def test_compression_of_cog_yaml_is_the_default(locked):
    lines = (locked / "cog.yaml").read_text()
    (locked / "cog.yaml").write_text(lines + "image: {name: me/model, compression: zstd}\n")

    command("image", cwd=locked)

    with tarfile.open(locked / "image.tar") as archive:
        entry = json.load(archive.extractfile("manifest.json"))[0]
        heads = {archive.extractfile(layer).read(4) for layer in entry["Layers"]}
    assert heads == {b"\x28\xb5\x2f\xfd"}
    assert entry["RepoTags"] == ["me/model:latest"]
