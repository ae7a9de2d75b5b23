"""A project on a base image: what its lock holds, which layers it has, and how its image starts."""

from __future__ import annotations

import json

import pytest

from cog_oci.base_image.read import read_base
from cog_oci.config import Project
from cog_oci.difference import compare_locks
from cog_oci.errors import CogError, SourceError
from cog_oci.ground import inputs_of
from cog_oci.image_config import base_environment, image_config
from cog_oci.layers import remembered
from cog_oci.lock import Lock, PlatformLock
from cog_oci.oci import Platform
from cog_oci.options import Options
from cog_oci.plan import artifact_layers, make_plan
from cog_oci.progress import SILENT
from cog_oci.recorded import Records
from cog_oci.resolver.on_image import OnImage
from cog_oci.store import Store
from cog_oci.upkeep.ground import find_ground, with_status
from tests.base_images import document, python, system, tagged, usual
from tests.image_maker import member, tar

AMD = Platform("linux", "amd64")


@pytest.fixture
def repo(registry):
    found = registry.repo("base/python")
    tagged(found, "slim", document(found, usual(), User="app", ExposedPorts={"80/tcp": {}}, Labels={"theirs": "1"}))
    return found


def project(folder, registry, more: str = "") -> Project:
    text = f"build:\n  base_image: {registry.host}/base/python:slim\n{more}"
    (folder / "cog.yaml").write_text(text)
    return Project.find(folder)


def locked(store, here: Project, *, bytecode: bool = False) -> PlatformLock:
    base = find_ground(here, AMD, None, store, SILENT)
    assert isinstance(base, OnImage)
    return PlatformLock(
        inputs={**here.lock_inputs(), **base.lock_inputs()},
        interpreter=base.interpreter(),
        archives=(),
        debs=base.debs,
        wheels=(),
        server=base.server_wheels,
        bytecode=bytecode,
        base_image=base.image,
    )


def test_the_lock_comes_back_whole(store, tmp_path, registry, repo):
    lock = Lock(as_of="2026-01-02T00:00:00Z", platforms={"linux/amd64": locked(store, project(tmp_path, registry))})

    assert Lock.from_bytes(lock.to_bytes()) == lock
    parts = lock.platforms["linux/amd64"]
    assert set(parts.base_image.layers) < set(parts.artifacts())
    assert lock.to_bytes().decode().count("base/python@sha256:") == 2, "one line for each layer"


def test_the_image_decides_which_python_unless_cog_yaml_does(store, tmp_path, registry, repo):
    here = project(tmp_path, registry)
    assert here.config.build.python_version == ""
    assert "build.python_version" not in here.lock_inputs()
    assert locked(store, here).interpreter.version == "3.12"
    assert inputs_of(here, AMD, locked(store, here)) == locked(store, here).inputs
    assert here.config.said == {"build": {"base_image": f"{registry.host}/base/python:slim"}}

    other = project(tmp_path, registry, "  python_version: 3.13\n")
    with pytest.raises(SourceError) as caught:
        locked(store, other)
    assert str(caught.value).startswith("cog.yaml:2:15: build.base_image: ")
    assert "asks for 3.13" in str(caught.value)


@pytest.mark.parametrize("name", ["UPPER:tag:tag@x", "name@sha256:short", "a b", "ftp://host/name"])
def test_what_is_no_name_of_an_image_is_said_with_its_place(tmp_path, name):
    (tmp_path / "cog.yaml").write_text(f"build:\n  base_image: '{name}'\n")

    with pytest.raises(SourceError, match=r"cog\.yaml:2:15: build\.base_image: .* is not the name of an image"):
        Project.find(tmp_path)


def test_what_is_locked_stays_while_cog_yaml_says_the_same(store, tmp_path, registry, repo):
    here = project(tmp_path, registry)
    parts = locked(store, here)
    tagged(repo, "slim", document(repo, [*usual(), tar(member("new", b"1"))]))
    registry.seen.clear()

    kept = find_ground(here, AMD, parts, store, SILENT)
    assert kept.image == parts.base_image
    assert registry.seen == []
    assert find_ground(here, AMD, None, store, SILENT).image.manifest != parts.base_image.manifest

    named = project(tmp_path, registry, "  python_version: '3.12'\n")
    assert find_ground(named, AMD, parts, store, SILENT).image.manifest != parts.base_image.manifest


def test_the_layers_of_the_base_come_first_and_are_known_without_being_here(store, tmp_path, registry, repo):
    parts = locked(store, project(tmp_path, registry), bytecode=True)
    layers = artifact_layers(parts, "zstd")

    assert [layer.name for layer in layers] == [
        *("base image 1/2", "base image 2/2", "init", "server", "server bytecode", "python"),
    ]
    elsewhere = Store(tmp_path / "elsewhere")
    known = Records(()).known(layers[0], "zstd")
    assert known == remembered(layers[0], store, "none")
    assert known.descriptor.digest == parts.base_image.layers[0].digest
    assert remembered(layers[0], elsewhere) is None
    with pytest.raises(CogError, match="does not have base image 1/2"), layers[0].open(elsewhere):
        pass
    [compiled] = [layer for layer in layers if layer.name.endswith("bytecode")]
    assert [layer.name for layer in compiled.of] == ["server"]
    assert [layer.name for layer in compiled.compiler.below] == ["base image 1/2", "base image 2/2"]


def test_a_container_is_what_the_base_is_and_starts_the_server(store, tmp_path, registry, repo):
    here = project(tmp_path, registry, "environment: [MINE=1]\n")
    config = image_config(here, locked(store, here), None, b"{}", {}, env={}).to_json()

    assert config["User"] == "app"
    assert config["Entrypoint"] == ["/opt/cog/tini", "--"]
    assert config["Cmd"] == ["/usr/local/bin/python3.12", "-I", "-S", "/opt/cog/server"]
    assert set(config["ExposedPorts"]) == {"80/tcp", "5000/tcp"}
    assert config["Labels"]["theirs"] == "1"
    build = json.loads(config["Labels"]["run.cog.config"])["build"]
    assert build["base_image"].endswith("/base/python:slim")
    assert build["python_version"] == "3.12"
    env = dict(one.split("=", 1) for one in config["Env"])
    assert env["PATH"] == "/opt/venv/bin:/usr/local/bin:/usr/bin:/bin"
    assert (env["PYTHON_VERSION"], env["MINE"], env["VIRTUAL_ENV"]) == ("3.12.7", "1", "/opt/venv")
    assert base_environment(None)["PATH"].startswith("/opt/venv/bin:/usr/local/sbin:")


def test_certificates_of_the_user_s_own_are_refused_on_it(store, tmp_path, registry, repo):
    here = project(tmp_path, registry)
    lock = Lock(as_of="2026-01-02T00:00:00Z", platforms={"linux/amd64": locked(store, here)})

    with pytest.raises(CogError, match="COG_CA_CERT cannot be trusted on top of a base image"):
        make_plan(here, AMD, lock, Options(certificates=(b"x",)))


def test_another_base_is_one_line_of_a_difference(store, tmp_path, registry, repo):
    here = project(tmp_path, registry)
    before = Lock(as_of="2026-01-02T00:00:00Z", platforms={"linux/amd64": locked(store, here)})
    tagged(repo, "slim", document(repo, [*usual(), tar(member("new", b"1"))]))
    after = Lock(as_of="2026-01-02T00:00:00Z", platforms={"linux/amd64": locked(store, here)})

    [change] = compare_locks(before, after).platforms["linux/amd64"].settings
    assert change.name == "base_image"
    assert change.after.startswith(f"{registry.host}/base/python@sha256:")


@pytest.mark.parametrize(
    ("release", "status", "words"),
    [
        ("sid", b"", "which is not Debian bookworm or trixie"),
        ("bookworm", b"", "which has no database of dpkg"),
    ],
)
def test_debian_packages_are_refused_where_they_cannot_be_added(
    store, tmp_path, registry, repo, release, status, words
):
    tagged(repo, "slim", document(repo, [tar(*system(release=release), *python())]))
    here = project(tmp_path, registry, "  system_packages: [bc]\n")
    base = find_ground(here, AMD, None, store, SILENT)

    with pytest.raises(SourceError) as caught, here.blaming("system_packages"):
        with_status(here, base, store, SILENT)

    assert str(caught.value).startswith("cog.yaml:3:21: build.system_packages: bc cannot be added to the base image")
    assert words in str(caught.value)


def test_what_dpkg_says_is_asked_only_when_packages_are_to_be_added(store, tmp_path, registry, repo):
    status = b"Package: libc6\nStatus: install ok installed\nVersion: 2.36-9\nArchitecture: amd64\nDepends: x\n"
    tagged(repo, "slim", document(repo, [tar(*system(), *python(), member("var/lib/dpkg/status", status))]))
    plain = project(tmp_path, registry)
    base = find_ground(plain, AMD, None, store, SILENT)
    assert with_status(plain, base, store, SILENT) is None

    found = with_status(project(tmp_path, registry, "  system_packages: [bc]\n"), base, store, SILENT)

    assert found.packages == ("libc6=2.36-9",)
    assert found.suite == "bookworm"


def test_a_glibc_that_is_too_old_for_the_server_is_said_before_anything_is_built(store, tmp_path, registry, repo):
    tagged(repo, "slim", document(repo, [tar(*system(glibc="2.12"), *python())]))

    with pytest.raises(
        SourceError, match=r"build\.base_image: the server does not run on .*: its glibc 2\.12 is too old"
    ):
        find_ground(project(tmp_path, registry), AMD, None, store, SILENT)


def test_a_bill_of_materials_names_it_and_not_its_layers(store, tmp_path, registry, repo):
    from cog_oci.exports.cyclonedx import attachment
    from cog_oci.oci import Descriptor, MediaType, sha256

    lock = Lock(as_of="2026-01-02T00:00:00Z", platforms={"linux/amd64": locked(store, project(tmp_path, registry))})
    bill = json.loads(attachment(Descriptor(MediaType.MANIFEST, sha256(b""), 0), "model", lock, AMD).data)

    [image] = [one for one in bill["components"] if one["type"] == "container"]
    assert image["purl"].startswith("pkg:oci/python@sha256%3A")
    assert image["version"] == lock.platforms["linux/amd64"].base_image.manifest
    assert not [one for one in bill["components"] if "layer" in one["name"]]


def test_what_was_read_is_in_the_store(store, registry, repo):
    image, _ = read_base(f"{registry.host}/base/python:slim", AMD, "", store)

    assert all(store.has(layer.digest, layer.size) for layer in image.layers)
