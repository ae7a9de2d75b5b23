"""One lock and one folder of code make one digest, whatever is around them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest

from cog_oci.lock import Lock
from cog_oci.origins import uv
from cog_oci.store import Store
from tests.conftest import need
from tests.images.conftest import ROOT, Example, cog_oci

pytestmark = pytest.mark.network


def only_fetched(example: Example, folder: Path) -> Store:
    """A store with what was fetched for the example, and nothing of what was built."""
    first, store = Store(example.store), Store(folder)
    for artifact in Lock.read(example.folder / "cog.lock").platforms["linux/amd64"].artifacts():
        store.path(artifact.digest).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(first.path(artifact.digest), store.path(artifact.digest))
    return store


def test_two_builds_with_everything_around_them_different_have_one_digest(filetype, tmp_path):
    need("unshare", "taskset")
    elsewhere = tmp_path / "somewhere else" / "modèle"
    shutil.copytree(filetype.folder, elsewhere)
    store = only_fetched(filetype, tmp_path / "another store")

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


def other_python(version: str) -> str:
    """A Python of this version on this machine; the test is skipped where there is none."""
    kept = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
    for found in (shutil.which(f"python{version}"), *map(str, kept.glob(f"{version}.*/bin/python"))):
        # A shim of pyenv's is there whether or not that version is chosen.
        if found and not subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode:
            return found
    pytest.skip(f"needs python{version}")


def depended_on(name: str) -> set[str]:
    """What a distribution needs and what that needs, in the versions that are installed here."""
    needs: dict[str, str] = {}
    left = [name]
    while left:
        found = distribution(left.pop())
        for line in found.requires or ():
            needed = re.match(r"[\w.-]+", line)[0]
            if "extra ==" not in line and "python_version <" not in line and needed not in needs:
                try:
                    needs[needed] = distribution(needed).version
                except ModuleNotFoundError:  # for another system
                    continue
                left.append(needed)
    return {f"{needed}=={version}" for needed, version in needs.items()}


@pytest.mark.parametrize("version", ["3.12", "3.13", "3.14"])
def test_each_python_that_a_host_may_have_makes_the_same_image(filetype, tmp_path, version):
    python = other_python(version)
    if f"{sys.version_info.major}.{sys.version_info.minor}" == version:
        pytest.skip(f"runs on {version} as it is")
    venv = tmp_path / "venv"
    subprocess.run([uv(), "venv", "-q", "--python", python, str(venv)], check=True)
    wanted = sorted(depended_on("cog-oci"))
    into = ("--python", str(venv / "bin" / "python"), "--no-deps")
    subprocess.run([uv(), "pip", "install", "-q", *into, *wanted], check=True)

    done = subprocess.run(
        [venv / "bin" / "python", "-m", "cog_oci.cli", "image", "-o", str(tmp_path / "x.tar")],
        cwd=filetype.folder,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "COG_CACHE_DIR": str(only_fetched(filetype, tmp_path / "store").root),
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert done.stdout.strip() == filetype.digest, done.stderr


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
