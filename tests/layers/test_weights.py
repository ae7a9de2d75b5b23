"""Large files as layers of their own, and what is remembered of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cog_oci.errors import CogError
from cog_oci.layers import _file_hashes, realise, remembered
from cog_oci.layers._file_hashes import FileHashes
from cog_oci.layers._tar import Entry, OnDisk
from cog_oci.layers.code import project_layers
from cog_oci.layers.weights import WeightLayer, weight_layers
from cog_oci.oci import MediaType

LARGE = 10 * 1024 * 1024


def sparse(path: Path, size: int = LARGE) -> Path:
    """A file of that many bytes that takes no room."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(size)
    return path


def apart(folder: Path, **options: object) -> dict[str, list[str]]:
    """The paths in each layer, by the layer's name."""
    layers = project_layers(folder, None, separate_weights=True, **options)
    return {layer.name: [entry.path for entry in layer.files] for layer in layers}


def entry(path: str, size: int = LARGE) -> Entry:
    return Entry(path=f"src/{path}", content=OnDisk(Path(path), size, "0" * 64))


def test_large_files_have_a_layer_each_below_the_code(tmp_path):
    sparse(tmp_path / "models" / "b.bin")
    sparse(tmp_path / "a.bin")
    sparse(tmp_path / "small.bin", LARGE - 1)
    (tmp_path / "run.py").write_text("x")

    assert list(apart(tmp_path).items()) == [
        ("weights a.bin", ["src/a.bin"]),
        ("weights models/b.bin", ["src/models/b.bin"]),
        ("code", ["src", "src/models", "src/run.py", "src/small.bin"]),
    ]


def test_without_being_asked_all_is_code(tmp_path):
    sparse(tmp_path / "a.bin")

    (layer,) = project_layers(tmp_path, None)

    assert [entry.path for entry in layer.files] == ["src", "src/a.bin"]


@pytest.mark.parametrize(
    "path",
    [
        *("run.py", "a.ipynb", "torch-1.0-py3-none-any.whl", "film.mp4", "a/b.jpeg", "train.log", "x.flac", "x.heic"),
        *(".cog/x.bin", ".github/x.bin", ".gitmodel", "__pycache__/x.pyc"),
    ],
)
def test_code_media_and_logs_are_no_weights_however_large(path):
    assert weight_layers([entry(path)]) == []


@pytest.mark.parametrize("path", ["model.PY", "py", "a/.cog/x", "model.jpg.bin", "model.safetensors", "models/x.gitty"])
def test_whatever_else_is_large_is_weights(path):
    assert [layer.files for layer in weight_layers([entry(path)])] == [(entry(path),)]


def test_a_link_to_weights_is_code(tmp_path):
    sparse(tmp_path / "a.bin")
    (tmp_path / "b.bin").symlink_to("a.bin")

    assert apart(tmp_path)["code"] == ["src", "src/b.bin"]


def numbered(sizes: list[int]) -> list[Entry]:
    return [entry(f"{number}.bin", LARGE + size) for number, size in enumerate(sizes)]


@given(st.lists(st.integers(0, 99), max_size=100))
def test_every_file_is_in_one_layer_and_there_are_never_too_many(sizes):
    entries = numbered(sizes)
    layers = weight_layers(entries)

    assert sorted(one.path for layer in layers for one in layer.files) == sorted(one.path for one in entries)
    assert len(layers) <= 16
    assert len(layers) == len(sizes) or len(sizes) > 16
    alone = [layer.files[0].size for layer in layers if len(layer.files) == 1]
    shared = [one.size for layer in layers for one in layer.files if len(layer.files) > 1]
    assert sum(size >= max(shared, default=0) for size in alone) >= min(12, len(sizes))


@given(st.lists(st.integers(0, 99), min_size=32, max_size=60), st.randoms())
def test_layers_of_many_files_do_not_depend_on_their_order_and_hardly_on_each_other(sizes, random):
    entries = numbered(sizes)
    before = weight_layers(entries)
    random.shuffle(entries)
    assert weight_layers(entries) == before

    smallest = max(entries, key=lambda one: (-one.size, one.path))
    after = weight_layers([one for one in entries if one is not smallest])

    assert len({layer.recipe for layer in before} - {layer.recipe for layer in after}) == 1


def test_weights_are_never_compressed(tmp_path, store):
    sparse(tmp_path / "project" / "a.bin")
    weights, code = project_layers(tmp_path / "project", None, separate_weights=True)

    assert realise(weights, store, compression="gzip").descriptor.media_type == MediaType.LAYER
    assert realise(code, store, compression="gzip").descriptor.media_type == MediaType.LAYER_GZIP
    assert remembered(weights, store, "zstd") == remembered(weights, store, "gzip")


def test_a_change_of_code_does_not_touch_the_weights(tmp_path):
    sparse(tmp_path / "a.bin")
    (tmp_path / "run.py").write_text("x")
    before = project_layers(tmp_path, None, separate_weights=True)
    (tmp_path / "run.py").write_text("y")
    after = project_layers(tmp_path, None, separate_weights=True)

    assert [a.recipe == b.recipe for a, b in zip(before, after, strict=True)] == [True, False]


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (entry("a.bin"), True),
        (entry("b.bin"), False),
        (Entry(path="src/a.bin", mode=0o755, content=entry("a.bin").content), False),
        (Entry(path="src/a.bin", content=OnDisk(Path("a.bin"), LARGE, "1" * 64)), False),
    ],
)
def test_the_recipe_is_path_mode_and_content(other, same):
    assert (WeightLayer((other,)).recipe == WeightLayer((entry("a.bin"),)).recipe) is same


def test_weights_that_change_while_they_are_packed_are_refused(tmp_path, store):
    sparse(tmp_path / "project" / "a.bin")
    weights, _ = project_layers(tmp_path / "project", None, separate_weights=True)
    sparse(tmp_path / "project" / "a.bin", LARGE + 1)

    with pytest.raises(CogError, match=r"a\.bin changed while it was read"):
        realise(weights, store)


def test_a_name_that_is_not_utf_8_can_be_told(tmp_path):
    sparse(tmp_path / os.fsdecode(b"\xe9.bin"))

    assert list(apart(tmp_path)) == ["weights \N{REPLACEMENT CHARACTER}.bin", "code"]


@pytest.fixture
def hashed(monkeypatch):
    """How often a file was really read to be hashed."""
    names: list[str] = []
    real = _file_hashes.hashlib.file_digest

    def counted(file, kind):
        names.append(Path(file.name).name)
        return real(file, kind)

    monkeypatch.setattr(_file_hashes.hashlib, "file_digest", counted)
    return names


def later(monkeypatch) -> None:
    """From now on it is ten seconds later, for whoever asks whether a file was written just now."""
    real = _file_hashes.time.time_ns
    monkeypatch.setattr(_file_hashes.time, "time_ns", lambda: real() + 10_000_000_000)


def measure(folder: Path, store, *names: str) -> list[tuple[int, str]]:
    hashes = FileHashes(folder, store)
    found = [hashes.measure(folder / name) for name in names]
    hashes.save()
    return found


def test_an_untouched_file_is_hashed_once(tmp_path, store, hashed, monkeypatch):
    sparse(tmp_path / "a.bin", 1 << 20)
    later(monkeypatch)

    assert measure(tmp_path, store, "a.bin") == measure(tmp_path, store, "a.bin")
    assert hashed == ["a.bin"]


def test_a_file_that_was_just_written_is_hashed_again(tmp_path, store, hashed):
    sparse(tmp_path / "a.bin", 1 << 20)

    assert measure(tmp_path, store, "a.bin") == measure(tmp_path, store, "a.bin")
    assert hashed == ["a.bin", "a.bin"]


def test_a_file_that_is_written_while_it_is_hashed_is_hashed_again(tmp_path, store, hashed, monkeypatch):
    path = sparse(tmp_path / "a.bin", 1 << 20)
    later(monkeypatch)
    counted = _file_hashes.hashlib.file_digest

    def disturbed(file, kind):
        digest = counted(file, kind)
        os.utime(path)
        return digest

    monkeypatch.setattr(_file_hashes.hashlib, "file_digest", disturbed)
    measure(tmp_path, store, "a.bin")
    measure(tmp_path, store, "a.bin")

    assert hashed == ["a.bin", "a.bin"]


def test_a_small_file_is_hashed_every_time(tmp_path, store, hashed, monkeypatch):
    sparse(tmp_path / "a.bin", (1 << 20) - 1)
    later(monkeypatch)

    measure(tmp_path, store, "a.bin")
    measure(tmp_path, store, "a.bin")

    assert hashed == ["a.bin", "a.bin"]


def rewritten(path: Path) -> None:
    """Other content of the same size, with the old modification time put back."""
    status = path.stat()
    path.write_bytes(b"\1" * status.st_size)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def replaced(path: Path) -> None:
    other = sparse(path.with_name("other"), path.stat().st_size)
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    other.replace(path)


@pytest.mark.parametrize("change", [rewritten, replaced, Path.touch, lambda path: sparse(path, (1 << 20) + 1)])
def test_a_file_that_was_touched_is_hashed_again(tmp_path, store, hashed, monkeypatch, change):
    path = sparse(tmp_path / "a.bin", 1 << 20)
    later(monkeypatch)
    measure(tmp_path, store, "a.bin")
    change(path)
    fresh = FileHashes(tmp_path).measure(path)
    hashed.clear()

    assert measure(tmp_path, store, "a.bin") == [fresh]
    assert hashed == ["a.bin"]


def test_files_that_are_gone_are_forgotten(tmp_path, store, hashed, monkeypatch):
    sparse(tmp_path / "a.bin", 1 << 20)
    sparse(tmp_path / "b.bin", 1 << 20)
    later(monkeypatch)
    measure(tmp_path, store, "a.bin", "b.bin")
    measure(tmp_path, store, "b.bin")

    measure(tmp_path, store, "a.bin", "b.bin")

    assert hashed == ["a.bin", "b.bin", "a.bin"]


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"version": 2, "files": {}}', b'{"version": 1}', b'{"version": 1, "files": {"a": 1}}'],
)
def test_a_memory_that_cannot_be_read_is_no_memory(tmp_path, store, hashed, monkeypatch, content):
    sparse(tmp_path / "a.bin", 1 << 20)
    later(monkeypatch)
    measure(tmp_path, store, "a.bin")
    (memory,) = (store.root / "hashes").iterdir()
    memory.write_bytes(content)

    measure(tmp_path, store, "a.bin")
    measure(tmp_path, store, "a.bin")

    assert hashed == ["a.bin", "a.bin"]
    assert list((store.root / "hashes").iterdir()) == [memory]


def test_projects_do_not_share_a_memory(tmp_path, store, monkeypatch):
    for name in ("one", "two"):
        sparse(tmp_path / name / "a.bin", 1 << 20)
    later(monkeypatch)
    measure(tmp_path / "one", store, "a.bin")
    measure(tmp_path / "two", store, "a.bin")

    assert len(list((store.root / "hashes").iterdir())) == 2


def test_without_a_store_nothing_is_written(tmp_path, monkeypatch):
    sparse(tmp_path / "a.bin", 1 << 20)
    later(monkeypatch)

    measure(tmp_path, None, "a.bin")

    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]
