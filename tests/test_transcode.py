"""Envelopes flip; the image stays."""

from __future__ import annotations

import itertools
import json
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cog_oci.blobs import open_plain
from cog_oci.errors import CogError
from cog_oci.layers import COMPRESSIONS, realise, recipe
from cog_oci.layers._tar import Entry
from cog_oci.oci import Attachment, Image, ImageConfig, MediaType, Platform, sha256
from cog_oci.store import DigestMismatchError, Store
from cog_oci.transcode import transcode
from cog_oci.transports import archive
from cog_oci.transports.archive import Archive
from cog_oci.transports.sources import open_source
from tests.transports.stored import NAME, image, layer, pack, tar, write_index, write_layout

TYPES = {"gzip": MediaType.LAYER_GZIP, "zstd": MediaType.LAYER_ZSTD, "none": MediaType.LAYER}


@dataclass
class Listed:
    """A layer of these files."""

    name: str
    files: dict[str, bytes]
    artifacts: tuple[()] = ()

    @property
    def recipe(self) -> str:
        return recipe("listed", 1, files={name: sha256(data) for name, data in self.files.items()})

    @contextmanager
    def open(self, store: Store):
        yield [Entry.file(name, data) for name, data in self.files.items()]


def built(store: Store, compression: str, architecture: str = "amd64", **labels: str) -> Image:
    """An image whose layers are made as those of every image of ours."""
    kinds = [Listed("base", {"etc/os": b"x" * 50_000, "etc/arch": architecture.encode()}), Listed("code", {"a": b"1"})]
    layers = tuple(realise(kind, store, compression=compression) for kind in kinds)
    return Image(Platform("linux", architecture), ImageConfig(command=("true",), labels=labels), layers)


def flip(place, out, compression: str, store: Store, reference=NAME) -> Archive:
    """One turn: read, transcode, write; what was written."""
    with open_source(str(place)) as source:
        made = transcode(source, compression, store)
    whole = Archive(made.images, reference, made.attached)
    archive.write_file(out, whole, store)
    return whole


def plain_ids(place) -> list[list[str]]:
    """The diff IDs of what the blobs really hold, by image."""
    with open_source(str(place)) as source:
        found = []
        for stored in source.images():
            found.append([])
            for part in stored.layers:
                with source.blob(part.descriptor) as blob:
                    found[-1].append(sha256(open_plain(blob, part.descriptor.media_type).read()))
    return found


@pytest.mark.parametrize("turns", list(itertools.permutations(COMPRESSIONS)), ids="-".join)
def test_after_every_turn_the_image_is_what_it_was(tmp_path, turns):
    store = Store(tmp_path / "first")
    made = [built(store, turns[0], name, a="b") for name in ("amd64", "arm64")]
    place = tmp_path / "0.tar"
    archive.write_file(place, Archive([one.stored() for one in made], NAME), store)

    for number, compression in enumerate((*turns[1:], turns[0]), 1):
        before, place = place, tmp_path / f"{number}.tar"
        whole = flip(before, place, compression, Store(tmp_path / f"store{number}"))

        with open_source(str(place)) as source:
            images = source.images()
            assert source.reference == NAME
        assert images == list(whole.images)
        assert [one.config for one in images] == [one.config_document for one in made]
        assert [one.content_id for one in images] == [one.content_id for one in made]
        assert [str(one.platform) for one in images] == ["linux/amd64", "linux/arm64"]
        assert plain_ids(place) == [[part.diff_id for part in one.layers] for one in made]
        assert {part.descriptor.media_type for one in images for part in one.layers} == {TYPES[compression]}
        assert [[part.name for part in one.layers] for one in images] == [["base", "code"]] * 2


@pytest.mark.parametrize("compression", ["zstd", "none"])
def test_a_flipped_image_is_the_one_that_would_have_been_built(tmp_path, compression):
    store = Store(tmp_path / "store")
    place = tmp_path / "gzip.tar"
    archive.write_file(place, Archive([built(store, "gzip").stored()], NAME), store)

    whole = flip(place, tmp_path / "out.tar", compression, Store(tmp_path / "other"))

    assert whole.descriptor.digest == built(store, compression).digest


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15, deadline=None)
@given(
    st.lists(st.binary(max_size=5000).map(lambda data: b"tar" + data), max_size=4),
    st.sampled_from(sorted(TYPES)),
    st.sampled_from(COMPRESSIONS),
)
def test_any_tar_comes_through_any_two_envelopes(tmp_path_factory, tars, before, after):
    folder = tmp_path_factory.mktemp("law")
    store = Store(folder / "store")
    layers = tuple(layer(store, f"l{number}", data, TYPES[before]) for number, data in enumerate(tars))
    made = Image(Platform("linux", "amd64"), ImageConfig(), layers)

    flip(write_layout(folder / "layout", store, made), folder / "out.tar", after, Store(folder / "other"))

    assert plain_ids(folder / "out.tar") == [[part.diff_id for part in layers]]


def test_the_lock_that_an_image_carries_is_attached_to_the_new_one(store, tmp_path):
    lock = b'{"lock": 1}'
    made = built(store, "gzip", **{"run.cog.lock": sha256(lock)})
    attached = Attachment(made.descriptor, MediaType.LOCK, lock)
    place = tmp_path / "in.tar"
    archive.write_file(place, Archive([made.stored()], NAME, attached.blobs), store)

    whole = flip(place, tmp_path / "out.tar", "zstd", store)

    expected = Attachment(whole.images[0].descriptor, MediaType.LOCK, lock)
    with open_source(str(tmp_path / "out.tar")) as source:
        assert source.images()[0].labels["run.cog.lock"] == sha256(lock)
        assert source.find(sha256(lock)) == lock
        document = json.loads(source.find(sha256(expected.manifest_document)))
    assert document["subject"]["digest"] == whole.images[0].descriptor.digest


def test_an_image_whose_lock_is_kept_elsewhere_goes_without_it(store, tmp_path):
    made = built(store, "gzip", **{"run.cog.lock": sha256(b"elsewhere")})

    assert flip(write_layout(tmp_path / "in", store, made), tmp_path / "out.tar", "zstd", store).attached == ()


def test_a_layer_that_was_left_uncompressed_among_others_is_left_so(store, tmp_path):
    made = built(store, "gzip")
    weights = layer(store, "weights", tar(weights=b"random"), MediaType.LAYER)
    made = replace(made, layers=(*made.layers, weights))
    place = write_layout(tmp_path / "in", store, made)

    for compression in ("zstd", "gzip"):
        place, before = tmp_path / f"{compression}.tar", place
        types = [part.descriptor.media_type for part in flip(before, place, compression, store).images[0].layers]
        assert types == [TYPES[compression]] * 2 + [MediaType.LAYER]


def test_a_known_layer_is_not_rendered_again(store, tmp_path):
    place = write_layout(tmp_path / "in", store, built(store, "gzip"))
    first = flip(place, tmp_path / "1.tar", "zstd", store)
    for path in (place / "blobs" / "sha256").iterdir():
        if path.read_bytes().startswith(b"\x1f\x8b"):
            path.unlink()

    assert flip(place, tmp_path / "2.tar", "zstd", store).descriptor == first.descriptor


def test_annotations_of_a_manifest_go_with_it(store, tmp_path):
    made = built(store, "gzip")
    manifest = {**json.loads(made.manifest_document), "annotations": {"org.opencontainers.image.title": "x"}}
    data = json.dumps(manifest).encode()
    place = write_layout(tmp_path / "in", store, made)
    (place / "blobs" / "sha256" / sha256(data)[7:]).write_bytes(data)
    write_index(place, [{"mediaType": MediaType.MANIFEST, "digest": sha256(data), "size": len(data)}])

    whole = flip(place, tmp_path / "out.tar", "none", store)

    assert json.loads(whole.images[0].manifest)["annotations"] == manifest["annotations"]


def test_a_layer_whose_tar_is_not_the_one_of_the_configuration_is_refused(store, tmp_path):
    made = built(store, "gzip")
    wrong = replace(made.layers[0], diff_id=made.layers[1].diff_id)
    place = write_layout(tmp_path / "in", store, replace(made, layers=(wrong, made.layers[1])))

    with pytest.raises(CogError, match="the layer 'base' is not what the image says: expected diff ID"):
        flip(place, tmp_path / "out.tar", "zstd", store)
    assert not (tmp_path / "out.tar").exists()


@pytest.mark.parametrize("at", [0.3, 0.9])
def test_a_damaged_blob_is_said_to_be_another_than_the_image_says(store, tmp_path, at):
    made = image(store)
    place = write_layout(tmp_path / "in", store, made)
    path = place / "blobs" / "sha256" / made.layers[0].descriptor.digest[7:]
    data = bytearray(path.read_bytes())
    data[int(len(data) * at)] ^= 1
    path.write_bytes(data)

    with pytest.raises(DigestMismatchError, match=made.layers[0].descriptor.digest):
        flip(pack(place, tmp_path / "in.tar"), tmp_path / "out.tar", "zstd", store)


def test_a_blob_that_was_never_whole_is_said_with_its_layer(store, tmp_path):
    made = image(store)
    blob = store.path(made.layers[0].descriptor.digest).read_bytes()[:-9]
    descriptor = replace(made.layers[0].descriptor, digest=store.add(blob), size=len(blob))
    made = replace(made, layers=(replace(made.layers[0], descriptor=descriptor), made.layers[1]))

    with pytest.raises(CogError, match=r"layer 'base': .* its gzip stream breaks off"):
        flip(write_layout(tmp_path / "in", store, made), tmp_path / "out.tar", "zstd", store)


def test_two_images_for_one_platform_are_not_one_image(store, tmp_path):
    place = write_layout(tmp_path / "in", store, built(store, "gzip"), built(store, "gzip", a="b"))

    with pytest.raises(CogError, match="holds several images for linux/amd64"):
        flip(place, tmp_path / "out.tar", "zstd", store)
