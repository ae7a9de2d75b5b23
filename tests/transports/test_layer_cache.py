"""Layers in a registry by what they are made from: kept, found, and believed only as far as their bytes show it."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import replace

import pytest

from cog_oci.blobs import DamagedBlobError
from cog_oci.errors import CogError
from cog_oci.oci import DiffID, MediaType, sha256
from cog_oci.store import Store
from cog_oci.transports._distribution import Repository
from cog_oci.transports._verified import AlteredBlobError
from cog_oci.transports.layer_cache import LayerCache
from cog_oci.transports.registry import Limits
from tests.transports.stored import layer, tar
from tests.transports.strict_registry import strict

KEYS = ("a" * 64, "b" * 64, "c" * 64)


@pytest.fixture
def server():
    with strict() as found:
        yield found


@contextmanager
def opened(server, store, path="me/cache"):
    with Repository(server.host, path) as repository:
        yield LayerCache(repository, store)


@pytest.fixture
def layers(store):
    kinds = (MediaType.LAYER_GZIP, MediaType.LAYER_ZSTD, MediaType.LAYER)
    return {
        key: layer(store, f"layer {kind}", tar(a=key.encode() * 100), kind)
        for key, kind in zip(KEYS, kinds, strict=True)
    }


def test_what_is_kept_is_found_and_brought_in_every_envelope(server, store, layers, tmp_path):
    with opened(server, store) as cache:
        assert cache.keep(layers, Limits(), None) == 3
        assert cache.keep(layers, Limits(), None) == 0

    elsewhere = Store(tmp_path / "elsewhere")
    with opened(server, elsewhere) as cache:
        for key, one in layers.items():
            found = cache.find(key, one.name)
            assert found == one
            assert cache.has(found.descriptor)
            cache.bring(found)
            cache.bring(found)
            assert elsewhere.path(one.descriptor.digest).read_bytes() == store.path(one.descriptor.digest).read_bytes()
        assert cache.find("d" * 64, "none") is None
        assert not cache.has(replace(found.descriptor, digest=sha256(b"none")))


def test_whoever_only_reads_asks_for_no_more(server, store, layers):
    with opened(server, store) as cache:
        cache.keep(layers, Limits(), None)
    server.token = "secret"
    server.seen.clear()

    with opened(server, store) as cache:
        found = cache.find(KEYS[0], "x")
        cache.has(found.descriptor)
        cache.bring(found)

    tokens = [path for _, path in server.seen if path.startswith("/token")]
    assert tokens
    assert all(path.endswith("scope=repository%3Ame%2Fcache%3Apull") for path in tokens)


def test_what_the_images_repository_has_is_mounted(server, store, layers):
    for one in layers.values():
        digest = one.descriptor.digest
        server.repo("me/model").blobs[digest] = store.path(digest).read_bytes()
        store.path(digest).unlink()

    with opened(server, store) as cache:
        assert cache.keep(layers, Limits(), None) == 0  # they are neither here nor known to be near
        assert cache.keep(layers, Limits(), "me/model") == 3

    assert server.received == 2  # {}
    assert server.wrong == []


def test_a_tag_that_somebody_has_moved_is_put_right(server, store, layers):
    with opened(server, store) as cache:
        cache.keep(layers, Limits(), None)
        tags = server.repos["me/cache"].tags
        right, tags[KEYS[0]] = tags[KEYS[0]], tags[KEYS[1]]
        assert cache.keep(layers, Limits(), None) == 1
        assert tags[KEYS[0]] == right


def test_bytes_that_are_not_the_layer_are_refused_and_leave_nothing(server, store, layers, tmp_path):
    plain, other = layers[KEYS[2]], layers[KEYS[0]]
    elsewhere = Store(tmp_path / "elsewhere")
    claims = {
        "diff ID": (replace(other, diff_id=DiffID(sha256(b"else"))), AlteredBlobError),
        "size of the tar": (replace(other, uncompressed_size=5000), AlteredBlobError),
        "envelope": (replace(plain, descriptor=replace(plain.descriptor, media_type="x")), AlteredBlobError),
    }
    with opened(server, store) as cache:
        cache.keep(layers, Limits(), None)
    with opened(server, elsewhere) as cache:
        for claim, error in claims.values():
            with pytest.raises(error):
                cache.bring(claim)
        blobs = server.repos["me/cache"].blobs
        blobs[other.descriptor.digest] = blobs[other.descriptor.digest][:-1] + b"!"
        with pytest.raises(AlteredBlobError, match="not what the image says"):
            cache.bring(other)
        short = blobs[other.descriptor.digest][:-20]
        blobs[sha256(short)] = short
        with pytest.raises(DamagedBlobError, match="breaks off"):
            cache.bring(replace(other, descriptor=replace(other.descriptor, digest=sha256(short), size=len(short))))

    assert not (elsewhere.root / "blobs").exists()
    assert list((elsewhere.root / "tmp").iterdir()) == []


@pytest.mark.parametrize(
    "change",
    [
        {"artifactType": "application/x"},
        {"annotations": {}},
        {"annotations": {"run.cog.layer.diff-id": "x", "run.cog.layer.size.uncompressed": "1"}},
        {"layers": []},
        {
            "annotations": {"run.cog.layer.diff-id": sha256(b""), "run.cog.layer.size.uncompressed": "1"},
            "size": 1 << 40,
        },
    ],
)
def test_a_tag_that_is_no_layer_says_so(server, store, layers, change):
    with opened(server, store) as cache:
        cache.keep(layers, Limits(), None)
        repo = server.repos["me/cache"]
        kind, document = repo.manifests[repo.tags[KEYS[0]]]
        changed = {**json.loads(document), **change}
        for part in changed["layers"]:
            part["size"] = changed.pop("size", part["size"])
        repo.manifests[repo.tags[KEYS[0]]] = (kind, json.dumps(changed).encode())

        with pytest.raises(CogError):
            cache.find(KEYS[0], "x")
