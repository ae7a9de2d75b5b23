"""Images at rest, in archives and folders: read where they are, and believed in nothing."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from cog_oci.blobs import open_plain
from cog_oci.errors import CogError
from cog_oci.oci import Attachment, Descriptor, Image, ImageConfig, MediaType, Platform, canonical_json, sha256
from cog_oci.store import DigestMismatchError
from cog_oci.transports import archive
from cog_oci.transports.archive import Archive
from cog_oci.transports.layout import write_folder
from cog_oci.transports.sources import open_source
from tests.conftest import need
from tests.transports.stored import NAME, image, layer, pack, tar, write_index, write_layout


def diff_ids(source, stored) -> list[str]:
    """What the blobs of the image really hold."""
    found = []
    for part in stored.layers:
        with source.blob(part.descriptor) as blob:
            found.append(sha256(open_plain(blob, part.descriptor.media_type).read()))
    return found


def check(place: Path, *images: Image) -> None:
    """The place holds these images, documents and blobs, to the byte."""
    with open_source(str(place)) as source:
        assert source.images() == [made.stored() for made in images]
        for stored in source.images():
            assert diff_ids(source, stored) == [part.diff_id for part in stored.layers]
            assert source.find(stored.content_id) == stored.config
        assert source.find(sha256(b"nobody has this")) is None


@pytest.fixture
def images(store):
    return [image(store, "amd64"), image(store, "arm64", MediaType.LAYER_ZSTD)]


@pytest.fixture
def layout(store, images, tmp_path) -> Path:
    return write_layout(tmp_path / "layout", store, *images)


def test_a_layout_is_read_in_a_folder_and_in_a_tar(layout, images, tmp_path):
    check(layout, *images)
    check(pack(layout, tmp_path / "layout.tar"), *images)


def test_a_folder_of_nobody_is_not_there():
    with pytest.raises(CogError, match="there is no file or folder ~nobody-of-this-name/x"):
        open_source("~nobody-of-this-name/x").__enter__()


@pytest.mark.parametrize("count", [1, 2])
def test_our_own_archive_is_read_back_with_the_name_and_what_is_attached(store, images, tmp_path, count):
    path = tmp_path / "image.tar"
    archive.write_file(path, Archive([made.stored() for made in images[:count]], NAME, (b"{lock}",)), store)

    check(path, *images[:count])
    with open_source(str(path)) as source:
        assert source.reference == NAME
        assert source.find(sha256(b"{lock}")) == b"{lock}"


def test_documents_about_an_image_are_found_in_an_archive_and_in_a_folder(store, images, tmp_path):
    one, other = images
    about = [
        Attachment(one.descriptor, "application/x", b'{"a":1}'),
        Attachment(one.descriptor, "application/y", b'{"b":2}'),
        Attachment(other.descriptor, "application/x", b'{"c":3}'),
    ]
    whole = Archive([one.stored()], NAME, [blob for each in about for blob in each.blobs] + [b'{"subject": "no"}'])
    archive.write_file(tmp_path / "image.tar", whole, store)
    write_folder(tmp_path / "folder", whole, store)
    (tmp_path / "folder/blobs/sha256/.unfinished").write_bytes(b'"subject"')

    for place in ("image.tar", "folder"):
        with open_source(str(tmp_path / place)) as source:
            assert source.attached(one.stored(), "application/x") == [b'{"a":1}']
            assert source.attached(other.stored(), "application/x") == [b'{"c":3}']
            assert source.attached(one.stored(), "application/z") == []


@pytest.mark.engine
@pytest.mark.parametrize("media_type", [MediaType.LAYER_GZIP, MediaType.LAYER])
def test_an_archive_that_skopeo_writes_for_docker_is_read_without_a_layout(store, tmp_path, media_type):
    need("skopeo")
    made = image(store, media_type=media_type)
    path = tmp_path / "docker.tar"
    subprocess.run(
        [
            *("skopeo", "copy", "--quiet", f"oci:{write_layout(tmp_path / 'one', store, made)}"),
            f"docker-archive:{path}:me/model:v1",
        ],
        check=True,
    )

    with open_source(str(path)) as source:
        (found,) = source.images()
        assert (found.content_id, found.labels, source.reference) == (made.content_id, {}, NAME)
        assert diff_ids(source, found) == [part.diff_id for part in made.layers]
        assert source.find(found.content_id) == made.config_document
        assert source.find(found.descriptor.digest) == found.manifest


def docker_archive(path: Path, made: Image, store, *, link: str = "../one/layer.tar") -> Path:
    """As `docker save` of Docker 20.10 writes it: an equal layer is a symbolic link to the first one."""
    config = made.config_document
    names = [f"{word}/layer.tar" for word in ("one", "two", "three")[: len(made.layers)]]
    with tarfile.open(path, "w") as out:
        for name, part in zip(names, made.layers, strict=True):
            member = tarfile.TarInfo(name)
            if part.diff_id == made.layers[0].diff_id and name != names[0]:
                member.type, member.linkname = tarfile.SYMTYPE, link
                out.addfile(member)
                continue
            data = store.path(part.descriptor.digest).read_bytes()
            member.size = len(data)
            out.addfile(member, io.BytesIO(data))
        entry = {"Config": f"{sha256(config)[7:]}.json", "RepoTags": None, "Layers": names}
        for name, data in (("manifest.json", json.dumps([entry]).encode()), (entry["Config"], config)):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            out.addfile(member, io.BytesIO(data))
    return path


@pytest.fixture
def repeating(store) -> Image:
    """Three layers of which the last is the first again."""
    layers = [layer(store, name, tar(a=name[:3].encode()), MediaType.LAYER) for name in ("one", "two", "one again")]
    return Image(Platform("linux", "amd64"), ImageConfig(), tuple(layers))


def test_an_archive_of_docker_20_is_read_with_its_links(store, repeating, tmp_path):
    path = docker_archive(tmp_path / "saved.tar", repeating, store)

    with open_source(str(path)) as source:
        (found,) = source.images()
        assert (found.content_id, source.reference) == (repeating.content_id, None)
        assert [part.descriptor.digest for part in found.layers] == [part.diff_id for part in repeating.layers]
        assert diff_ids(source, found) == [part.diff_id for part in repeating.layers]


@pytest.mark.parametrize("link", ["../../etc/passwd", "/etc/passwd", "layer.tar", "../gone/layer.tar"])
def test_a_link_out_of_the_archive_is_refused(store, repeating, tmp_path, link):
    path = docker_archive(tmp_path / "saved.tar", repeating, store, link=link)

    with open_source(str(path)) as source, pytest.raises(CogError, match=r"three/layer\.tar is not a regular file"):
        source.images()


def test_a_damaged_layer_of_a_docker_archive_is_found_when_it_is_read(store, repeating, tmp_path):
    path = docker_archive(tmp_path / "saved.tar", repeating, store)
    data = bytearray(path.read_bytes())
    data[600] ^= 1  # in the first layer's first header
    path.write_bytes(data)

    with open_source(str(path)) as source:
        (found,) = source.images()
        with pytest.raises(DigestMismatchError, match="is not what the image says"):
            diff_ids(source, found)


def test_attestations_signatures_and_charts_are_passed_over(store, images, layout):
    amd64, arm64 = images
    unknown = {"platform": {"os": "unknown", "architecture": "unknown"}}
    chart = canonical_json(
        {
            "schemaVersion": 2,
            "config": Descriptor("application/vnd.cncf.helm.config.v1+json", sha256(b"{}"), 2).to_json(),
            "layers": [],
        }
    )
    (layout / "blobs" / "sha256" / sha256(chart)[7:]).write_bytes(chart)
    signed = {**amd64.descriptor.to_json(), "artifactType": "application/vnd.example.signature"}
    write_index(
        layout,
        [
            {**arm64.descriptor.to_json(), **unknown},
            Descriptor(MediaType.MANIFEST, sha256(chart), len(chart)).to_json(),
            Descriptor("application/vnd.example.odd", sha256(b""), 0).to_json(),
            signed,
            amd64.descriptor.to_json(),
            amd64.descriptor.to_json(),
        ],
    )

    check(layout, amd64)


def blob_of(layout: Path, digest: str) -> Path:
    return layout / "blobs" / "sha256" / digest[7:]


def swap_for_link(path: Path) -> None:
    path.rename(path.with_suffix(".real"))
    path.symlink_to(path.with_suffix(".real"))


DAMAGE = {
    "a manifest is gone": (lambda p, i: blob_of(p, i.digest).unlink(), "has no blobs/sha256/"),
    "a manifest is a link": (lambda p, i: swap_for_link(blob_of(p, i.digest)), "is not a regular file"),
    "a manifest is a folder": (
        lambda p, i: (blob_of(p, i.digest).unlink(), blob_of(p, i.digest).mkdir()),
        "is not a regular file",
    ),
    "a manifest is another": (
        lambda p, i: blob_of(p, i.digest).write_bytes(i.manifest_document.replace(b"tar+gzip", b"tar+zstd")),
        "manifest sha256:.* is not what the image says: expected sha256:",
    ),
    "a manifest is too short": (
        lambda p, i: blob_of(p, i.digest).write_bytes(i.manifest_document[:-1]),
        r"expected \d+ bytes, got \d+",
    ),
    "a configuration is too long": (
        lambda p, i: blob_of(p, i.content_id).write_bytes(i.config_document + b" "),
        "configuration sha256:.* expected .* bytes, got more",
    ),
    "the index is no JSON": (lambda p, i: (p / "index.json").write_text("{"), "index.json is not one that can be read"),
    "the index is gone": (lambda p, i: (p / "index.json").unlink(), "has no index.json"),
    "the index lists nothing": (lambda p, i: write_index(p, []), "holds no image"),
    "the index is huge": (lambda p, i: (p / "index.json").write_bytes(b" " * (5 << 20)), "no document of its kind"),
    "the layout is of the future": (
        lambda p, i: (p / "oci-layout").write_text('{"imageLayoutVersion": "9"}'),
        "imageLayoutVersion: Input should be '1.0.0'",
    ),
    "a digest leaves the folder": (
        lambda p, i: write_index(p, [{**i.descriptor.to_json(), "digest": "sha256:../../../x"}]),
        "manifests.0.digest: String should match pattern",
    ),
    "a document is said to be huge": (
        lambda p, i: write_index(p, [{**i.descriptor.to_json(), "size": 1 << 40}]),
        "no document of its kind is over",
    ),
}


@pytest.mark.parametrize("kind", ["folder", "tar"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_what_is_wrong_with_a_layout_is_named(layout, images, tmp_path, damage, kind):
    break_it, says = DAMAGE[damage]
    break_it(layout, images[0])
    place = layout if kind == "folder" else pack(layout, tmp_path / "layout.tar")

    with pytest.raises(CogError, match=says) as caught, open_source(str(place)) as source:
        source.images()
    assert str(place) in str(caught.value)


@pytest.mark.parametrize("change", ["another byte", "shorter", "longer", "gone"])
def test_a_layer_that_is_not_what_its_manifest_says_is_named(layout, images, change):
    descriptor = images[0].layers[0].descriptor
    path = blob_of(layout, descriptor.digest)
    data = path.read_bytes()
    path.write_bytes({"another byte": data[:-1] + b"!", "shorter": data[:-1], "longer": data + b"!"}.get(change, data))
    if change == "gone":
        path.unlink()

    with open_source(str(layout)) as source:
        assert len(source.images()) == 2  # a manifest and a configuration say nothing of it
        with pytest.raises(CogError, match=descriptor.digest[7:]), source.blob(descriptor) as blob:
            blob.read()


def test_all_bytes_are_given_before_the_one_that_is_wrong_is_complained_of(layout, images):
    descriptor = images[0].layers[0].descriptor
    path = blob_of(layout, descriptor.digest)
    wrong = b"!" + path.read_bytes()[1:]
    path.write_bytes(wrong)

    with open_source(str(layout)) as source, source.blob(descriptor) as blob:
        assert blob.read(1 << 20) == wrong
        with pytest.raises(DigestMismatchError):
            blob.read(1 << 20)


def nested(layout: Path, entry: dict, depth: int) -> None:
    """index.json names an index that names an index …, `depth` of them."""
    for level in range(depth):
        data = canonical_json({"schemaVersion": 2, "manifests": [entry, entry][: 1 + level % 2]})
        blob_of(layout, sha256(data)).write_bytes(data)
        entry = Descriptor(MediaType.INDEX, sha256(data), len(data)).to_json()
    write_index(layout, [entry])


def test_an_index_of_an_index_is_read(layout, images):
    nested(layout, images[0].descriptor.to_json(), 3)

    check(layout, images[0])


def test_indexes_without_end_are_refused(layout, images):
    nested(layout, images[0].descriptor.to_json(), 6)
    with open_source(str(layout)) as source, pytest.raises(CogError, match="indexes without end"):
        source.images()

    write_index(layout, [images[0].descriptor.to_json()] * 1001)
    with open_source(str(layout)) as source, pytest.raises(CogError, match="indexes without end"):
        source.images()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is not a tar archive that can be read"),
        (b"\x1f\x8b" + bytes(1000), "is not a tar archive that can be read"),
        (tar(file=b"x"), "neither oci-layout nor manifest.json"),
        (tar(**{"oci-layout": b"x"}) + tar(), "has no index.json|is not one that can be read"),
        (tar(**{"manifest.json": b"[]"}), "holds no image"),
        (tar(**{"manifest.json": b'[{"Config": "../x", "Layers": []}]'}), r"has no \.\./x"),
        (tar(**{"manifest.json": b"x" * 600})[:700], "breaks off within manifest.json"),
    ],
)
def test_a_file_that_is_no_image_is_refused(tmp_path, data, says):
    path = tmp_path / "x.tar"
    path.write_bytes(data)

    with pytest.raises(CogError, match=says), open_source(str(path)) as source:
        source.images()


def test_a_member_that_is_there_twice_is_refused(layout, tmp_path):
    """Readers differ in which of the two they take."""
    path = pack(layout, tmp_path / "x.tar")
    with tarfile.open(path, "a") as archive:
        archive.add(layout / "index.json", "./index.json")

    with pytest.raises(CogError, match=r"index\.json is in it twice"), open_source(str(path)):
        pass


@pytest.mark.parametrize("text", ["nowhere.tar", "./nowhere", "/nowhere/image", "~/nowhere"])
def test_a_path_that_is_not_there_is_not_taken_for_a_registry(text):
    with pytest.raises(CogError, match="there is no file or folder"), open_source(text):
        pass


def test_a_pipe_is_refused_as_it_cannot_be_read_in_place(tmp_path):
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(CogError, match="neither a file nor a folder"), open_source(str(tmp_path / "pipe")):
        pass


@pytest.mark.parametrize("text", ["Upper/Case", "host/", "ftp://host/x", "host/x@md5:1", "host/x@", "a b"])
def test_what_names_nothing_is_refused(text):
    with pytest.raises(CogError, match=r"is not the name of an image|is not a sha256 digest"), open_source(text):
        pass


@pytest.mark.engine
def test_layouts_and_archives_of_skopeo_are_read(store, images, tmp_path):
    need("skopeo", "umoci")
    made = images[0]
    one = write_layout(tmp_path / "one", store, made)
    subprocess.run(["skopeo", "copy", "--quiet", f"oci:{one}", f"oci-archive:{tmp_path}/x.tar:v2"], check=True)
    check(tmp_path / "x.tar", made)

    shutil.rmtree(one / "blobs")
    subprocess.run(["skopeo", "copy", "--quiet", f"oci-archive:{tmp_path}/x.tar:v2", f"oci:{one}:v3"], check=True)
    listed = subprocess.run(["umoci", "list", "--layout", str(one)], capture_output=True, text=True, check=True)
    assert "v3" in listed.stdout
    check(one, made)
