"""Values of the image specification."""

from __future__ import annotations

import json

import pytest

from cog_oci.errors import CogError
from cog_oci.oci import (
    Descriptor,
    DiffID,
    Image,
    ImageConfig,
    LayerBlob,
    MediaType,
    Platform,
    StoredImage,
    canonical_json,
    parse_digest,
    sha256,
)
from cog_oci.reference import Reference


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


def stored(image: Image, **changes: object) -> StoredImage:
    """The image parsed back from its documents; `changes` replace parts of the configuration."""
    config = canonical_json({**json.loads(image.config_document), **changes})
    return StoredImage.parse(image.descriptor, image.manifest_document, config)


def an_image(*names: str) -> Image:
    layers = [
        LayerBlob(name, DiffID(sha256(name.encode())), Descriptor(MediaType.LAYER, sha256(name.encode()), 4), 4)
        for name in names
    ]
    return Image(Platform("linux", "amd64"), ImageConfig(labels={"a": "b"}), tuple(layers))


def test_an_image_is_read_back_as_it_was_written():
    image = an_image("base", "code")

    found = StoredImage.parse(image.descriptor, image.manifest_document, image.config_document)

    assert found == image.stored()
    assert (found.content_id, found.labels) == (image.content_id, {"a": "b"})
    assert found.config_json["rootfs"]["diff_ids"] == [layer.diff_id for layer in image.layers]


@pytest.mark.parametrize(
    ("history", "names"),
    [
        (
            [{"created_by": "RUN x", "empty_layer": False}, {"created_by": "ENV", "empty_layer": True}, {}],
            ["RUN x", "layer 2"],
        ),
        ([{"created_by": "only one"}], ["layer 1", "layer 2"]),
        (None, ["layer 1", "layer 2"]),
    ],
)
def test_the_layers_of_other_peoples_images_have_names_as_far_as_their_history_goes(history, names):
    assert [layer.name for layer in stored(an_image("a", "b"), history=history).layers] == names


def test_what_go_writes_for_nothing_is_nothing():
    image = an_image()

    found = stored(image, history=None, config=None, rootfs={"type": "layers", "diff_ids": None})

    assert (found.layers, found.labels) == ((), {})


def test_the_variant_of_a_processor_is_part_of_its_platform():
    assert str(stored(an_image("a"), architecture="arm", variant="v7").platform) == "linux/arm/v7"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"rootfs": {"diff_ids": []}}, "has 1 layers, but its configuration has 0"),
        ({"rootfs": {"diff_ids": ["md5:1"]}}, r"configuration of image sha256:\w+ is not .*: rootfs.diff_ids.0: "),
        ({"config": {"Labels": {"a": 1}}}, r"config.Labels.a: "),
        ({"os": 1}, r": os: "),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused_with_its_field(changes, says):
    with pytest.raises(CogError, match=says):
        stored(an_image("a"), **changes)


def test_a_manifest_that_is_none_is_refused():
    image = an_image("a")

    for data in (b"", b"{}", b"[]", b"\xff", b'{"schemaVersion": 1}', b"[" * 100_000):
        with pytest.raises(CogError, match="the manifest of image sha256:"):
            StoredImage.parse(image.descriptor, data, image.config_document)


def test_docker_hubs_own_names_have_one_short_form():
    assert Reference.parse("docker.io/library/debian:12") == Reference.parse("debian:12")
