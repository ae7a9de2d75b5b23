"""cuda-index.json: what is said in it fits together, and what wheels say of themselves is what it says."""

from __future__ import annotations

import json
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from cog_oci import shipped
from cog_oci.cuda_index import CudaIndex, WheelRow, cuda_index, numbers
from cog_oci.errors import CogError
from cog_oci.fetch import Fetcher
from cog_oci.origins import default_index

ROOT = Path(__file__).parents[1]
INDEX = cuda_index()
TABLES = (
    "archives",
    "capability_floors",
    "cuda",
    "cudnn",
    "debian",
    "tensorflow",
    "torch",
    "torch_architectures",
    "wheels",
)


@pytest.fixture(scope="module")
def script():
    """scripts/refresh-cuda-index as a module."""
    loader = SourceFileLoader("refresh_cuda_index", str(ROOT / "scripts" / "refresh-cuda-index"))
    module = module_from_spec(spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


def test_what_ships_is_read_unchecked_and_would_pass_the_check():
    cuda_index.cache_clear()

    assert cuda_index() == CudaIndex.from_bytes(shipped.cuda_index().read_bytes())


def test_a_file_that_was_changed_is_checked_after_all(tmp_path, monkeypatch):
    values = json.loads(shipped.cuda_index().read_bytes())
    del values["cuda"][0]["driver"]
    (tmp_path / "cuda-index.json").write_text(json.dumps(values))
    monkeypatch.setattr(shipped, "cuda_index", lambda: tmp_path / "cuda-index.json")
    cuda_index.cache_clear()

    with pytest.raises(CogError, match=r"cuda-index\.json: cuda\.0"):
        cuda_index()
    cuda_index.cache_clear()


def test_the_file_is_canonical():
    data = shipped.cuda_index().read_bytes()

    assert INDEX.to_bytes() == data
    assert json.loads(data)["version"] == 1


def test_every_row_says_where_it_is_from_and_every_source_is_used():
    rows = [row for table in TABLES for row in getattr(INDEX, table)]

    assert {row.source for row in rows} == set(INDEX.sources)


@pytest.mark.parametrize("table", ["cuda", "cudnn", "tensorflow", "torch"])
def test_rows_are_in_the_order_of_their_versions_and_each_is_there_once(table):
    versions = [numbers(row.version) for row in getattr(INDEX, table)]

    assert versions == sorted(set(versions))


def test_wheels_are_in_order_and_each_is_there_once():
    keys = [(row.package, numbers(row.version)) for row in INDEX.wheels]

    assert keys == sorted(set(keys))


def test_newer_cuda_needs_newer_drivers_and_never_an_older_floor():
    drivers = [(numbers(row.driver), numbers(row.floor)) for row in INDEX.cuda]

    assert drivers == sorted(drivers)
    assert all(floor <= driver for driver, floor in drivers)
    assert {row.version.split(".")[0]: row.floor for row in INDEX.cuda} == {
        "10": "440.33",  # from before minor versions were compatible
        "11": "450",
        "12": "525",
        "13": "580",
    }


def test_the_driver_of_every_cuda_that_something_here_asks_for_is_known():
    exact = {row.runtime for row in INDEX.wheels if row.runtime[0].isdigit()}
    asked = {".".join(version.split(".")[:2]) for version in exact}
    asked |= {row.cuda for row in (*INDEX.tensorflow, *INDEX.debian, *INDEX.torch_architectures)}
    asked |= {version for row in INDEX.torch for version in row.variants}

    assert [version for version in sorted(asked) if INDEX.release(version) is None] == []


def test_what_wheels_say_and_what_the_tables_say_agree():
    variants = {row.version: row.variants for row in INDEX.torch}
    for row in INDEX.wheels:
        cuda = ".".join(row.runtime.split(".")[:2])
        if row.package == "torch" and row.version in variants:
            assert cuda in variants[row.version], row
        if row.package == "tensorflow":
            said = next(one for one in INDEX.tensorflow if row.version.startswith(f"{one.version}."))
            exact = f"{said.cuda}.99"
            assert exact in SpecifierSet(row.runtime) if not row.runtime[0].isdigit() else cuda == said.cuda, row


def test_nothing_is_taken_from_an_archive_without_a_fingerprint_and_those_that_have_one_agree():
    known = {row.fingerprint for row in INDEX.archives if row.fingerprint}

    assert known == {"eb693b3035cd5710e231e123a4b469963bf863cc"}
    assert {(row.suite, row.architecture) for row in INDEX.archives} == {
        (suite, architecture) for suite in ("bookworm", "trixie") for architecture in ("amd64", "arm64")
    }


def test_a_release_is_found_by_its_first_two_numbers():
    assert INDEX.release("12.4.1") == INDEX.release("12.4")
    assert INDEX.release("12.7") is None


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"version": 2}, "version"),
        ({"cuda": [{"version": "12"}]}, "cuda.0"),
        ({"more": 1}, "more"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_with_the_place(change, where):
    with pytest.raises(CogError, match=f"cuda-index.json: {where}"):
        CudaIndex.from_bytes(json.dumps({**json.loads(INDEX.to_bytes()), **change}).encode())


METADATA = """\
Metadata-Version: 2.1
Name: demo
Requires-Dist: numpy
Requires-Dist: nvidia-cuda-runtime-cu12==12.4.127; platform_system == "Linux" and platform_machine == "x86_64"
Requires-Dist: nvidia-cudnn-cu12<10,>=9.1; extra == "with-cuda"
Requires-Dist: nvidia-nccl-cu12==2.21.5; extra == "other"
Requires-Dist: nvidia-cuda-runtime-cu11==11.8.89; platform_system == "Windows"
"""


def test_what_a_wheel_needs_of_cuda_is_read_from_its_metadata(script):
    assert script.row("jax-cuda12-plugin", "0.7.2", METADATA.encode()) == WheelRow(
        package="jax-cuda12-plugin",
        extras=("with-cuda",),
        version="0.7.2",
        runtime="12.4.127",
        cudnn="<10,>=9.1",
        nccl="",
        source="wheels",
    )


@pytest.mark.network
@pytest.mark.parametrize(("package", "version"), [("torch", "2.9.1"), ("torch", "2.12.1"), ("tensorflow", "2.19.1")])
def test_rows_are_what_the_wheels_on_the_index_say(script, store, package, version):
    fetcher = Fetcher(store)
    page = f"{default_index().rstrip('/')}/{package}/"
    files = json.loads(fetcher.get(page, limit=1 << 26, accept=script.JSON))["files"]
    [(_, file)] = script.newest(file for file in files if f"-{version}-" in file["filename"]).values()

    said = script.row(package, version, script.metadata(file, file["url"], fetcher))

    assert said in INDEX.wheels
