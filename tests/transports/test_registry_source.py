"""Images in a real registry, filled by skopeo; with a password, and with what is on its disk damaged."""

from __future__ import annotations

import base64
import json

import pytest

from cog_oci.blobs import open_plain
from cog_oci.errors import CogError
from cog_oci.oci import sha256
from cog_oci.store import DigestMismatchError
from cog_oci.transports._authorization import LoginError
from cog_oci.transports._failures import RegistryError
from cog_oci.transports.sources import open_source
from tests.transports.conftest import start_registry
from tests.transports.stored import image, write_layout

pytestmark = pytest.mark.engine

BCRYPT = "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"  # of "secret"


@pytest.fixture
def made(store, registry, tmp_path):
    """An image that is in the registry as me/model:v1."""
    found = image(store, purpose=tmp_path.name)  # each test its own blobs: some damage them
    registry.fill(write_layout(tmp_path / "layout", store, found), "me/model:v1")
    return found


def test_an_image_is_read_by_its_tag_and_by_its_digest(made, registry):
    for name in ("me/model:v1", f"me/model@{made.digest}", f"me/model:other@{made.digest}"):
        with open_source(f"{registry.host}/{name}") as source:
            (found,) = source.images()
            assert found == made.stored()
            for part in found.layers:
                with source.blob(part.descriptor) as blob:
                    assert sha256(open_plain(blob, part.descriptor.media_type).read()) == part.diff_id
            assert source.find(made.content_id) == made.config_document
            assert source.find(made.digest) == made.manifest_document
            assert source.find(sha256(b"nobody has this")) is None


def test_the_name_in_the_registry_is_the_images(registry):
    with open_source(f"http://{registry.host}/me/model:v1") as source:
        assert source.reference.full == f"{registry.host}/me/model:v1"
    with open_source(f"{registry.host}/me/model@{sha256(b'')}") as source:
        assert source.reference.full == f"{registry.host}/me/model:latest"


def test_every_platform_of_an_index_is_there(store, registry, tmp_path):
    images = [image(store, "amd64"), image(store, "arm64")]
    layout = write_layout(tmp_path / "layout", store, *images)
    index = (layout / "index.json").read_bytes()
    (layout / "blobs" / "sha256" / sha256(index)[7:]).write_bytes(index)
    kind = "application/vnd.oci.image.index.v1+json"
    entry = {"mediaType": kind, "digest": sha256(index), "size": len(index)}
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    registry.fill(layout, "me/both:v1")

    with open_source(f"{registry.host}/me/both:v1") as source:
        assert source.images() == [made.stored() for made in images]


def test_docker_manifests_are_read(store, registry, tmp_path):
    made = image(store)
    registry.fill(write_layout(tmp_path / "layout", store, made), "me/docker:v1", "--format", "v2s2")

    with open_source(f"{registry.host}/me/docker:v1") as source:
        (found,) = source.images()
        assert "docker.distribution.manifest.v2" in found.descriptor.media_type
        assert [part.diff_id for part in found.layers] == [part.diff_id for part in made.layers]


@pytest.mark.parametrize("name", ["me/nobody:v1", "me/model:nothing", f"me/model@{sha256(b'')}"])
def test_what_is_not_there_is_said_with_the_registrys_words(registry, name):
    with open_source(f"{registry.host}/{name}") as source, pytest.raises(RegistryError, match="MANIFEST_UNKNOWN") as e:
        source.images()

    assert (e.value.status, e.value.code) == (404, "MANIFEST_UNKNOWN")
    assert "see that the name is right" in e.value.hint


def test_a_layer_that_was_changed_on_the_registrys_disk_is_refused(made, registry):
    descriptor = made.layers[0].descriptor
    path = registry.blob(descriptor.digest)
    path.write_bytes(path.read_bytes()[:-1] + b"!")

    with (
        open_source(f"{registry.host}/me/model:v1") as source,
        source.blob(descriptor) as blob,
        pytest.raises(DigestMismatchError, match=f"blob {descriptor.digest} is not what the image says"),
    ):
        blob.read()


def test_a_configuration_that_was_changed_on_the_registrys_disk_is_refused(made, registry):
    path = registry.blob(made.content_id)
    path.write_bytes(path.read_bytes().replace(b"amd64", b"arm64"))

    with open_source(f"{registry.host}/me/model:v1") as source:
        with pytest.raises(DigestMismatchError, match="configuration"):
            source.images()
        with pytest.raises(DigestMismatchError):
            source.find(made.content_id)


def test_a_registry_that_is_not_there_is_an_error_after_some_tries(monkeypatch):
    waits = []
    monkeypatch.setattr("cog_oci.transports._failures.time.sleep", waits.append)

    with open_source("127.0.0.1:9/x") as source, pytest.raises(RegistryError, match="refused"):
        source.images()

    assert len(waits) == 4


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A registry with a password: me, secret."""
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "htpasswd").write_text(f"me:{BCRYPT}\n")
    process, found = start_registry(folder, f"auth: {{htpasswd: {{realm: test, path: {folder / 'htpasswd'}}}}}")
    try:
        yield found
    finally:
        process.terminate()
        process.wait(20)


def log_in(home, host: str, password: str) -> None:
    (home / ".docker").mkdir()
    auth = base64.b64encode(f"me:{password}".encode()).decode()
    (home / ".docker" / "config.json").write_text(json.dumps({"auths": {host: {"auth": auth}}}))


def test_a_registry_with_a_password_is_read_by_whoever_has_it(store, guarded, home, tmp_path):
    made = image(store)
    guarded.fill(write_layout(tmp_path / "layout", store, made), "me/model:v1", "--dest-creds=me:secret")
    log_in(home, guarded.host, "secret")

    with open_source(f"{guarded.host}/me/model:v1") as source:
        assert source.images() == [made.stored()]


def test_whoever_has_no_password_is_told_to_log_in(guarded):
    with open_source(f"{guarded.host}/me/model:v1") as source, pytest.raises(LoginError) as caught:
        source.images()

    assert "this machine has none" in str(caught.value)
    assert caught.value.hint.endswith(f"`cog-oci login {guarded.host}`")


def test_a_wrong_password_is_said_and_not_shown(guarded, home):
    log_in(home, guarded.host, "guessed")

    with open_source(f"{guarded.host}/me/model:v1") as source, pytest.raises(CogError) as caught:
        source.images()

    assert "refuses access to me/model" in str(caught.value)
    assert "guessed" not in str(caught.value) + str(caught.value.hint)


def test_tls_is_spoken_where_it_is_asked_for(registry, monkeypatch):
    monkeypatch.setattr("cog_oci.transports._failures.time.sleep", pytest.fail)

    with (
        open_source(f"https://{registry.host}/me/model:v1") as source,
        pytest.raises(RegistryError, match="does not speak TLS"),
    ):
        source.images()
