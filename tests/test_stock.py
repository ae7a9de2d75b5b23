"""The store as a stock: what is damaged is found, what is old goes, and what is carried arrives whole."""

from __future__ import annotations

import os
import time

import pytest

from cog_oci import stock
from cog_oci.errors import CogError
from cog_oci.oci import Descriptor, DiffID, Digest, LayerBlob, MediaType, sha256
from cog_oci.progress import SILENT
from cog_oci.stock import Cleared, carry_in, carry_out, clear, damaged
from cog_oci.store import DigestMismatchError, Store, in_use, unused


def age(store: Store, digest, days: float) -> None:
    then = time.time() - days * 86_400
    os.utime(store.path(digest), (then, then))


def test_what_is_not_what_its_name_says_is_found(store):
    store.add(b"good")
    bad = store.add(b"bad")
    store.path(bad).write_bytes(b"worse")

    assert list(damaged(store, SILENT)) == [bad]


def test_what_was_not_used_goes_and_what_is_kept_stays(store):
    new, old, kept = store.add(b"new"), store.add(b"old one"), store.add(b"kept")
    age(store, old, 40)
    age(store, kept, 40)

    assert clear(store, 30, [kept], dry=True) == Cleared(1, 7)
    assert store.has(old)
    assert clear(store, 30, [kept]) == Cleared(1, 7)
    assert (store.has(new), store.has(old), store.has(kept)) == (True, False, True)


def test_a_layer_is_forgotten_with_its_blob(store):
    digest = store.add(b"a layer")
    blob = LayerBlob("code", DiffID(digest), Descriptor(MediaType.LAYER, digest, 7), 7)
    store.remember("0" * 64, blob)
    age(store, digest, 40)

    assert clear(store, 30).files == 2
    assert list((store.root / "layers").iterdir()) == []


def test_what_a_build_that_died_left_behind_goes(store):
    (store.root / "tmp").mkdir(parents=True)
    left = store.root / "tmp" / "unfinished"
    left.write_bytes(b"x")
    os.utime(left, (1, 1))

    assert clear(store, 30) == Cleared(1, 1)


def test_what_a_process_that_runs_is_writing_stays_however_old_it_is(store):
    with store.incoming() as incoming:
        incoming.write(b"half of it")
        os.utime(incoming.file.name, (1, 1))

        assert clear(store, 0) == Cleared(0, 0)
        incoming.commit(Digest("sha256:" + "0" * 64))


def test_what_is_renamed_into_its_place_meanwhile_is_no_error(store, monkeypatch):
    listed = stock._entries

    def finished_as_it_is_listed(folder, begins=""):
        found = listed(folder, begins)
        if folder.name == "tmp":
            incoming.commit(digest)
        return found

    monkeypatch.setattr(stock, "_entries", finished_as_it_is_listed)
    with store.incoming() as incoming:
        incoming.write(b"whole")
        digest = sha256(b"whole")

        assert clear(store, 30) == Cleared(0, 0)
    assert store.has(digest)


def test_what_was_left_half_made_goes_after_an_hour_and_is_counted(store):
    folder = store.root / "tmp" / "step"
    (folder / "upper" / "a").mkdir(parents=True)
    (folder / "upper" / "a" / "file").write_bytes(b"12345")
    (folder / "upper" / "link").hardlink_to(folder / "upper" / "a" / "file")
    half = store.root / "unpacked" / ".partial-x"
    half.mkdir(parents=True)
    (half / "file").write_bytes(b"123")
    for path, minutes in ((folder, 61), (half, 59)):
        os.utime(path, (time.time(), time.time() - minutes * 60))

    assert clear(store, 30, dry=True) == clear(store, 30) == Cleared(2, 5)
    assert not list((store.root / "tmp").iterdir())
    assert half.is_dir()
    assert clear(store, 0.04) == Cleared(1, 3)


def test_a_layer_that_is_unpacked_stays_while_it_is_used_or_kept_and_goes_whole(store):
    old, used, kept, new = (DiffID(f"sha256:{digit * 64}") for digit in "abcd")
    for diff_id in (old, used, kept, new):
        store.unpacked(diff_id).mkdir(parents=True)
        (store.unpacked(diff_id) / "file").write_bytes(b"1234")
        if diff_id != new:
            os.utime(store.unpacked(diff_id), (1, 1))

    with in_use(store.unpacked(used)) as is_there:
        assert is_there
        assert clear(store, 30, [kept], dry=True) == clear(store, 30, [kept]) == Cleared(1, 4)
    assert sorted(path.name[0] for path in (store.root / "unpacked").iterdir()) == ["b", "c", "d"]
    with in_use(store.unpacked(old)) as is_there:
        assert not is_there
    assert clear(store, 30).files == 2


def test_a_folder_that_was_replaced_before_it_was_looked_at_is_not_taken_for_the_new_one(store, tmp_path):
    folder = tmp_path / "one"
    folder.mkdir()
    with in_use(folder) as is_there:
        assert is_there
        with unused(folder) as is_unused:
            assert not is_unused
        folder.rename(tmp_path / "aside")
        folder.mkdir()
        with unused(folder) as is_unused:
            assert is_unused


def test_what_is_carried_out_is_carried_in(store, tmp_path):
    digest = store.add(b"a wheel")
    other = Store(tmp_path / "other")

    assert carry_out(store, [("a.whl", digest, 7)], tmp_path / "usb") == Cleared(1, 7)
    assert [path.name for path in (tmp_path / "usb").iterdir()] == ["blobs"]
    assert carry_in(other, tmp_path / "usb") == Cleared(1, 7)
    assert other.path(digest).read_bytes() == b"a wheel"


def test_what_is_missing_is_named_before_anything_is_copied(store, tmp_path):
    digest = store.add(b"a wheel")
    gone = [(f"{number}.whl", f"sha256:{number:064}", 1) for number in range(7)]

    with pytest.raises(CogError, match=r"not in the store: 0.whl, .* and 2 more") as caught:
        carry_out(store, [("a.whl", digest, 7), *gone], tmp_path / "usb")
    assert "cog-oci fetch" in caught.value.hint
    assert not (tmp_path / "usb").exists()


def test_what_was_damaged_on_the_way_is_refused(store, tmp_path):
    digest = store.add(b"a wheel")
    carry_out(store, [("a.whl", digest, 7)], tmp_path / "usb")
    Store(tmp_path / "usb").path(digest).write_bytes(b"a whale")
    other = Store(tmp_path / "other")

    with pytest.raises(DigestMismatchError):
        carry_in(other, tmp_path / "usb")
    assert not other.has(digest)


def test_a_folder_of_something_else_is_refused(store, tmp_path):
    with pytest.raises(CogError, match="holds no blobs"):
        carry_in(store, tmp_path)
