"""A GPU image with the CUDA that Debian has, for real."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cog_oci import build
from cog_oci.closed_world.check import examine
from cog_oci.config import Project
from cog_oci.cuda_index import cuda_index
from cog_oci.fetch import Fetcher
from cog_oci.lock import Lock
from cog_oci.oci import Platform
from cog_oci.origins import Origins
from cog_oci.resolver import debian
from cog_oci.sandbox import Sandbox
from cog_oci.store import Store
from tests.cli.in_process import command
from tests.conftest import need

pytestmark = pytest.mark.network


@pytest.fixture
def small(monkeypatch):
    """An index in which Debian's CUDA is its runtime alone: the rest is 700 MB of the same kind."""
    index = cuda_index()
    rows = tuple(replace(row, libraries=("libcudart12",)) for row in index.debian if row.suite == "trixie")
    monkeypatch.setattr("cog_oci.cuda_index.cuda_index", lambda: replace(index, debian=rows))


@pytest.mark.namespaces
def test_an_image_with_debians_cuda_finds_its_libraries_and_says_what_it_requires(small, cache, tmp_path, monkeypatch):
    need("unshare")
    monkeypatch.setenv("COG_CACHE_DIR", str(cache))
    (tmp_path / "cog.yaml").write_text("build:\n  gpu: true\n")

    command("lock", cwd=tmp_path)
    said = command("image", cwd=tmp_path).stderr

    assert "warning" not in said
    project, store, platform = Project.find(tmp_path), Store(cache), Platform("linux", "amd64")
    lock = Lock.read(project.lock_path)
    parts = lock.platform(platform)
    [cudart] = [deb for deb in parts.debs if deb.name == "libcudart12"]
    assert (parts.requires.cuda, parts.requires.driver) == ("12.4", "525")
    assert re.match(r"12\.4\.\d+", cudart.version)
    image = build.identify(project, platform, lock, build.Workshop(store))
    assert image.config.env["NVIDIA_REQUIRE_CUDA"] == "cuda>=12.4 driver>=525"
    assert (image.config.env["NVIDIA_VISIBLE_DEVICES"], image.config.env["NVIDIA_DRIVER_CAPABILITIES"]) == (
        "all",
        "compute,utility",
    )
    assert json.loads(image.config.labels["run.cog.config"])["build"]["gpu"] is True
    assert examine(image, store) == []
    program = (
        "ldconfig -p; python3.13 -c 'import ctypes; print(ctypes.CDLL(\"libcudart.so.12\").cudaRuntimeGetVersion)'"
    )
    with Sandbox(image, store).start(["sh", "-c", program], stdout=subprocess.PIPE) as process:
        listed = process.communicate()[0].decode()
        assert process.returncode == 0
    assert "libcudart.so.12 (libc6,x86-64) => /lib/x86_64-linux-gnu/libcudart.so.12" in listed
    assert "_FuncPtr" in listed


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
@pytest.mark.parametrize("row", cuda_index().debian, ids=lambda row: row.suite)
def test_every_library_that_the_index_names_is_in_debian_of_that_release_and_needs_no_driver(row, architecture, store):
    now, fetcher = datetime.now(UTC).replace(microsecond=0), Fetcher(store)
    suites = [replace(suite, components=row.components) for suite in debian.suites(row.suite)[:1]]
    resolver = debian.DebianResolver(fetcher, store, suites, architecture, Origins(fetcher, now).archive, now)

    found = {deb.name: deb.version for deb in resolver.resolve([], row.libraries).debs}

    assert set(row.libraries) <= set(found)
    assert row.cuda in next(version for name, version in found.items() if name.startswith("libcudart"))
    assert not [name for name in found if name.startswith(("libcuda1", "nvidia-"))]
