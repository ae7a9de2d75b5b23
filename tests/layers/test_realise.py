"""From entries to blobs: both digests are true, whoever inflates, and a layer is made once."""

from __future__ import annotations

import gzip
import hashlib
import io
import subprocess
import tarfile
import threading
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cog_oci.errors import CogError
from cog_oci.layers import realise, recipe
from cog_oci.layers._tar import Bytes, Entry
from cog_oci.layers.wheels import WheelLayer, group
from cog_oci.store import Store
from tests.conftest import keep_wheel, make_wheel, need


@dataclass
class Listed:
    """A layer of given entries that counts how often it is made."""

    entries: list[Entry]
    name: str = "listed"
    why: str = "a test asks for it"
    artifacts: tuple[()] = ()
    made: list[int] = field(default_factory=list)

    @property
    def recipe(self) -> str:
        return recipe("listed", 1, entries=[[e.path, e.size] for e in self.entries])

    @contextmanager
    def open(self, store: Store):
        self.made.append(1)
        yield self.entries


def blob(store: Store, layer) -> tuple[bytes, object]:
    made = realise(layer, store)
    return store.path(made.descriptor.digest).read_bytes(), made


def test_both_digests_are_those_of_the_bytes(store):
    data, made = blob(store, Listed([Entry.file("a", b"x" * 5_000_000), Entry.file("b/c", b"y")]))

    plain = gzip.decompress(data)
    assert made.descriptor.digest == "sha256:" + hashlib.sha256(data).hexdigest()
    assert made.diff_id == "sha256:" + hashlib.sha256(plain).hexdigest()
    assert (made.descriptor.size, made.uncompressed_size) == (len(data), len(plain))


def test_a_known_layer_is_not_made_again(store):
    layer = Listed([Entry.file("a", b"1")])

    first, second = realise(layer, store), realise(layer, store)

    assert first == second
    assert len(layer.made) == 1


def test_the_name_of_a_layer_is_the_askers_and_not_the_stores(store):
    realise(Listed([Entry.file("a", b"1")], name="first"), store)

    assert realise(Listed([Entry.file("a", b"1")], name="second"), store).name == "second"


def test_two_builds_at_once_make_a_layer_once(store):
    layer = Listed([Entry.file("a", b"1" * 3_000_000)])
    results = []

    threads = [threading.Thread(target=lambda: results.append(realise(layer, store))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({result.diff_id for result in results}) == 1
    assert len(layer.made) == 1


def test_a_failure_in_the_middle_leaves_nothing_behind(store):
    class Broken:
        size = 10

        def chunks(self):
            yield b"12345"
            raise OSError(5, "the disk is gone")

        def deflated(self):
            return None

    with pytest.raises(OSError, match="the disk is gone"):
        realise(Listed([Entry.file("a", b"1" * 2_000_000), Entry(path="b", content=Broken())]), store)

    left = [path for path in store.root.rglob("*") if path.is_file() and "claims" not in path.parts]
    assert left == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20, deadline=None)
@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}\.py", fullmatch=True), st.binary(max_size=3000), min_size=1))
def test_a_transplanted_wheel_inflates_to_the_same_files(tmp_path_factory, files):
    folder = tmp_path_factory.mktemp("wheel")
    store = Store(folder / "store")
    wheel = keep_wheel(store, make_wheel(folder, "demo", {f"demo/{name}": data for name, data in files.items()}))

    data, _ = blob(store, WheelLayer("3.13", "/usr/bin/python3.13", (wheel,)))

    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for name, content in files.items():
            found = archive.extractfile(f"opt/venv/lib/python3.13/site-packages/demo/{name}")
            assert found.read() == content


def test_other_programs_accept_a_transplanted_layer(store, tmp_path):
    need("gzip", "tar")
    wheel = keep_wheel(store, make_wheel(tmp_path, "demo", {f"demo/m{n}.py": b"x = 1\n" * n for n in range(200)}))
    made = realise(WheelLayer("3.13", "/usr/bin/python3.13", (wheel,)), store)

    path = store.path(made.descriptor.digest)
    subprocess.run(["gzip", "--test"], input=path.read_bytes(), check=True)
    listing = subprocess.run(["tar", "tzf", str(path)], capture_output=True, text=True, check=True).stdout
    assert "opt/venv/lib/python3.13/site-packages/demo/m199.py" in listing


def test_scripts_name_the_interpreter_of_the_image(store, tmp_path):
    wheel = keep_wheel(
        store,
        make_wheel(
            tmp_path,
            "demo",
            {"demo/__init__.py": b"", "demo-1.0.data/scripts/tool": b"#!python\nprint(1)\n"},
            entry_points="[console_scripts]\ndemo = demo:main\n",
        ),
    )

    data, _ = blob(store, WheelLayer("3.13", "/usr/bin/python3.13", (wheel,)))

    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for script in ("demo", "tool"):
            member = archive.getmember(f"opt/venv/bin/{script}")
            assert member.mode == 0o755
            assert archive.extractfile(member).read().startswith(b"#!/opt/venv/bin/python\n")
        record = archive.extractfile("opt/venv/lib/python3.13/site-packages/demo-1.0.dist-info/RECORD").read().decode()
    assert "../../../bin/demo,sha256=" in record
    assert record.splitlines() == sorted(record.splitlines())


def test_two_wheels_with_different_files_at_one_path_are_refused_across_layers(store, tmp_path):
    first = keep_wheel(store, make_wheel(tmp_path, "first", {"shared/__init__.py": b"1"}))
    second = keep_wheel(store, make_wheel(tmp_path, "second", {"shared/__init__.py": b"2"}))

    layers = group("3.13", "/usr/bin/python3.13", (first, second))

    with pytest.raises(CogError, match=r"first-1\.0.*second-1\.0.*shared/__init__\.py"):
        realise(layers[-1], store)


def test_two_wheels_with_equal_files_at_one_path_are_one(store, tmp_path):
    first = keep_wheel(store, make_wheel(tmp_path, "first", {"shared/__init__.py": b""}))
    second = keep_wheel(store, make_wheel(tmp_path, "second", {"shared/__init__.py": b""}))

    realise(group("3.13", "/usr/bin/python3.13", (first, second))[-1], store)


def test_a_wheel_that_carries_another_inside_is_installed(store, tmp_path):
    files = {"demo/_vendor/other-2.0.dist-info/METADATA": b"Name: other\n", "demo/__init__.py": b""}
    wheel = keep_wheel(store, make_wheel(tmp_path, "demo", files))

    data, _ = blob(store, WheelLayer("3.13", "/usr/bin/python3.13", (wheel,)))

    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        names = archive.getnames()
    assert "opt/venv/lib/python3.13/site-packages/demo/_vendor/other-2.0.dist-info/METADATA" in names


def test_a_wheel_that_leaves_its_folder_is_refused(store, tmp_path):
    wheel = keep_wheel(store, make_wheel(tmp_path, "evil", {"../../etc/passwd": b"root"}))

    with pytest.raises(CogError, match="outside its folder"):
        realise(WheelLayer("3.13", "/usr/bin/python3.13", (wheel,)), store)


@pytest.mark.parametrize("times", [8, 4000], ids=["small", "large"])
def test_a_wheel_with_a_wrong_checksum_inside_is_refused(store, tmp_path, times):
    path = make_wheel(tmp_path, "demo", {"demo/data.bin": bytes(range(256)) * times})
    data = bytearray(path.read_bytes())
    at = data.find(b"PK\x01\x02")  # the first entry of the directory: its CRC follows 16 bytes later
    data[at + 16] ^= 1
    path.write_bytes(data)
    wheel = keep_wheel(store, path)

    with pytest.raises(CogError, match="does not inflate to what its directory says"):
        realise(WheelLayer("3.13", "/usr/bin/python3.13", (wheel,)), store)


@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_a_wheel_whose_directory_says_that_a_file_has_no_stream_is_refused_by_name(store, tmp_path, compression):
    path = make_wheel(tmp_path, "demo", {"demo/data.bin": b"something"})
    data = bytearray(path.read_bytes())
    at = data.find(b"PK\x01\x02") + 20  # the compressed size
    data[at : at + 4] = bytes(4)
    path.write_bytes(data)
    wheel = keep_wheel(store, path)

    with pytest.raises(CogError, match=r"demo-1\.0-py3-none-any\.whl: demo/data\.bin is not one whole deflate stream"):
        realise(WheelLayer("3.13", "/usr/bin/python3.13", (wheel,)), store, compression=compression)


def test_a_wheel_whose_directory_is_not_where_it_says_is_refused_by_name(store, tmp_path):
    path = make_wheel(tmp_path, "demo", {"demo/data.bin": b"something"})
    data = bytearray(path.read_bytes())
    at = data.rfind(b"PK\x05\x06") + 16  # where the directory begins
    data[at : at + 4] = (int.from_bytes(data[at : at + 4], "little") + 50).to_bytes(4, "little")
    path.write_bytes(data)
    wheel = keep_wheel(store, path)

    with pytest.raises(CogError, match=r"demo-1\.0-py3-none-any\.whl: demo/data\.bin has no local header"):
        realise(WheelLayer("3.13", "/usr/bin/python3.13", (wheel,)), store)


@pytest.mark.parametrize(
    ("files", "fault"),
    [
        ({"demo-1.0.data": b"x"}, r"demo-1\.0\.data is in no folder of a scheme"),
        ({"demo-1.0.data/elsewhere/x": b"x"}, r"demo-1\.0\.data/elsewhere/x is in no folder of a scheme"),
        ({"demo-1.0.data/scripts": b"x"}, r"demo-1\.0\.data/scripts is a file where there has to be a folder"),
        ({"nameless": b"x"}, "a file has no name"),
        ({"näme": b"x"}, "the file is not a zip"),
    ],
)
def test_a_wheel_with_a_file_that_goes_nowhere_is_refused_by_name(store, tmp_path, files, fault):
    path = make_wheel(tmp_path, "demo", files)
    path.write_bytes(path.read_bytes().replace(b"nameless", b"\0ameless").replace("nä".encode(), b"n\xff\xff"))
    wheel = keep_wheel(store, path)

    with pytest.raises(CogError, match=rf"demo-1\.0-py3-none-any\.whl.*: {fault}"):
        realise(WheelLayer("3.13", "/usr/bin/python3.13", (wheel,)), store)


def test_a_wheel_of_a_later_kind_is_refused_by_name(store, tmp_path):
    path = make_wheel(tmp_path, "demo", {"demo/data.bin": b"x"})
    data = path.read_bytes()
    later = tmp_path / "later.zip"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(later, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b"Wheel-Version: 1.0", b"Wheel-Version: 2.0"))
    path.write_bytes(later.read_bytes())
    wheel = keep_wheel(store, path)
    at = data.find(b"PK\x01\x02") + 6  # which version of the format is needed
    path.write_bytes(data[:at] + b"\xff" + data[at + 1 :])
    unknown = keep_wheel(store, path)

    for one, fault in ((wheel, "Incompatible Wheel-Version"), (unknown, "is not a zip")):
        with pytest.raises(CogError, match=rf"demo-1\.0-py3-none-any\.whl.*{fault}"):
            realise(WheelLayer("3.13", "/usr/bin/python3.13", (one,)), store)


def test_the_bytes_of_a_blob_do_not_depend_on_the_number_of_cores(tmp_path, monkeypatch):
    layer = Listed([Entry(path=f"f{n}", content=Bytes(bytes([n]) * 700_000)) for n in range(12)])
    digests = set()
    for cores in (1, 2, 8):
        monkeypatch.setattr("cog_oci.layers._envelope._cores", lambda cores=cores: cores)
        digests.add(realise(layer, Store(tmp_path / str(cores))).descriptor.digest)

    assert len(digests) == 1
