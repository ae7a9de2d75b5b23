"""What a base image is found to have, and what makes one none; its layers are kept as they are."""

from __future__ import annotations

import re
import tarfile

import pytest

from cog_oci.base_image.read import UnfitBaseError, read_base
from cog_oci.errors import CogError
from cog_oci.fetch import OfflineError
from cog_oci.lock import BaseImage
from cog_oci.oci import MediaType, Platform, sha256
from cog_oci.transports._verified import AlteredBlobError
from tests.base_images import document, elf, link, python, system, tagged, usual
from tests.image_maker import member, tar

AMD, ARM = Platform("linux", "amd64"), Platform("linux", "arm64")


@pytest.fixture
def repo(registry):
    return registry.repo("base/python")


def read(store, registry, reference: str = ":slim", platform: Platform = AMD, wanted: str = ""):
    return read_base(f"{registry.host}/base/python{reference}", platform, wanted, store)


def of(store, registry, repo, *members: tuple, wanted: str = "", **config: object):
    """What is found in an image of one layer with these members."""
    tagged(repo, "slim", document(repo, [tar(*members)], **config))
    return read(store, registry, wanted=wanted)


def test_a_tag_is_pinned_and_its_layers_are_those_of_the_registry(store, registry, repo):
    layers = usual()
    digest = tagged(repo, "slim", document(repo, layers, User="app", Labels={"a": "b", "run.cog.x": "y"}))

    image, interpreter = read(store, registry)

    assert image.reference == f"{registry.host}/base/python"
    assert image.manifest == digest
    assert [layer.diff_id for layer in image.layers] == [sha256(plain) for plain in layers]
    assert [layer.tar for layer in image.layers] == [len(plain) for plain in layers]
    assert all(store.has(layer.digest, layer.size) for layer in image.layers)
    assert image.layers[0].file == f"{registry.host}/base/python@{image.layers[0].digest}"
    assert (image.user, image.glibc, image.labels) == ("app", "2.36", {"a": "b"})
    assert interpreter.executable == "/usr/local/bin/python3.12"
    assert (interpreter.source, interpreter.suite, interpreter.version) == ("base image", "bookworm", "3.12")


def test_of_its_variables_those_stay_that_do_not_lead_our_python_astray(store, registry, repo):
    image, _ = of(store, registry, repo, *system(), *python())

    assert image.env == ("PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", "PYTHON_VERSION=3.12.7")


def test_a_digest_is_as_good_as_a_tag_and_names_a_platform_or_all(store, registry, repo):
    images = [document(repo, usual(one), architecture=one) for one in ("amd64", "arm64")]
    index = tagged(repo, "slim", *images)

    assert read(store, registry, f"@{index}", ARM)[0].manifest == images[1]["digest"]
    assert read(store, registry, f":slim@{images[0]['digest']}")[0].manifest == images[0]["digest"]
    assert read(store, registry, f":slim@{images[0]['digest']}")[0].reference == f"{registry.host}/base/python"
    with pytest.raises(UnfitBaseError, match="it is for linux/amd64, and not for linux/arm64"):
        read(store, registry, f"@{images[0]['digest']}", ARM)


def test_only_what_is_for_the_platform_is_asked_for(store, registry, repo):
    images = [document(repo, usual(one), architecture=one) for one in ("amd64", "arm64")]
    tagged(repo, "slim", *images, index_type=MediaType.DOCKER_INDEX)

    read(store, registry)

    assert not [path for _, path in registry.seen if images[1]["digest"] in path]


@pytest.mark.parametrize(
    ("media_type", "manifest_type", "ours"),
    [
        (MediaType.LAYER_GZIP, MediaType.MANIFEST, MediaType.LAYER_GZIP),
        (MediaType.LAYER_ZSTD, MediaType.MANIFEST, MediaType.LAYER_ZSTD),
        (MediaType.LAYER, MediaType.MANIFEST, MediaType.LAYER),
        (
            "application/vnd.docker.image.rootfs.diff.tar.gzip",
            MediaType.DOCKER_MANIFEST,
            MediaType.LAYER_GZIP,
        ),
    ],
)
def test_every_envelope_is_kept_and_docker_s_names_become_oci_s(store, registry, repo, media_type, manifest_type, ours):
    tagged(repo, "slim", document(repo, usual(), media_type=media_type, manifest_type=manifest_type))

    image, _ = read(store, registry)

    assert {layer.media_type for layer in image.layers} == {ours}
    assert {layer.digest for layer in image.layers} <= repo.blobs.keys()


def test_a_layer_that_is_kept_elsewhere_makes_no_base(store, registry, repo):
    foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    tagged(repo, "slim", document(repo, usual(), media_type=foreign))

    with pytest.raises(UnfitBaseError, match=r"layer 1 is of type .*foreign.*kept by somebody else"):
        read(store, registry)


def test_what_is_there_is_not_fetched_again(store, registry, repo):
    tagged(repo, "slim", document(repo, usual()))
    read(store, registry)
    registry.seen.clear()

    read(store, registry)

    config = [path for _, path in registry.seen if "/blobs/" in path]
    assert len(config) == 1


def test_a_layer_that_is_not_what_the_configuration_says_is_not_believed(store, registry, repo):
    image = document(repo, usual())
    manifest = repo.manifests[image["digest"]][1]
    layers = re.findall(rb"sha256:[0-9a-f]{64}", manifest)
    swapped = manifest.replace(layers[1], b"1").replace(layers[2], layers[1]).replace(b'"1"', b'"' + layers[2] + b'"')
    sizes = re.findall(rb'"size":(\d+)', manifest)
    swapped = (
        swapped.replace(b'"size":' + sizes[1], b'"size":one')
        .replace(b'"size":' + sizes[2], b'"size":' + sizes[1])
        .replace(b'"size":one', b'"size":' + sizes[2])
    )
    repo.manifests[sha256(swapped)] = (MediaType.MANIFEST, swapped)
    repo.tags["slim"] = sha256(swapped)

    with pytest.raises(AlteredBlobError, match="base image layer 1"):
        read(store, registry)


# The Python in it


def test_the_first_on_its_path_is_the_one(store, registry, repo):
    both = (*python("3.11.2", "usr"), *python("3.12.7", "usr/local"))

    _, first = of(store, registry, repo, *system(), *both)
    _, other = of(store, registry, repo, *system(), *both, Env=["PATH=/usr/bin:/usr/local/bin"])

    assert (first.version, other.version) == ("3.12", "3.11")


def test_another_one_in_it_is_taken_when_it_is_asked_for(store, registry, repo):
    both = (*python("3.11.2", "usr"), *python("3.12.7", "usr/local"))

    assert of(store, registry, repo, *system(), *both, wanted="3.11")[1].executable == "/usr/bin/python3.11"
    assert of(store, registry, repo, *system(), *both, wanted="3.11.2")[1].executable == "/usr/bin/python3.11"


def test_one_that_it_does_not_have_is_refused_with_what_it_has(store, registry, repo):
    with pytest.raises(UnfitBaseError) as caught:
        of(store, registry, repo, *system(), *python(), wanted="3.13")

    assert "it has Python 3.12.7 (/usr/local/bin/python3.12), and build.python_version asks for 3.13" in str(
        caught.value
    )
    assert "3.12" in caught.value.hint


def test_one_that_is_too_old_is_refused_with_the_other_that_would_do(store, registry, repo):
    both = (*python("3.9.2", "usr"), *python("3.12.7", "opt/conda"))

    with pytest.raises(UnfitBaseError, match=r"its Python 3\.9\.2 \(/usr/bin/python3\.9\) is none of") as caught:
        of(store, registry, repo, *system(), *both)

    assert "it has Python 3.12.7 (/opt/conda/bin/python3.12) too: say `python_version: '3.12'`" in caught.value.hint


def test_a_release_that_is_not_known_is_not_guessed(store, registry, repo):
    bare = [one for one in python() if "patchlevel" not in one[0].name]

    assert of(store, registry, repo, *system(), *bare)[1].version == "3.12"
    with pytest.raises(UnfitBaseError, match=r"it has Python 3\.12 \("):
        of(store, registry, repo, *system(), *bare, wanted="3.12.7")


def test_debian_s_own_says_its_release_in_dpkg_s_database(store, registry, repo):
    status = (
        b"Package: bash\nVersion: 5.2\n\nPackage: python3.11-minimal\nStatus: install ok\nVersion: 3.11.2-6+deb12u1\n"
    )
    bare = [one for one in python("3.11.0", "usr") if "patchlevel" not in one[0].name]

    found = of(store, registry, repo, *system(), *bare, member("var/lib/dpkg/status", status), wanted="3.11.2")

    assert found[1].executable == "/usr/bin/python3.11"


def test_conda_s_is_found_off_the_path(store, registry, repo):
    bare = [one for one in python("3.11.9", "opt/conda") if "patchlevel" not in one[0].name]
    meta = member("opt/conda/conda-meta/python-3.11.9-h955ad1f_0.json", b"{}")

    found = of(store, registry, repo, *system(), *bare, meta, wanted="3.11.9")

    assert found[1].executable == "/opt/conda/bin/python3.11"


def test_a_virtual_environment_stands_for_the_python_below_it(store, registry, repo):
    environment = (
        link("app/venv/bin/python", "/usr/local/bin/python3.12"),
        link("app/venv/bin/python3", "python"),
        member("app/venv/pyvenv.cfg", b"home = /usr/local/bin\nversion = 3.12.7\n"),
    )

    found = of(store, registry, repo, *system(), *python(), *environment, Env=["PATH=/app/venv/bin:/usr/bin"])

    assert found[1].executable == "/usr/local/bin/python3.12"


def test_scripts_that_are_called_python_are_passed_over(store, registry, repo):
    shim = member("shims/python3", b"#!/bin/sh\nexec something\n", mode=0o755)

    found = of(store, registry, repo, *system(), *python(), shim, Env=["PATH=/shims:/usr/local/bin"])

    assert found[1].executable == "/usr/local/bin/python3.12"


def test_what_a_later_layer_removes_is_not_there(store, registry, repo):
    gone = tar(member("usr/local/bin/.wh.python3.12"))
    tagged(repo, "slim", document(repo, [*usual(), gone]))

    with pytest.raises(UnfitBaseError, match="there is no Python 3 on its PATH"):
        read(store, registry)


def test_an_image_for_both_architectures_is_read_for_each(store, registry, repo):
    images = [document(repo, usual(one), architecture=one) for one in ("amd64", "arm64")]
    tagged(repo, "slim", *images)

    found = [read(store, registry, platform=platform) for platform in (AMD, ARM)]

    assert [image.architecture for image, _ in found] == ["amd64", "arm64"]
    assert [image.glibc for image, _ in found] == ["2.36", "2.36"]


# What makes an image no base


@pytest.mark.parametrize(
    ("members", "words"),
    [
        (system(), "there is no Python 3 on its PATH"),
        ([*system(), *python("3.9.2")], "its Python 3.9.2 (/usr/local/bin/python3.9) is none of 3.10"),
        ([*system(), *python(), link("lib/ld-musl-x86_64.so.1", "libc.so")], ""),
        (python(), "there is no glibc beside the dynamic linker of its Python, /lib64/ld-linux-x86-64.so.2"),
        ([*system(), *python(), member("opt/venv/pyvenv.cfg")], "it has a /opt/venv"),
        ([*system(), *python(), member("opt/cog/server/x")], "it has a /opt/cog"),
        ([*system(), *python(), link("src", "/app")], "its /src is a symlink, and must be a directory"),
        ([*system(), *python(architecture="arm64")], "its /usr/local/bin/python3.12 is for arm64, and not for amd64"),
        ([*system(), *python()[1:], member("usr/local/bin/python3.12", b"#!/bin/sh")], "is no program for Linux"),
    ],
)
def test_an_image_that_cannot_be_a_base_is_refused_with_the_reason(store, registry, repo, members, words):
    if not words:
        assert of(store, registry, repo, *members)[1].version == "3.12"  # a stray musl is no matter
        return
    with pytest.raises(UnfitBaseError) as caught:
        of(store, registry, repo, *members)

    assert words in str(caught.value)
    assert str(caught.value).startswith(f"{registry.host}/base/python:slim cannot be a base image: ")


@pytest.mark.parametrize(
    ("linker", "words"),
    [("/lib/ld-musl-x86_64.so.1", "runs on musl"), ("", "no glibc beside the dynamic linker of its Python, none")],
)
def test_another_c_library_is_said(store, registry, repo, linker, words):
    program = member("usr/local/bin/python3.12", elf(linker=linker), mode=0o755)

    with pytest.raises(UnfitBaseError, match=words):
        of(store, registry, repo, *system(), *python()[1:], program)


def test_what_wants_to_be_run_is_refused(store, registry, repo):
    with pytest.raises(UnfitBaseError, match="ONBUILD RUN pip install"):
        of(store, registry, repo, *system(), *python(), OnBuild=["RUN pip install -r requirements.txt"])


def test_a_tag_that_is_not_there_is_said(store, registry, repo):
    with pytest.raises(CogError, match="base/python"):
        read(store, registry, ":none")


def test_a_configuration_that_is_none_is_said(store, registry, repo):
    with pytest.raises(CogError, match=r"the configuration of .* is not one that can be read: config\.Env"):
        of(store, registry, repo, *system(), *python(), Env="PATH=/bin")


# Fetching what a lock names


def base(store, registry, repo) -> BaseImage:
    tagged(repo, "slim", document(repo, usual()))
    return read(store, registry)[0]


def test_a_lock_s_layers_are_fetched_by_digest_and_the_rest_is_given_back(store, registry, repo, tmp_path):
    from cog_oci.base_image.bring import bring
    from cog_oci.progress import SILENT
    from cog_oci.store import Store
    from cog_oci.transports._whereabouts import Whereabouts

    image = base(store, registry, repo)
    repo.tags.clear()
    repo.manifests.clear()
    other = Store(tmp_path / "other")

    with pytest.raises(OfflineError, match="base/python@sha256"):
        bring(image.layers, other, SILENT, offline=True)
    assert bring([*image.layers], other, SILENT) == []

    assert all(other.has(layer.digest, layer.size) for layer in image.layers)
    assert Whereabouts(store, registry.host).of(image.layers[0].digest) == ["base/python"]


def test_a_layer_that_was_changed_in_the_registry_is_not_kept(store, registry, repo, tmp_path):
    from cog_oci.base_image.bring import bring
    from cog_oci.progress import SILENT
    from cog_oci.store import Store

    image = base(store, registry, repo)
    first = image.layers[0]
    repo.blobs[first.digest] = bytes(first.size)
    other = Store(tmp_path / "other")

    with pytest.raises(AlteredBlobError):
        bring(image.layers, other, SILENT)

    assert not other.has(first.digest)


def test_hard_links_and_devices_of_others_are_no_matter(store, registry, repo):
    odd = (
        member("dev/null", kind=tarfile.CHRTYPE, devmajor=1, devminor=3),
        member("usr/bin/alias", kind=tarfile.LNKTYPE, linkname="usr/local/bin/python3.12"),
    )

    assert of(store, registry, repo, *system(), *python(), *odd)[1].version == "3.12"
