"""Pushing: to a registry that keeps to the specification and fails at will, and to a real one."""

from __future__ import annotations

import base64
import json
import random
import re
import shutil
import subprocess
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cog_oci.errors import CogError
from cog_oci.oci import Attachment, Image, ImageConfig, MediaType, Platform, sha256
from cog_oci.progress import Silent
from cog_oci.reference import Reference
from cog_oci.store import DigestMismatchError, Store
from cog_oci.transports._authorization import LoginError
from cog_oci.transports._failures import RegistryError
from cog_oci.transports._place import Place
from cog_oci.transports.archive import Archive
from cog_oci.transports.registry import Delivery, Limits, Registry
from cog_oci.transports.sources import open_source
from tests.conftest import need
from tests.images.conftest import docker  # noqa: F401 - a fixture
from tests.transports.conftest import start_registry
from tests.transports.stored import image, layer
from tests.transports.strict_registry import Fault, strict

LOCK = b'{"lock":1}'
CHUNK = 40_000
SMALL = Limits(concurrency=3, chunk=CHUNK, threshold=60_000)


@pytest.fixture(autouse=True)
def _no_waiting(request, monkeypatch):
    """A registry in memory is ready at once; a real one needs its time."""
    if {"registry", "guarded", "encrypted"} & set(request.fixturenames):
        return
    monkeypatch.setattr("cog_oci.transports._failures.time.sleep", lambda _: None)


@pytest.fixture
def server():
    with strict() as found:
        yield found


def large(store: Store, *sizes: int) -> Image:
    """An image of layers of these sizes that do not compress."""
    layers = [
        layer(store, f"l{number}", random.Random(size).randbytes(size), MediaType.LAYER)
        for number, size in enumerate(sizes)
    ]
    return Image(Platform("linux", "amd64"), ImageConfig(command=("true",)), tuple(layers))


def push(host: str, store: Store, *images: Image, name: str = "me/model:v1", limits: Limits = SMALL) -> Delivery:
    place = Place.parse(f"{host}/{name}")
    whole = Archive([one.stored() for one in images], place.reference)
    with place.open() as repository:
        attached = [Attachment(one.descriptor, MediaType.LOCK, LOCK) for one in images]
        with Registry(repository, store, limits) as registry:
            return registry.push(whole, attached)


def wait_until(fact) -> None:
    """As long as it takes, but not for ever."""
    turn = threading.Event()
    assert any(fact() or turn.wait(0.01) for _ in range(3000))


def assert_whole(server, made: Image, name: str = "me/model", tag: str = "v1") -> None:
    repo = server.repos[name]
    assert repo.tags[tag] == made.digest
    assert repo.manifests[made.digest][1] == made.manifest_document
    for part in made.layers:
        assert sha256(repo.blobs[part.descriptor.digest]) == part.descriptor.digest
    assert repo.blobs[made.content_id] == made.config_document
    assert server.wrong == []


def test_an_image_is_pushed_with_its_lock_and_pushing_it_again_sends_nothing(server, store):
    made = large(store, 50_000, 100_001, 7)

    first = push(server.host, store, made)
    assert_whole(server, made)
    assert (first.descriptor.digest, len(first.sent), first.mounted, first.there) == (made.digest, 6, (), ())
    assert first.wire == server.received == sum(blob.size for blob in first.sent)

    server.seen.clear()
    second = push(server.host, store, made)
    assert (second.sent, len(second.there), second.wire) == ((), 6, 0)
    assert {method for method, _ in server.seen} <= {"HEAD", "GET"}


def test_the_tag_is_the_last_thing_that_is_put(server, store):
    made = large(store, 10)

    push(server.host, store, made)

    puts = [path for method, path in server.seen if method == "PUT" and "/manifests/" in path]
    assert puts[0].endswith(made.digest)
    assert puts[-1].endswith("/v1")
    assert len(puts) == 3


def test_several_platforms_are_pushed_as_an_index(server, store):
    images = [image(store, "amd64"), image(store, "arm64")]

    done = push(server.host, store, *images)

    kind, document = server.repos["me/model"].manifests[done.descriptor.digest]
    assert kind == MediaType.INDEX
    assert [entry["digest"] for entry in json.loads(document)["manifests"]] == [one.digest for one in images]
    assert server.repos["me/model"].tags == {"v1": done.descriptor.digest}


def test_a_blob_that_another_repository_has_is_mounted(server, store):
    made = large(store, 100_000)
    push(server.host, store, made, name="me/model:v1")

    done = push(server.host, store, made, name="you/copy:v1")

    assert (done.sent, len(done.mounted), done.wire) == ((), 4, 0)
    assert_whole(server, made, "you/copy")


def test_what_cannot_be_mounted_any_more_is_sent(server, store):
    made = large(store, 100_000)
    push(server.host, store, made)
    server.repos["me/model"].blobs.clear()

    done = push(server.host, store, made, name="you/copy:v1")

    assert (len(done.sent), done.mounted) == (4, ())
    assert_whole(server, made, "you/copy")


def test_a_blob_that_the_last_repository_has_lost_is_mounted_from_the_one_before(server, store):
    made = image(store)
    push(server.host, store, made, name="one/model:v1")
    push(server.host, store, made, name="two/model:v1")
    del server.repos["two/model"]

    delivery = push(server.host, store, made, name="me/other:v1")

    assert (delivery.sent, len(delivery.mounted)) == ((), len(made.layers) + 3)


def test_a_refused_mount_is_no_refused_push(server, store):
    made = large(store, 10)
    push(server.host, store, made)
    server.faults = [Fault("POST", 403)]

    done = push(server.host, store, made, name="you/copy:v1")

    assert (len(done.sent), len(done.mounted)) == (1, 3)


def test_the_lock_is_found_among_the_referrers(store):
    for understands in (True, False):
        with strict(referrers=understands) as server:
            made = large(store, 10)
            push(server.host, store, made)
            push(server.host, store, made)

            artifact = Attachment(made.descriptor, MediaType.LOCK, LOCK)
            repo = server.repos["me/model"]
            assert repo.manifests[sha256(artifact.manifest_document)][1] == artifact.manifest_document
            tag = made.digest.replace(":", "-")
            assert (tag in repo.tags) is not understands
            if not understands:
                (entry,) = json.loads(repo.manifests[repo.tags[tag]][1])["manifests"]
                assert entry["artifactType"] == MediaType.LOCK
                assert entry["digest"] == sha256(artifact.manifest_document)


def test_what_is_attached_is_found_in_both_kinds_of_lists(store):
    made = large(store, 10)
    bills = [Attachment(made.descriptor, MediaType.CYCLONEDX, data) for data in (b'{"a":1}', b'{"b":2}')]
    for understands in (True, False):
        with strict(referrers=understands) as server:
            push(server.host, store, made)
            place = Place.parse(f"{server.host}/me/model:v1")
            with place.open() as repository, Registry(repository, store) as registry:
                registry.push(Archive([made.stored()], place.reference), bills)

            with open_source(f"{server.host}/me/model:v1") as source:
                assert set(source.attached(made.stored(), MediaType.CYCLONEDX)) == {b'{"a":1}', b'{"b":2}'}
                assert source.attached(made.stored(), MediaType.LOCK) == [LOCK]
                assert source.attached(large(store, 11).stored(), MediaType.LOCK) == []


def test_what_others_have_listed_at_the_referrers_tag_stays(store):
    with strict(referrers=False) as server:
        made = large(store, 10)
        place = Place.parse(f"{server.host}/me/model:v1")
        for document in (b'"a"', b'"b"'):
            with place.open() as repository, Registry(repository, store) as registry:
                attached = [Attachment(made.descriptor, MediaType.LOCK, document)]
                registry.push(Archive([made.stored()], place.reference), attached)

        repo = server.repos["me/model"]
        index = json.loads(repo.manifests[repo.tags[made.digest.replace(":", "-")]][1])
        assert len(index["manifests"]) == 2


def test_a_chunk_is_no_shorter_than_the_registry_wants(store):
    with strict(shortest=70_000) as server:
        made = large(store, 200_000)
        push(server.host, store, made)

        assert_whole(server, made)
        assert sum(method == "PATCH" for method, _ in server.seen) == 3  # 70,000, 70,000, 60,000


def test_a_broken_chunk_goes_on_at_the_acknowledged_byte(server, store):
    made = large(store, 200_000)
    server.faults = [Fault("PATCH", "drop", 30_000)]

    push(server.host, store, made)

    assert_whole(server, made)
    assert server.received == 200_000 + len(made.config_document) + len(LOCK) + 2  # nothing came in twice


def test_a_registry_that_forgets_a_broken_session_is_sent_the_blob_from_the_start(store):
    with strict(forgetful=True) as server:
        made = large(store, 100_000)
        server.faults = [Fault("PATCH", "drop", 30_000)]
        push(server.host, store, made)

        assert_whole(server, made)


def test_less_than_was_sent_may_be_acknowledged(server, store):
    made = large(store, 200_000)
    server.faults = [Fault("PATCH", "short", 1000), Fault("PATCH", "short", 0)]

    push(server.host, store, made)

    assert_whole(server, made)


def test_an_answer_that_was_lost_does_not_send_the_blob_again(server, store):
    made = large(store, 50_000)
    server.faults = [Fault("PUT", "mute")]

    push(server.host, store, made)

    assert_whole(server, made)
    assert server.received == 50_000 + len(made.config_document) + len(LOCK) + 2


def test_an_upload_that_leads_to_another_host_goes_there_without_the_token(server, store):
    made = large(store, 100_000, 1000)
    server.token = "secret"
    with strict() as other:
        server.uploads_at, other.uploads_at = f"http://{other.host}", f"http://{other.host}"
        other.repos, other.sessions = server.repos, server.sessions
        push(server.host, store, made)

        assert_whole(server, made)
        assert {method for method, _ in other.seen} == {"PATCH", "PUT"}
        assert set(other.authorizations) == {None}
    assert "Bearer secret" in server.authorizations


def test_a_password_that_is_wanted_elsewhere_is_not_given(server, store):
    with strict() as other:
        server.uploads_at, other.token = f"http://{other.host}", "theirs"
        with pytest.raises(RegistryError, match="401"):
            push(server.host, store, large(store, 10))

        assert not any("token" in path for _, path in other.seen)


@pytest.mark.parametrize(
    ("given", "goes_on"),
    [
        ("/v2/x/u?a=b", "https://r.example.com:5443/v2/x/u?a=b"),
        ("http://r.example.com/v2/x/u", "https://r.example.com:5443/v2/x/u"),  # a proxy ends TLS
        ("https://s.example.com/u?sig=1", "https://s.example.com/u?sig=1"),
        ("http://s.example.com/u?sig=1", None),
        ("", None),
    ],
)
def test_an_upload_goes_on_where_the_registry_says_but_never_without_tls(given, goes_on):
    response = requests.Response()
    response.url, response.headers["Location"] = "https://r.example.com:5443/v2/x/blobs/uploads/", given
    with Place.parse("r.example.com:5443/x").open() as repository:
        if goes_on:
            assert repository.location(response) == goes_on
        else:
            with pytest.raises(RegistryError) as caught:
                repository.location(response)
            assert "sig=" not in str(caught.value)


def test_the_pause_is_as_long_as_the_registry_wants(server, store, monkeypatch):
    waits = []
    monkeypatch.setattr("cog_oci.transports._failures.time.sleep", waits.append)
    server.faults, server.after = [Fault("PUT", 429), Fault("PUT", 503)], "7"

    push(server.host, store, large(store, 10), limits=Limits(concurrency=1))

    assert waits == [7.0, 7.0]


def test_a_layer_goes_out_while_others_are_made(server, store):
    made = large(store, 100_000, 200_000)
    place = Place.parse(f"{server.host}/me/model:v1")
    with place.open() as repository, Registry(repository, store, SMALL) as registry:
        registry.take(made.layers[0])
        wait_until(lambda: made.layers[0].descriptor.digest in server.repo("me/model").blobs)
        registry.take(made.layers[0])
        done = registry.push(Archive([made.stored()], place.reference))

    assert_whole(server, made)
    assert (len(done.sent), done.there) == (3, ())
    assert server.received == 300_000 + len(made.config_document)


def test_what_was_begun_is_ended_when_nothing_comes_of_it(server, store):
    made = large(store, *range(100_000, 100_020))
    place = Place.parse(f"{server.host}/me/model:v1")
    with (
        pytest.raises(ValueError, match="not built"),
        place.open() as repository,
        Registry(repository, store, SMALL) as registry,
    ):
        for layer in made.layers:
            registry.take(layer)
        raise ValueError("not built")

    assert not [thread for thread in threading.enumerate() if thread.name.startswith("push")]
    assert len(server.repo("me/model").blobs) < 20


def test_a_push_that_is_interrupted_leaves_the_tag_and_can_be_repeated(server, store):
    class Impatient(Silent):
        def advance(self, size: int) -> None:
            if server.received > 60_000:
                raise KeyboardInterrupt

    made = large(store, *range(100_000, 100_006))
    place = Place.parse(f"{server.host}/me/model:v1")
    whole = Archive([made.stored()], place.reference)
    with (
        place.open() as repository,
        pytest.raises(KeyboardInterrupt),
        Registry(repository, store, SMALL, Impatient()) as registry,
    ):
        registry.push(whole)
    assert server.repo("me/model").tags == {}

    push(server.host, store, made)
    assert_whole(server, made)


def test_a_token_that_ends_in_the_middle_is_replaced(server, store):
    made = large(store, 200_000, 1000)
    server.token = "first"
    server.faults = [Fault("PATCH", 401), Fault("PUT", 401)]

    push(server.host, store, made, limits=Limits(1, CHUNK, 60_000))

    assert_whole(server, made)


def test_a_blob_that_is_damaged_in_the_store_is_not_sent_again_and_again(server, store):
    made = large(store, 1000)
    path = store.path(made.layers[0].descriptor.digest)
    path.write_bytes(b"!" * 1000)

    with pytest.raises(DigestMismatchError, match=str(path)):
        push(server.host, store, made)

    assert server.repos["me/model"].tags == {}


def test_a_blob_that_is_not_in_the_store_is_named(server, store):
    made = large(store, 1000)
    store.path(made.layers[0].descriptor.digest).unlink()

    with pytest.raises(CogError, match=f"does not have the blob {made.layers[0].descriptor.digest}"):
        push(server.host, store, made)


@pytest.mark.parametrize(("status", "hint"), [(403, "may push there"), (413, "blobs of this size")])
def test_a_refusal_is_final_and_says_what_to_do(server, store, status, hint):
    server.faults = [Fault("POST", status)] * 10

    with pytest.raises(RegistryError) as caught:
        push(server.host, store, large(store, 10), limits=Limits(concurrency=1))

    assert caught.value.status == status
    assert hint in caught.value.hint
    assert sum(method == "POST" for method, _ in server.seen) == 1


def test_a_manifest_that_another_one_puts_at_the_same_moment_is_put_again(server, store):
    made = large(store, 10)
    server.faults = [Fault("PUT", "none")] * 4 + [Fault("PUT", "race")] * 3

    push(server.host, store, made, limits=Limits(concurrency=1))

    assert_whole(server, made)
    server.repos.clear()
    server.faults = [Fault("PUT", "none")] * 4 + [Fault("PUT", "race")] * 100
    with pytest.raises(RegistryError, match="DIGEST_INVALID"):
        push(server.host, store, made, limits=Limits(concurrency=1))


def test_a_registry_that_always_fails_is_given_up(server, store):
    server.faults = [Fault("PUT", 503)] * 100

    with pytest.raises(RegistryError, match="503"):
        push(server.host, store, large(store, 10), limits=Limits(concurrency=1))


def push_at_once(times: int, host: str, store: Store, made: Image) -> None:
    barrier = threading.Barrier(times)

    def one(_: int) -> str:
        barrier.wait()
        return push(host, store, made, limits=Limits(2, CHUNK, 60_000)).descriptor.digest

    with ThreadPoolExecutor(times) as pool:
        assert set(pool.map(one, range(times))) == {made.digest}


def test_several_pushes_of_one_image_at_once_all_go_well(store):
    with strict(referrers=False) as server:
        made = large(store, 50_000, 100_000)
        push_at_once(5, server.host, store, made)

        assert_whole(server, made)


@pytest.mark.engine
def test_twenty_pushes_of_one_image_at_once_to_a_real_registry_all_go_well(registry, store):
    made = large(store, 50_000, 100_000)
    push_at_once(20, registry.host, store, made)

    with open_source(f"{registry.host}/me/model:v1") as source:
        assert source.images() == [made.stored()]
        assert source.attached(made.stored(), MediaType.LOCK) == [LOCK]
    for part in made.layers:
        assert sha256(registry.blob(part.descriptor.digest).read_bytes()) == part.descriptor.digest


FAULTS = st.builds(
    Fault,
    st.sampled_from(["HEAD", "POST", "PATCH", "PATCH", "PUT", "PUT", "GET"]),
    st.sampled_from(["drop", "drop", "forget", "mute", "short", "corrupt", "race", 401, 408, 416, 429, 500, 503]),
    st.integers(0, CHUNK),
)


PLANS = given(st.lists(FAULTS, max_size=8), st.booleans())


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@PLANS
def test_whatever_fails_a_push_ends_with_everything_right_or_with_an_error(tmp_path_factory, faults, referrers):
    hold_the_law(Store(tmp_path_factory.mktemp("law")), faults, referrers)


@pytest.mark.engine  # with the tests that take a while
@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@PLANS
def test_five_hundred_plans_of_failures_hold_the_same_law(tmp_path_factory, faults, referrers):
    hold_the_law(Store(tmp_path_factory.mktemp("law")), faults, referrers)


def hold_the_law(store: Store, faults: list[Fault], referrers: bool) -> None:
    """Everything is right, or the error names the cause; and no fault costs more than a chunk where sessions are kept."""
    with strict(referrers=referrers) as server:
        made = large(store, 100_000, 30_000)
        server.token = "first"
        server.faults = list(faults)
        try:
            push(server.host, store, made)
        except (RegistryError, LoginError) as error:
            assert re.search("HTTP|connection|Connection|closed|Remote|credentials|bytes", str(error))  # noqa: PT017 - either
            assert server.repo("me/model").tags.get("v1") in {None, made.digest}
        else:
            assert_whole(server, made)
        asked_in_vain = sum(fault.method == "GET" for fault in faults)
        if asked_in_vain < 5 and not any(fault.kind in {"forget", "corrupt", 416} for fault in faults):
            # The registry keeps every session: a fault costs a chunk at most, or a blob that goes in one request.
            whole = 130_000 + len(made.config_document) + len(LOCK) + 2
            costly = sum(fault.method in {"PATCH", "PUT"} for fault in faults)
            assert server.received <= whole + costly * SMALL.threshold


@pytest.mark.parametrize(("name", "text"), [("COG_PUSH_CONCURRENCY", "0"), ("COG_PUSH_DEFAULT_CHUNK_SIZE", "96 MiB")])
def test_a_limit_that_is_no_number_is_refused_by_name(name, text):
    with pytest.raises(CogError, match=name):
        Limits.of({name: text})
    assert Limits.of({"COG_PUSH_CONCURRENCY": "2", "COG_PUSH_MULTIPART_THRESHOLD": ""}) == Limits(concurrency=2)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A real registry with a password: me, secret."""
    folder = tmp_path_factory.mktemp("guarded")
    bcrypt = "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"
    (folder / "htpasswd").write_text(f"me:{bcrypt}\n")
    process, found = start_registry(folder, f"auth: {{htpasswd: {{realm: test, path: {folder / 'htpasswd'}}}}}")
    try:
        yield found
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.engine
def test_a_real_registry_takes_blobs_whole_and_in_chunks_and_gives_them_back(registry, store, tmp_path):
    made = large(store, 300_000, 10_000)

    first = push(registry.host, store, made, name="real/model:v1")
    second = push(registry.host, store, made, name="real/model:v1")
    elsewhere = push(registry.host, store, made, name="real/other:v1")

    assert (len(first.sent), first.wire) == (5, sum(blob.size for blob in first.sent))
    assert (second.sent, second.wire) == ((), 0)
    assert (elsewhere.sent, len(elsewhere.mounted)) == ((), 5)
    for part in made.layers:
        assert sha256(registry.blob(part.descriptor.digest).read_bytes()) == part.descriptor.digest
    with open_source(f"{registry.host}/real/other:v1") as source:
        assert source.images() == [made.stored()]
        assert source.find(sha256(LOCK)) == LOCK
        assert source.find(sha256(Attachment(made.descriptor, MediaType.LOCK, LOCK).manifest_document))
    listing = f"{registry.host}/real/other:{made.digest.replace(':', '-')}"
    shown = subprocess.run(
        ["skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{listing}"], capture_output=True, check=True
    )
    assert json.loads(shown.stdout)["manifests"][0]["artifactType"] == MediaType.LOCK


@pytest.mark.engine
def test_skopeo_pulls_what_was_pushed(registry, store, tmp_path):
    need("skopeo")
    made = image(store, purpose="pulled")
    push(registry.host, store, made, name="pulled/model:v1")

    source = f"docker://{registry.host}/pulled/model:v1"
    subprocess.run(["skopeo", "copy", "-q", "--src-tls-verify=false", source, f"oci:{tmp_path}/out:v1"], check=True)

    assert (tmp_path / "out/blobs/sha256" / made.digest[7:]).read_bytes() == made.manifest_document


@pytest.mark.engine
@pytest.mark.root
def test_podman_pulls_what_was_pushed(registry, store, tmp_path):
    need("podman")
    made = image(store, purpose="podman")
    push(registry.host, store, made, name="podman/model:v1")
    # podman refuses a run root whose path is longer than 50 characters.
    run = tempfile.mkdtemp(prefix="podman-")
    podman = ["podman", "--root", str(tmp_path / "root"), "--runroot", run, "--storage-driver", "vfs"]

    try:
        name = f"{registry.host}/podman/model:v1"
        subprocess.run([*podman, "pull", "-q", "--tls-verify=false", name], check=True, capture_output=True)
        shown = subprocess.run([*podman, "image", "inspect", name], check=True, capture_output=True).stdout
    finally:
        shutil.rmtree(run, ignore_errors=True)

    (found,) = json.loads(shown)
    assert found["Id"] == made.content_id.removeprefix("sha256:")
    assert found["RootFS"]["Layers"] == [part.diff_id for part in made.layers]
    assert found["Digest"] == made.digest


@pytest.mark.engine
@pytest.mark.root
def test_dockerd_pulls_what_was_pushed(registry, store, docker):  # noqa: F811 - the fixture
    made = image(store, purpose="dockerd")
    push(registry.host, store, made, name="docker/model:v1")

    docker("pull", "-q", f"{registry.host}/docker/model:v1")

    (found,) = json.loads(docker("image", "inspect", f"{registry.host}/docker/model:v1"))
    assert found["Id"] == made.content_id
    assert found["RootFS"]["Layers"] == [part.diff_id for part in made.layers]


@pytest.mark.engine
def test_a_real_registry_with_a_password_is_pushed_to_by_whoever_has_it(guarded, store, home):
    made = image(store)
    with pytest.raises(LoginError, match="this machine has none"):
        push(guarded.host, store, made)

    (home / ".docker").mkdir()
    auth = base64.b64encode(b"me:secret").decode()
    (home / ".docker/config.json").write_text(json.dumps({"auths": {guarded.host: {"auth": auth}}}))
    assert push(guarded.host, store, made).descriptor.digest == made.digest


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory):
    """A real registry that speaks TLS, and the certificate that vouches for it."""
    need("openssl")
    folder = tmp_path_factory.mktemp("encrypted")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=registry"),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    process, found = start_registry(folder, tls=f", tls: {{certificate: {certificate}, key: {key}}}")
    try:
        yield found, certificate
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.engine
def test_a_real_registry_is_pushed_to_over_tls_if_its_certificate_is_known(encrypted, store, monkeypatch, tmp_path):
    registry, certificate = encrypted
    made = large(store, 200_000)
    with pytest.raises(RegistryError, match="its certificate is not good: self-signed") as caught:
        push(f"https://{registry.host}", store, made)
    assert f"certs.d/{registry.host}/ca.crt" in caught.value.hint

    trusted = tmp_path / "settings/containers/certs.d" / registry.host / "ca.crt"
    trusted.parent.mkdir(parents=True)
    trusted.write_text("no certificate")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    with pytest.raises(CogError, match=f"{trusted} cannot be used for TLS"):
        push(f"https://{registry.host}", store, made)
    shutil.copy(certificate, trusted)
    assert push(f"https://{registry.host}", store, made).descriptor.digest == made.digest

    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with open_source(f"https://{registry.host}/me/model:v1") as source:
        assert source.images() == [made.stored()]


def test_a_place_is_a_name_with_or_without_a_scheme():
    place = Place.parse("http://registry.example.com/me/model:v2")
    assert (place.reference, place.plain_http) == (Reference("registry.example.com", "me/model", "v2"), True)
    with pytest.raises(CogError, match="by a digest"):
        Place.parse(f"localhost:5000/x@{sha256(b'')}").tagged()
    with pytest.raises(CogError, match="not the name of an image"):
        Place.parse("ftp://x/y")
