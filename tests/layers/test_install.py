"""A wheel lies in a layer as `installer` lays it on a disk, its RECORD included."""

from __future__ import annotations

import csv
import io
import zipfile

import pytest
from installer import install
from installer.destinations import SchemeDictionaryDestination
from installer.sources import WheelFile

from cog_oci.errors import CogError
from cog_oci.layers._install import install_wheels, venv
from tests.conftest import keep_wheel, make_wheel

SITE = "opt/venv/lib/python3.13/site-packages"
FILES = {
    "demo/__init__.py": b"x = 1\n",
    'demo/a "b" c.txt': b"quoted in RECORD",
    "demo/data.bin": bytes(range(256)) * 300,
    "demo.py": b"",
    "demo-1.0.data/purelib/pure.py": b"pure",
    "demo-1.0.data/platlib/plat.so": b"plat",
    "demo-1.0.data/data/share/demo.txt": b"data",
    "demo-1.0.data/headers/demo.h": b"header",
    "demo-1.0.data/scripts/tool": b"#!python\nprint(1)\n",
}


def rows(record: bytes) -> list[list[str]]:
    """Sorted, without the `./` that installer puts before what a `.data` folder had."""
    return sorted([path.removeprefix("./"), *rest] for path, *rest in csv.reader(io.StringIO(record.decode())))


def test_the_files_and_record_are_those_of_installer(store, tmp_path):
    path = make_wheel(tmp_path, "demo", FILES, entry_points="[console_scripts]\nrun = demo:main\n")
    prefix = venv("3.13")
    folders = {key: str(tmp_path / "there" / folder) for key, folder in prefix.schemes.items()}
    destination = SchemeDictionaryDestination(folders, interpreter=prefix.executable, script_kind="posix")
    with WheelFile.open(path) as source:
        install(source, destination, {"INSTALLER": b"cog-oci\n"})
    written = {
        file.relative_to(tmp_path / "there").as_posix(): file.read_bytes()
        for file in (tmp_path / "there").rglob("*")
        if file.is_file()
    }

    with install_wheels([keep_wheel(store, path)], prefix, store) as entries:
        ours = {entry.path: b"".join(entry.content.chunks()) for entry in entries}

    record = f"{SITE}/demo-1.0.dist-info/RECORD"
    assert rows(ours.pop(record)) == rows(written.pop(record))
    assert ours == written


def test_a_package_that_carries_the_metadata_of_another_keeps_it(store, tmp_path):
    wheel = keep_wheel(store, make_wheel(tmp_path, "demo", {"demo/x-1.dist-info/METADATA": b"inside"}))

    with install_wheels([wheel], venv("3.13"), store) as entries:
        assert f"{SITE}/demo/x-1.dist-info/METADATA" in {entry.path for entry in entries}


def test_bytecode_of_another_machine_is_left_out(store, tmp_path):
    files = {"demo/__pycache__/a.pyc": b"x", "demo-1.0.dist-info/__pycache__/b.pyc": b"x", "demo/my__pycache__.py": b""}
    wheel = keep_wheel(store, make_wheel(tmp_path, "demo", files))

    with install_wheels([wheel], venv("3.13"), store) as entries:
        paths = {entry.path for entry in entries}
    assert f"{SITE}/demo/my__pycache__.py" in paths
    assert not any(path.endswith(".pyc") for path in paths)


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("demo/x.py,no-hash,3", "`hash` does not follow the required format"),
        ("demo/x.py,nonsense=abc,3", "invalid hash algorithm 'nonsense'"),
        ("demo/x.py,,three", "`size` cannot be non-integer"),
        ("demo/x.py,", "expected 3 elements, got 2"),
    ],
)
def test_a_record_that_cannot_be_read_is_an_error_with_the_wheel_in_it(store, tmp_path, row, fault):
    path = make_wheel(tmp_path, "demo", {"demo/x.py": b"x"})
    broken = tmp_path / "broken" / path.name
    broken.parent.mkdir()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(broken, "w") as new:
        for info in old.infolist():
            data = old.read(info)
            new.writestr(info.filename, row.encode() if info.filename.endswith("/RECORD") else data)

    with (
        pytest.raises(CogError, match=f"demo-1.0-py3-none-any.whl is not a wheel that can be installed: .*{fault}"),
        install_wheels([keep_wheel(store, broken)], venv("3.13"), store),
    ):
        pass
