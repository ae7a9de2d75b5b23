"""Source archives are unpacked into their own folder, and read for who builds them."""

from __future__ import annotations

import io
import tarfile
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest

from cog_oci.errors import CogError
from cog_oci.sources._trees import System, build_system, static_metadata, unpack


def tar(path, files: dict[str, bytes], mode: str = "w:gz"):
    with tarfile.open(path, mode) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


@pytest.mark.parametrize(("name", "mode"), [("a-1.tar.gz", "w:gz"), ("a-1.tar.bz2", "w:bz2"), ("a-1.tar.xz", "w:xz")])
def test_every_kind_of_archive_is_unpacked_to_its_project(tmp_path, name, mode):
    path = tar(tmp_path / name, {"a-1/setup.py": b"x"}, mode)

    project = unpack(path, name, tmp_path / "into")

    assert (project.name, (project / "setup.py").read_bytes()) == ("a-1", b"x")


def test_a_zip_without_a_folder_is_the_project_itself(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("setup.py", "x")
        archive.writestr("a.py", "")

    assert unpack(tmp_path / "a.zip", "a-1.ZIP", tmp_path / "into") == tmp_path / "into"


@pytest.mark.parametrize("name", ["../escaped", "/tmp/escaped", "a/../../escaped"])
def test_nothing_is_written_outside(tmp_path, name):
    path = tar(tmp_path / "a.tar.gz", {name: b"x"})
    (tmp_path / "into").mkdir()

    with suppress(CogError):
        unpack(path, "a.tar.gz", tmp_path / "into")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a.tar.gz", "into"]
    assert not Path("/tmp/escaped").exists()


@pytest.mark.parametrize("name", ["a.tar.gz", "a.zip"])
def test_what_is_damaged_says_so(tmp_path, name):
    (tmp_path / name).write_bytes(b"\x1f\x8bnonsense")

    with pytest.raises(CogError, match=f"{name} is not a source archive"):
        unpack(tmp_path / name, name, tmp_path / "into")


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"setup.py": ""}, System(("setuptools>=40.8.0",), "setuptools.build_meta:__legacy__", ())),
        ({"pyproject.toml": ""}, System(("setuptools>=40.8.0",), "setuptools.build_meta:__legacy__", ())),
        (
            {"pyproject.toml": '[build-system]\nrequires = ["a"]\nbuild-backend = "b:c"\nbackend-path = ["."]\n'},
            System(("a",), "b:c", (".",)),
        ),
    ],
)
def test_who_builds_it_is_said_or_setuptools(tmp_path, files, expected):
    for name, text in files.items():
        (tmp_path / name).write_text(text)

    assert build_system(tmp_path, "a") == expected


@pytest.mark.parametrize(
    "text", ["[", "[build-system]\nrequires = 'a'", "build-system = 3", "[build-system]\nrequires=[1]"]
)
def test_a_pyproject_that_cannot_be_read_says_so(tmp_path, text):
    (tmp_path / "pyproject.toml").write_text(text)

    with pytest.raises(CogError, match=r"a: pyproject\.toml: "):
        build_system(tmp_path, "a")


def test_a_folder_that_is_no_project_says_so(tmp_path):
    with pytest.raises(CogError, match=r"a has neither pyproject\.toml nor setup\.py"):
        build_system(tmp_path, "a")


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("Metadata-Version: 2.2\nName: a\nVersion: 1\n", True),
        ("Metadata-Version: 2.4\nName: a\nVersion: 1\nDynamic: Description\n", True),
        ("Metadata-Version: 2.2\nName: a\nVersion: 1\nDynamic: Requires-Dist\n", False),
        ("Metadata-Version: 2.1\nName: a\nVersion: 1\n", False),
        ("Name: a\n", False),
        ("Metadata-Version: x\n", False),
    ],
)
def test_metadata_counts_before_a_build_only_where_it_promises_to_stay(tmp_path, text, known):
    (tmp_path / "PKG-INFO").write_text(text)

    assert (static_metadata(tmp_path) is not None) == known
