"""Bytecode in a real image, made by its own interpreter and judged by it."""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
from dataclasses import replace

import pytest

from cog_oci.build import build
from cog_oci.bytecode import cannot_compile
from cog_oci.config import Project
from cog_oci.layers import realise
from cog_oci.layers.bytecode import BytecodeLayer
from cog_oci.lock import Lock
from cog_oci.oci import Platform
from cog_oci.plan import artifact_layers
from cog_oci.sandbox import Sandbox
from cog_oci.store import Store
from cog_oci.workshop import Workshop
from tests.images.conftest import ROOT, cog_oci

pytestmark = [pytest.mark.network, pytest.mark.namespaces]

AMD64 = Platform("linux", "amd64")

# Runs in the image: what each module's bytecode is to the import system.
JUDGE = r"""
import importlib.util, json, marshal, pathlib, sys
counts = {"current": 0, "other": [], "none": []}
for folder in sys.argv[1:]:
    for path in pathlib.Path(folder).rglob("*.py"):
        if path.is_symlink():
            continue
        cached = pathlib.Path(importlib.util.cache_from_source(str(path)))
        if not cached.exists():
            try:
                compile(path.read_bytes(), str(path), "exec")
            except (SyntaxError, ValueError):
                continue
            counts["none"].append(str(path))
            continue
        data = cached.read_bytes()
        head = importlib.util.MAGIC_NUMBER + b"\1\0\0\0" + importlib.util.source_hash(path.read_bytes())
        if data[:16] == head and marshal.loads(data[16:]).co_filename == str(path):
            counts["current"] += 1
        else:
            counts["other"].append(str(path))
print(json.dumps(counts))
"""


@pytest.fixture(autouse=True)
def _runs_here():
    if reason := cannot_compile(AMD64):
        pytest.skip(reason)


def image_of(example, lock: Lock | None = None):
    found = Project.find(example.folder)
    return build(found, AMD64, lock or Lock.read(found.lock_path), Workshop(Store(example.store))).image


def said(image, store: Store, *command: str) -> str:
    with Sandbox(image, store).start(command, stdout=subprocess.PIPE) as process:
        words, _ = process.communicate(timeout=300)
        assert process.returncode == 0
    return words.decode()


def test_every_module_has_bytecode_that_its_interpreter_takes_for_its_own(filetype):
    image, store = image_of(filetype), Store(filetype.store)

    folders = ("/usr/lib/python3.13", "/opt/cog", "/opt/venv/lib/python3.13/site-packages")
    found = json.loads(said(image, store, "/usr/bin/python3.13", "-B", "-W", "ignore", "-c", JUDGE, *folders))

    assert found["other"] == found["none"] == []
    assert found["current"] > 1500


def test_the_server_loads_without_compiling_anything(filetype):
    locked, store = Lock.read(filetype.folder / "cog.lock"), Store(filetype.store)
    parts = replace(locked.platform(AMD64), bytecode=False)
    plain = replace(locked, platforms={str(AMD64): parts})
    # What an interpreter compiles to import, it writes down.
    load = "import sys; sys.path.insert(0, '/opt/cog/server'); import cog_oci.server.serving"
    count = f"""touch /tmp/now && "$0" -I -S -c "{load}" && find / -xdev -name '*.pyc' -newer /tmp/now | wc -l"""

    compiled_by = [
        int(said(image_of(filetype, lock), store, "/bin/sh", "-c", count, "/usr/bin/python3.13"))
        for lock in (locked, plain)
    ]

    assert compiled_by[0] == 0
    assert compiled_by[1] > 300


def test_compiled_again_elsewhere_it_is_the_same(filetype, tmp_path):
    parts = Lock.read(filetype.folder / "cog.lock").platform(AMD64)
    recorded = {layer.recipe: layer.diff_id for layer in parts.layers}
    first, second = Store(filetype.store), Store(tmp_path / "another")
    for artifact in parts.artifacts():
        second.path(artifact.digest).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(first.path(artifact.digest), second.path(artifact.digest))

    again = [layer for layer in artifact_layers(parts, "none") if isinstance(layer, BytecodeLayer)]

    assert len(again) >= 3
    # Backwards, and without compression: neither is part of what a layer is.
    for layer in reversed(again):
        assert realise(layer, second, compression="none").diff_id == recorded[layer.recipe]


def test_an_image_without_bytecode_has_the_same_other_layers_and_works(filetype, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(filetype.folder, copy)
    as_of = Lock.read(copy / "cog.lock").as_of

    cog_oci("lock", "--as-of", as_of, "--no-bytecode", cwd=copy, COG_CACHE_DIR=str(filetype.store))
    done = cog_oci(*("run", "--json", "-i", f"file=@{ROOT / 'README.md'}"), cwd=copy, COG_CACHE_DIR=str(filetype.store))

    assert json.loads(done.stdout)["output"]["label"] == "markdown"
    cog_oci("image", "-o", str(tmp_path / "plain.tar"), cwd=copy, COG_CACHE_DIR=str(filetype.store))
    with tarfile.open(tmp_path / "plain.tar") as plain, tarfile.open(filetype.archive) as compiled:
        ours, theirs = (set(json.load(one.extractfile("manifest.json"))[0]["Layers"]) for one in (plain, compiled))
    assert ours < theirs


def test_a_host_that_cannot_run_it_says_so_before_it_fetches_anything(filetype, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(filetype.folder, copy)

    done = cog_oci(
        *("image", "-o", str(tmp_path / "x.tar")),
        cwd=copy,
        check=False,
        PATH="/nonexistent",
        COG_CACHE_DIR=str(tmp_path / "empty"),
    )

    assert done.returncode == 1
    assert "only the Python of the image can make: there is no `unshare` on PATH" in done.stderr
    assert "cog-oci lock --no-bytecode" in done.stderr
    assert not list((tmp_path / "empty").glob("blobs/sha256/*"))


def test_a_lock_asks_for_bytecode_where_this_host_can_make_it(filetype, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(filetype.folder, copy)

    done = cog_oci("lock", "--platform", "linux/amd64,linux/arm64", cwd=copy, COG_CACHE_DIR=str(filetype.store))

    locked = Lock.read(copy / "cog.lock")
    assert {name: parts.bytecode for name, parts in locked.platforms.items()} == {
        "linux/amd64": True,
        "linux/arm64": False,
    }
    assert "images for linux/arm64 will compile their Python at every start: the image is for arm64" in done.stderr
