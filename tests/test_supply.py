"""Layers that need not be made: who is asked, and whose word counts."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from cog_oci.cache import Cache
from cog_oci.cache_settings import CacheSettings
from cog_oci.layers import blob_key, made_by, realise
from cog_oci.layers._tar import Entry
from cog_oci.lock import RecordedLayer, Rendering
from cog_oci.progress import Silent
from cog_oci.recorded import Records
from cog_oci.store import Store
from cog_oci.supply import Supply
from cog_oci.transports.registry import Limits
from tests.layers.test_realise import Listed
from tests.transports.stored import tar
from tests.transports.strict_registry import Fault, strict


class Told(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture
def server():
    with strict() as found:
        yield found


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def made(store, server):
    """A layer of the lock's, made on another machine, which has left it in the cache."""
    one = Listed([Entry.file("a", b"x" * 10_000)], name="python")
    blob = realise(one, store)
    with cache(server, store, push=True) as kept:
        kept.keep({blob_key(one): blob}, Limits(), ("other.example.com", "x/y"))
    return one, blob


@pytest.fixture
def here(tmp_path):
    return Store(tmp_path / "here")


def cache(server, store, told=None, *, push=False, trust=False) -> Cache:
    return Cache(CacheSettings(f"{server.host}/me/cache", push, trust), store, told or Silent())


def record(layer, blob, **changes) -> Records:
    rendering = Rendering(made_by=made_by("gzip"), digest=blob.descriptor.digest, size=blob.descriptor.size)
    found = RecordedLayer(
        name="x", recipe=layer.recipe, diff_id=blob.diff_id, size=blob.uncompressed_size, blobs={"gzip": rendering}
    )
    return Records([replace(found, **changes)])


def test_a_layer_that_the_lock_knows_comes_from_the_cache_and_then_from_the_store(made, here, server):
    layer, blob = made
    with cache(server, here) as shared:
        assert Supply(here, record(layer, blob), "gzip", shared).known([layer], 1) == [blob]
    server.seen.clear()
    with cache(server, here) as shared:
        assert Supply(here, record(layer, blob), "gzip", shared).known([replace(layer, name="new")], 1) == [
            replace(blob, name="new")
        ]
    assert server.seen == []
    assert layer.made == [1]


def test_what_came_by_one_locks_word_is_nothing_to_a_lock_that_does_not_say_it(made, here, server):
    layer, blob = made
    with cache(server, here) as shared:
        Supply(here, record(layer, blob), "gzip", shared).known([layer], 1)

    assert Supply(here, Records([]), "gzip").known([layer], 1) == [None]


def test_a_layer_that_no_lock_knows_needs_trust(made, here, server, told):
    layer, blob = made
    server.seen.clear()
    with cache(server, here, told) as shared:
        assert Supply(here, Records([]), "gzip", shared).known([layer], 1) == [None]
    assert server.seen == []
    assert "cog.lock does not know 1 of the layers yet" in told.lines[0]
    assert "COG_CACHE_TRUST=1" in told.lines[0]

    with cache(server, here, trust=True) as shared:
        assert Supply(here, Records([]), "gzip", shared).known([layer], 1) == [blob]
    assert Supply(here, Records([]), "gzip").known([layer], 1) == [blob]  # as if it had been made here


def test_a_rendering_that_the_lock_does_not_know_is_held_to_the_diff_id_that_it_knows(made, here, server, told):
    layer, blob = made
    unrendered = record(layer, blob, blobs={})
    with cache(server, here, told) as shared:
        assert Supply(here, unrendered, "gzip", shared).known([layer], 1) == [blob]

    other = record(layer, blob, blobs={}, diff_id="sha256:" + "0" * 64)
    with cache(server, here, told, trust=True) as shared:
        assert Supply(here, other, "gzip", shared).known([layer], 1) == [None]
    assert "is not believed about layer python: cog.lock recorded sha256:0000" in told.lines[0]

    longer = record(layer, blob, blobs={}, size=blob.uncompressed_size + 512)
    with cache(server, here, told) as shared:
        assert Supply(Store(here.root / "other"), longer, "gzip", shared).known([layer], 1) == [None]
    assert "its tar has" in told.lines[1]


def test_a_cache_that_gives_another_tar_under_the_recorded_diff_id_is_found_out(made, here, server, told, store):
    layer, blob = made
    evil = tar(evil=b"!")
    digest = store.add(evil)
    repo = server.repos["me/cache"]
    repo.blobs[digest] = evil
    name = repo.tags[blob_key(layer)]
    document = json.loads(repo.manifests[name][1])
    document["layers"][0] |= {"digest": digest, "size": len(evil)}
    repo.manifests[name] = (repo.manifests[name][0], json.dumps(document).encode())

    with cache(server, here, told, trust=True) as shared:
        assert Supply(here, record(layer, blob, blobs={}), "gzip", shared).known([layer], 1) == [None]
        assert Supply(here, Records([]), "gzip", shared).known([layer], 1) == [None]
    assert "is not believed about layer python" in told.lines[0]
    assert not here.has(digest)


def test_another_envelope_than_was_asked_for_is_not_taken(made, here, server, told):
    layer, _ = made
    repo = server.repos["me/cache"]
    repo.tags[blob_key(layer, "zstd")] = repo.tags[blob_key(layer)]

    with cache(server, here, told, trust=True) as shared:
        assert Supply(here, Records([]), "zstd", shared).known([layer], 1) == [None]
    assert "of type application/vnd.oci.image.layer.v1.tar+gzip, which was not asked for" in told.lines[0]


def test_what_the_target_or_the_cache_has_is_left_where_it_is(made, here, server):
    layer, blob = made
    known = record(layer, blob)
    asked = []

    def elsewhere(found) -> bool:
        asked.append(found)
        return len(asked) == 1

    server.seen.clear()
    assert Supply(here, known, "gzip", None, elsewhere).known([layer], 1) == [blob]
    assert Supply(here, known, "gzip", None, elsewhere).known([layer], 1) == [None]
    with cache(server, here) as shared:
        assert Supply(here, known, "gzip", shared, elsewhere).known([layer], 1) == [blob]
    with cache(server, here, trust=True) as shared:
        assert Supply(here, Records([]), "gzip", shared, elsewhere).known([layer], 1) == [blob]

    assert asked == [blob.descriptor] * 3
    assert not here.has(blob.descriptor.digest)
    assert {method for method, path in server.seen if "/blobs/" in path} == {"HEAD"}


@pytest.mark.parametrize("status", [401, 403, 500])
def test_a_cache_that_does_not_work_is_said_once_and_done_without(made, here, server, told, status, monkeypatch):
    monkeypatch.setattr("cog_oci.transports._failures.time.sleep", lambda _: None)
    layer, blob = made
    server.faults = [Fault("HEAD", status)] * 40
    others = [replace(layer, entries=[Entry.file(str(n), b"")]) for n in range(5)]
    known = Records([record(one, blob)._by_recipe[one.recipe] for one in (layer, *others)])

    with cache(server, here, told) as shared:
        assert Supply(here, known, "gzip", shared).known([layer, *others], 6) == [None] * 6

    assert len(told.lines) == 1
    assert told.lines[0].startswith(f"going on without the cache {server.host}/me/cache: ")


def test_a_host_that_is_not_there_is_no_failure(here, told, made, monkeypatch):
    monkeypatch.setattr("cog_oci.transports._failures.time.sleep", lambda _: None)
    layer, blob = made
    with Cache(CacheSettings("127.0.0.1:1/x", push=True), here, told) as shared:
        assert Supply(here, record(layer, blob), "gzip", shared).known([layer], 1) == [None]
        shared.keep({blob_key(layer): blob}, Limits(), ("127.0.0.1:1", "me/model"))
        shared.note("127.0.0.1:1", blob.descriptor)
    assert [line.partition(": ")[0] for line in told.lines] == ["going on without the cache 127.0.0.1:1/x"] * 2


def test_a_layer_of_the_projects_own_files_is_nobody_elses_business(made, here, server):
    layer, blob = made
    server.seen.clear()

    with cache(server, here, trust=True) as shared:
        assert Supply(here, record(layer, blob), "gzip", shared, lambda _: True).known([layer], 0) == [None]

    assert server.seen == []


def test_a_cache_is_written_to_only_if_that_is_wanted(made, here, server, told):
    layer, blob = made
    server.repos.clear()
    with cache(server, here, told) as shared:
        shared.keep({blob_key(layer): blob}, Limits(), (server.host, "x/y"))
    assert (server.repos, told.lines) == ({}, [])
