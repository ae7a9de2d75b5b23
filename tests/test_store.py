"""A blob appears whole or not at all."""

from __future__ import annotations

import pytest

from cog_oci.errors import CogError
from cog_oci.oci import Descriptor, DiffID, LayerBlob, sha256
from cog_oci.store import Store, default_root


def test_what_is_added_is_there_under_its_digest(store):
    digest = store.add(b"hello")

    assert digest == sha256(b"hello")
    assert store.path(digest).read_bytes() == b"hello"
    assert store.has(digest, 5)
    assert not store.has(digest, 4)


def test_what_is_not_committed_leaves_nothing(store):
    with pytest.raises(RuntimeError), store.incoming() as incoming:
        incoming.write(b"half")
        raise RuntimeError

    assert [path for path in store.root.rglob("*") if path.is_file()] == []


def test_a_layer_is_remembered_as_long_as_its_blob_is_there(store):
    digest = store.add(b"blob")
    layer = LayerBlob("x", DiffID(sha256(b"tar")), Descriptor("type", digest, 4), 10)
    store.remember("ab" * 32, layer)
    assert store.layer("ab" * 32) == layer

    store.path(digest).unlink()

    assert store.layer("ab" * 32) is None


def test_a_digest_that_is_a_path_is_refused(store):
    with pytest.raises(CogError, match="is not a sha256 digest"):
        store.path("sha256:../../etc/passwd")


def test_the_cache_variable_moves_the_store(monkeypatch, tmp_path):
    monkeypatch.setenv("COG_CACHE_DIR", str(tmp_path / "elsewhere"))

    assert default_root() == tmp_path / "elsewhere"


def test_who_has_no_home_is_told_what_to_set_and_nothing_is_made_in_the_working_folder(monkeypatch):
    for name in ("COG_CACHE_DIR", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)

    with pytest.raises(CogError, match="this user has no home folder") as error:
        default_root()
    assert error.value.hint == "set COG_CACHE_DIR, or HOME"


def test_blobs_can_be_read_by_everyone_whatever_the_umask(tmp_path):
    import os

    before = os.umask(0o077)
    try:
        store = Store(tmp_path)
        path = store.path(store.add(b"x"))
    finally:
        os.umask(before)

    assert path.stat().st_mode & 0o777 == 0o644
