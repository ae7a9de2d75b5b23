"""What of a project's folder is in its image."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest

from cog_oci.errors import CogError, SourceError
from cog_oci.layers import realise, remembered
from cog_oci.layers.code import CodeLayer, project_layers


def code(folder: Path, schema: bytes | None = None, **options: object) -> CodeLayer:
    (layer,) = project_layers(folder, schema, **options)
    return layer


def paths(folder: Path, **options: object) -> dict[str, object]:
    with code(folder, **options).open(None) as entries:
        return {entry.path: entry for entry in entries}


def write(folder: Path, *files: str) -> None:
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(file)


def test_what_belongs_to_the_project_and_not_to_the_model_stays_out(tmp_path):
    write(tmp_path, "run.py", ".git/HEAD", ".cog/x", "cog.lock", "image.tar", "sub/.git", "out.tar")

    found = paths(tmp_path, leave_out=frozenset({tmp_path / "out.tar"}))

    assert set(found) == {"src", "src/run.py", "src/sub", "src/sub/.git"}


def test_an_archive_of_an_image_is_no_part_of_the_next_image_and_another_tar_is(tmp_path):
    write(tmp_path, "run.py", "data.tar", "sub/x", "folder.tar/x")
    for name in ("model-v1.tar", "sub/kept.tar"):
        with tarfile.open(tmp_path / name, "w") as archive:
            archive.addfile(tarfile.TarInfo("oci-layout"))

    expected = {"src", "src/run.py", "src/data.tar", "src/sub", "src/sub/x", "src/sub/kept.tar"}
    assert set(paths(tmp_path)) == {*expected, "src/folder.tar", "src/folder.tar/x"}


def test_an_image_as_a_folder_is_no_part_of_the_next_image_and_another_folder_is(tmp_path):
    for folder in ("layout", "sub/layout", "data"):
        write(tmp_path, "run.py", *(f"{folder}/{name}" for name in ("oci-layout", "index.json", "blobs/x")))
    (tmp_path / "data" / "index.json").unlink()

    assert {path for path in paths(tmp_path) if path.endswith("/x")} == {"src/data/blobs/x", "src/sub/layout/blobs/x"}


def test_modes_are_those_of_a_checkout_whatever_the_umask(tmp_path):
    write(tmp_path, "run.py", "tool.sh")
    (tmp_path / "run.py").chmod(0o600)
    (tmp_path / "tool.sh").chmod(0o700)

    found = paths(tmp_path)

    assert (found["src/run.py"].mode, found["src/tool.sh"].mode) == (0o644, 0o755)


def test_a_link_is_kept_as_it_is_written(tmp_path):
    os.symlink("./run.py", tmp_path / "model.py")  # noqa: PTH211 - Path would drop the dot

    assert paths(tmp_path)["src/model.py"].target == "./run.py"


def test_a_socket_is_refused_by_name(tmp_path):
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(CogError, match="pipe is neither"):
        paths(tmp_path)


def test_the_recipe_changes_with_content_mode_and_schema_alone(tmp_path):
    write(tmp_path, "run.py")
    before = code(tmp_path).recipe
    os.utime(tmp_path / "run.py", (1, 1))
    assert code(tmp_path).recipe == before
    (tmp_path / "run.py").chmod(0o755)
    assert code(tmp_path).recipe != before
    (tmp_path / "run.py").chmod(0o644)
    assert code(tmp_path, b"{}").recipe != before


def test_a_file_is_kept_below_a_folder_that_is_ignored_but_for_it(tmp_path):
    write(tmp_path, ".dockerignore", "data/a.bin", "data/keep.bin")
    (tmp_path / ".dockerignore").write_text("data\n!data/keep.bin\n.dockerignore\n")

    assert set(paths(tmp_path)) == {"src", "src/data", "src/data/keep.bin"}


def test_names_that_are_not_utf_8_keep_their_bytes(tmp_path):
    (tmp_path / os.fsdecode(b"caf\xe9")).write_text("x")
    (tmp_path / "café").write_text("y")

    found = paths(tmp_path)

    assert {path.encode("utf-8", "surrogateescape") for path in found} == {b"src", b"src/caf\xe9", "src/café".encode()}
    assert len(code(tmp_path).recipe) == 64


def test_an_ignore_file_may_name_what_is_not_utf_8(tmp_path):
    (tmp_path / os.fsdecode(b"caf\xe9")).write_text("x")
    (tmp_path / ".dockerignore").write_bytes(b"caf\xe9\n.dockerignore\n")

    assert set(paths(tmp_path)) == {"src"}


def test_a_mistake_in_the_ignore_file_is_told_with_its_place(tmp_path):
    write(tmp_path, "run.py")
    (tmp_path / ".dockerignore").write_text("*.bin\n  data[\n")

    with pytest.raises(SourceError, match=r"^\.dockerignore:2:3: 'data\[': a `\[` has no `\]`$"):
        project_layers(tmp_path, None)


def test_a_folder_that_is_ignored_is_not_looked_into(tmp_path):
    write(tmp_path, "data/x", "keep.txt")
    os.mkfifo(tmp_path / "data" / "pipe")
    (tmp_path / ".dockerignore").write_text("data\n*.txt\n!keep.txt\n.dockerignore\n")

    assert set(paths(tmp_path)) == {"src", "src/keep.txt"}


def test_the_schema_lies_where_the_server_looks_for_it(tmp_path):
    write(tmp_path, "run.py")

    with code(tmp_path, b"{}").open(None) as entries:
        found = {entry.path: entry for entry in entries}

    assert found["src/.cog/openapi_schema.json"].content.data == b"{}"


def test_a_file_is_as_large_as_what_was_hashed(tmp_path, store, monkeypatch):
    write(tmp_path, "run.py")
    (tmp_path / ".dockerignore").write_text(".dockerignore\nstore\n")
    looked = Path.lstat
    # It grows between being listed and being read.
    monkeypatch.setattr(Path, "lstat", lambda self: (looked(self), self.write_text("run.py, longer"))[0])

    blob = realise(code(tmp_path), store, compression="none")

    with tarfile.open(store.path(blob.descriptor.digest)) as archive:
        assert archive.extractfile("src/run.py").read() == b"run.py, longer"


def test_a_file_that_changes_while_the_image_is_built_is_not_remembered_as_what_it_was(tmp_path, store):
    write(tmp_path, "run.py")
    layer = code(tmp_path)
    assert layer.recipe
    (tmp_path / "run.py").write_text("RUN.PY")

    with pytest.raises(CogError, match="changed while it was read"):
        realise(layer, store)

    assert remembered(layer, store) is None


def test_what_another_build_is_writing_stays_out(tmp_path):
    write(tmp_path, "run.py", ".cog-oci-1-image.tar", "out/.cog-oci-2-x.tar")

    assert set(paths(tmp_path)) == {"src", "src/run.py", "src/out"}
