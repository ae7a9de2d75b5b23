"""A wheel's bytes are those of its files, not of the moment and the place that it was made at."""

from __future__ import annotations

import random
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from installer.sources import WheelFile

from cog_oci.errors import CogError
from cog_oci.sources._normal import normalised
from tests.conftest import make_wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    files = {"a.py": b"a = 1\n", "b/__init__.py": b"", "a-1.0.data/scripts/run": b"#!python\n"}
    return make_wheel(tmp_path_factory.mktemp("wheel"), "a", files)


def packed_otherwise(wheel, path, seed: int):
    """The same files in another order, of other times, modes and compression, and with what building leaves behind."""
    chance = random.Random(seed)
    with zipfile.ZipFile(wheel) as archive:
        contents = [(name, archive.read(name)) for name in archive.namelist()]
    chance.shuffle(contents)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("b/__pycache__/x.cpython-313.pyc", bytes([seed % 256]))
        for name, data in contents:
            info = zipfile.ZipInfo(name, (1980 + chance.randrange(100), 2, 3, 4, 5, 6))
            info.external_attr = chance.choice([0o644, 0o600, 0o664]) << 16
            info.compress_type = chance.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
            archive.writestr(info, data)
    return path


@given(seed=st.integers(0, 2**16))
def test_however_it_was_packed_it_is_the_same_wheel(wheel, tmp_path_factory, seed):
    other = packed_otherwise(wheel, tmp_path_factory.mktemp("other") / wheel.name, seed)

    assert normalised(other) == normalised(wheel)


def test_it_can_be_installed_and_its_record_is_true(wheel, tmp_path):
    path = tmp_path / wheel.name
    path.write_bytes(normalised(packed_otherwise(wheel, tmp_path / "other.whl", 7)))

    with WheelFile.open(path) as source:
        source.validate_record()
        names = {record[0] for record, _, _ in source.get_contents()}

    assert "a.py" in names
    assert not any(name.endswith(".pyc") for name in names)


def test_what_can_be_run_stays_so(tmp_path):
    path = make_wheel(tmp_path, "a", {"run.sh": b"#!/bin/sh\n"})
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in contents.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (0o700 if name == "run.sh" else 0o600) << 16
            archive.writestr(info, data)

    path.write_bytes(normalised(path))

    with zipfile.ZipFile(path) as archive:
        modes = {info.filename: info.external_attr >> 16 & 0o777 for info in archive.infolist()}
    assert modes.pop("run.sh") == 0o755
    assert set(modes.values()) == {0o644}


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"not a zip"])
def test_what_is_no_wheel_says_so(tmp_path, data):
    path = tmp_path / "a-1.0-py3-none-any.whl"
    path.write_bytes(data)

    with pytest.raises(CogError, match=r"a-1\.0-py3-none-any\.whl is not a wheel"):
        normalised(path)
