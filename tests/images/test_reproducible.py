"""One lock and one folder of code make one digest, whatever is around them."""

from __future__ import annotations

import shutil

import pytest

from cog_oci.lock import Lock
from cog_oci.store import Store
from tests.conftest import need
from tests.images.conftest import cog_oci

pytestmark = pytest.mark.network


def test_two_builds_with_everything_around_them_different_have_one_digest(filetype, tmp_path):
    need("unshare", "taskset")
    elsewhere = tmp_path / "somewhere else" / "modèle"
    shutil.copytree(filetype.folder, elsewhere)
    store = Store(tmp_path / "another store")
    # What was fetched comes along; what was built does not.
    first = Store(filetype.store)
    for artifact in Lock.read(elsewhere / "cog.lock").platforms["linux/amd64"].artifacts():
        store.path(artifact.digest).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(first.path(artifact.digest), store.path(artifact.digest))

    ordinary_user_on_one_core = ("unshare", "--user", "--map-user=1000", "--map-group=1000", "--", "taskset", "-c", "0")
    done = cog_oci(
        *("image", "-t", "other/name:tag", "-o", str(tmp_path / "other.tar")),
        cwd=elsewhere,
        prefix=("sh", "-c", 'umask 077; exec "$@"', "sh", *ordinary_user_on_one_core),
        COG_CACHE_DIR=str(store.root),
        TZ="Pacific/Kiritimati",
        LC_ALL="C",
        PYTHONHASHSEED="4711",
        PYTHONUTF8="0",
        HOME=str(tmp_path),
        SOURCE_DATE_EPOCH="1",
    )

    assert done.stdout.strip() == filetype.digest


def test_a_second_build_fetches_and_builds_nothing(filetype, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in (filetype.store / "blobs").rglob("*")}

    done = cog_oci(
        *("image", "-o", str(tmp_path / "again.tar")),
        cwd=filetype.folder,
        COG_CACHE_DIR=str(filetype.store),
        # Anything that asked for an address would fail.
        COG_MIRROR_DEBIAN="http://127.0.0.1:9/debian",
        UV_DEFAULT_INDEX="http://127.0.0.1:9/simple",
    )

    assert done.stdout.strip() == filetype.digest
    assert {path: path.stat().st_mtime_ns for path in (filetype.store / "blobs").rglob("*")} == before


def test_the_same_time_gives_the_same_lock(filetype, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(filetype.folder, copy)
    before = (copy / "cog.lock").read_bytes()
    as_of = Lock.read(copy / "cog.lock").as_of

    cog_oci("lock", "--as-of", as_of, cwd=copy, COG_CACHE_DIR=str(filetype.store))

    assert (copy / "cog.lock").read_bytes() == before


def test_one_changed_line_changes_one_layer(filetype, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(filetype.folder, copy)
    blobs = set((filetype.store / "blobs").rglob("*"))
    with (copy / "run.py").open("a") as file:
        file.write("# changed\n")

    done = cog_oci("image", "-o", str(tmp_path / "x.tar"), cwd=copy, COG_CACHE_DIR=str(filetype.store))

    assert done.stdout.strip() != filetype.digest
    (new,) = set((filetype.store / "blobs").rglob("*")) - blobs
    assert new.stat().st_size < 10_000
