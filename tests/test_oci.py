"""Values of the image specification."""

from __future__ import annotations

import json

import pytest

from cog_oci.errors import CogError
from cog_oci.oci import Descriptor, DiffID, Image, ImageConfig, LayerBlob, Platform, Reference, parse_digest, sha256


def image(name: str = "a", media_type: str = "gzip") -> Image:
    layer = LayerBlob(name, DiffID(sha256(b"tar")), Descriptor(media_type, sha256(media_type.encode()), 3), 10)
    return Image(Platform("linux", "amd64"), ImageConfig(env={"B": "1", "A": "2"}), (layer,))


def test_the_content_id_is_the_same_for_every_rendering():
    assert image(media_type="gzip").content_id == image(media_type="zstd").content_id
    assert image(media_type="gzip").digest != image(media_type="zstd").digest


def test_documents_refer_to_one_another_by_digest():
    made = image()
    manifest = json.loads(made.manifest_document)

    assert manifest["config"]["digest"] == sha256(made.config_document)
    assert made.digest == sha256(made.manifest_document)
    assert json.loads(made.config_document)["config"]["Env"] == ["B=1", "A=2"]


def test_history_and_layers_are_as_many():
    document = json.loads(image().config_document)

    assert len(document["history"]) == len(document["rootfs"]["diff_ids"]) == 1


@pytest.mark.parametrize(
    ("text", "full", "familiar"),
    [
        ("model", "docker.io/library/model:latest", "model:latest"),
        ("me/model:v1", "docker.io/me/model:v1", "me/model:v1"),
        ("localhost:5000/a/b", "localhost:5000/a/b:latest", "localhost:5000/a/b:latest"),
        ("ghcr.io/me/m:1.2", "ghcr.io/me/m:1.2", "ghcr.io/me/m:1.2"),
    ],
)
def test_names_are_read_as_docker_reads_them(text, full, familiar):
    reference = Reference.parse(text)

    assert (reference.full, reference.familiar) == (full, familiar)


@pytest.mark.parametrize("text", ["Model", "a b", "model:", "a//b", "", "model@sha256:1"])
def test_what_is_no_name_is_refused(text):
    with pytest.raises(CogError, match="is not the name of an image"):
        Reference.parse(text)


def test_platforms_and_digests_are_checked_where_they_come_in():
    with pytest.raises(CogError, match="windows/amd64"):
        Platform.parse("windows/amd64")
    with pytest.raises(CogError, match="is not a sha256 digest"):
        parse_digest("md5:x")
