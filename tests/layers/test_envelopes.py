"""One layer, three envelopes: one diff ID, whoever opens them."""

from __future__ import annotations

import gzip
import hashlib
import io
import subprocess
import sys

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cog_oci.layers import COMPRESSIONS, made_by, realise, render
from cog_oci.layers._tar import Bytes, Entry
from cog_oci.layers.wheels import WheelLayer
from cog_oci.oci import MediaType
from cog_oci.store import Store
from tests.conftest import keep_wheel, make_wheel, need
from tests.layers.test_realise import Listed

OPEN = {
    "gzip": gzip.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
    "none": lambda data: data,
}
TYPES = {"gzip": MediaType.LAYER_GZIP, "zstd": MediaType.LAYER_ZSTD, "none": MediaType.LAYER}


def wheel_layer(store: Store, folder, files: dict[str, bytes]) -> WheelLayer:
    return WheelLayer("3.13", "/usr/bin/python3.13", (keep_wheel(store, make_wheel(folder, "demo", files)),))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(
    st.dictionaries(
        st.from_regex(r"[a-z]{1,8}(/[a-z]{1,30}){0,3}\.py", fullmatch=True),
        st.one_of(st.binary(max_size=300), st.integers(0, 150_000).map(lambda size: b"xyz\n" * (size // 4))),
        max_size=12,
    )
)
def test_every_envelope_inflates_to_the_diff_id(tmp_path_factory, files):
    folder = tmp_path_factory.mktemp("envelopes")
    store = Store(folder / "store")
    layer = wheel_layer(
        store, folder, {f"demo_{number}/{name}": data for number, (name, data) in enumerate(files.items())}
    )

    made = {compression: realise(layer, store, compression=compression) for compression in COMPRESSIONS}

    assert len({blob.diff_id for blob in made.values()}) == 1
    for compression, blob in made.items():
        data = store.path(blob.descriptor.digest).read_bytes()
        assert blob.descriptor.media_type == TYPES[compression]
        assert (blob.descriptor.digest, blob.descriptor.size) == (
            "sha256:" + hashlib.sha256(data).hexdigest(),
            len(data),
        )
        plain = OPEN[compression](data)
        assert (blob.diff_id, blob.uncompressed_size) == ("sha256:" + hashlib.sha256(plain).hexdigest(), len(plain))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(st.permutations([(f"d{number}/f{number % 3}", bytes([number]) * number * 999) for number in range(9)]))
def test_any_order_of_the_entries_makes_one_blob(tmp_path_factory, files):
    store = Store(tmp_path_factory.mktemp("order"))

    digests = [
        realise(Listed([Entry.file(*file) for file in files]), store, compression=compression).descriptor.digest
        for compression in COMPRESSIONS
    ]

    assert digests == [
        realise(
            Listed([Entry.file(*file) for file in sorted(files)]), Store(store.root / "other"), compression=one
        ).descriptor.digest
        for one in COMPRESSIONS
    ]


def test_a_tar_in_another_envelope_is_what_a_build_makes(store, tmp_path):
    layer = wheel_layer(store, tmp_path, {f"demo/m{n}.py": b"x = 1\n" * n for n in range(50)})
    plain = realise(layer, store, compression="none")

    for compression in ("zstd", "none"):
        with store.path(plain.descriptor.digest).open("rb") as file:
            again = render("python demo", file, store, compression=compression)
        assert again == realise(layer, store, compression=compression)
    with store.path(plain.descriptor.digest).open("rb") as file:
        assert render("python demo", file, store, compression="gzip").diff_id == plain.diff_id


def test_the_headers_between_transplanted_files_cost_tens_of_bytes(store, tmp_path):
    files = {f"demo/include/ops/some_operator_{n:04}_native.h": b"#pragma once\nint f%d();\n" % n for n in range(2000)}
    layer = wheel_layer(store, tmp_path, files)
    wheel = layer.wheels[0]

    blob = realise(layer, store)

    import zipfile

    with zipfile.ZipFile(store.path(wheel.digest)) as archive:
        streams = sum(info.compress_size for info in archive.infolist())
    assert (blob.descriptor.size - streams) / len(files) < 70
    assert blob.descriptor.size < wheel.size * 1.03


def test_other_programs_open_joined_members(store, tmp_path):
    need("gzip", "tar")
    layer = wheel_layer(store, tmp_path, {f"demo/m{n}.py": b"x = %d\n" % n * n for n in range(300)})
    path = store.path(realise(layer, store).descriptor.digest)

    subprocess.run(["gzip", "--test"], input=path.read_bytes(), check=True)
    listing = subprocess.run(["tar", "tzf", str(path)], capture_output=True, text=True, check=True).stdout
    assert listing.count(".py\n") == 300


@pytest.mark.oracle
def test_libarchive_opens_joined_members(store, tmp_path):
    need("bsdtar")
    layer = wheel_layer(store, tmp_path, {f"demo/m{n}.py": b"x = %d\n" % n * n for n in range(300)})
    path = store.path(realise(layer, store).descriptor.digest)

    listing = subprocess.run(["bsdtar", "tzf", str(path)], capture_output=True, text=True, check=True).stdout
    assert listing.count(".py\n") == 300


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_the_number_of_cores_decides_no_byte(tmp_path, monkeypatch, compression):
    layer = Listed([Entry(path=f"f{n}", content=Bytes(bytes(range(256)) * 2900)) for n in range(12)])
    digests = set()
    for cores in (1, 2, 8):
        monkeypatch.setattr("cog_oci.layers._envelope._cores", lambda cores=cores: cores)
        digests.add(realise(layer, Store(tmp_path / str(cores)), compression=compression).descriptor.digest)

    assert len(digests) == 1


def test_no_bytes_at_all_are_still_a_blob_of_each_kind(store):
    for compression in COMPRESSIONS:
        blob = render("nothing", io.BytesIO(), store, compression=compression)
        assert OPEN[compression](store.path(blob.descriptor.digest).read_bytes()) == b""


def test_an_envelope_names_what_decides_its_bytes():
    assert [made_by(compression).split(":")[0].split("-")[0] for compression in COMPRESSIONS] == list(COMPRESSIONS)


def test_a_failure_leaves_no_thread_behind(store):
    code = """
import sys, threading
from pathlib import Path
from cog_oci.layers import realise
from cog_oci.layers._tar import Bytes, Entry
from cog_oci.store import Store
from tests.layers.test_realise import Listed

class Broken(Bytes):
    def chunks(self):
        yield b"1" * 5
        raise OSError(5, "the disk is gone")

for compression in ("gzip", "zstd", "none"):
    try:
        realise(Listed([Entry(path="a", content=Broken(b"1" * 10))]), Store(Path(sys.argv[1])), compression=compression)
    except OSError:
        pass
    else:
        sys.exit("it did not fail")
assert threading.active_count() == 1, threading.enumerate()
"""
    subprocess.run([sys.executable, "-c", code, str(store.root)], check=True, timeout=60)
