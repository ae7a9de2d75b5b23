"""Which changes of a project are seen, and which are none."""

from __future__ import annotations

import os

import pytest

from cog_oci.cli._watch import Watch


@pytest.fixture
def folder(tmp_path):
    """A project of a few files."""
    for name in ("run.py", "data.json", ".git/index", "__pycache__/run.pyc"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("one")
    return tmp_path


def changes(watch: Watch) -> list[str]:
    watch._next = 0.0
    return watch.changed()


def test_what_was_edited_added_or_removed_is_told_once(folder):
    watch = Watch(folder)
    (folder / "run.py").write_text("another")
    (folder / "new.py").write_text("new")
    (folder / "data.json").unlink()

    assert changes(watch) == ["data.json", "new.py", "run.py"]
    assert changes(watch) == []


def test_an_edit_of_the_same_size_is_seen_by_its_time(folder):
    watch = Watch(folder)
    (folder / "run.py").write_text("two")
    os.utime(folder / "run.py", ns=(1, 1))

    assert changes(watch) == ["run.py"]


def test_what_a_model_writes_and_what_is_no_code_is_no_change(folder):
    watch = Watch(folder)
    (folder / "output.png").write_text("made")
    (folder / ".git" / "index").write_text("committed")
    (folder / "__pycache__" / "run.pyc").write_text("compiled")
    (folder / "gone").symlink_to("nowhere")

    assert changes(watch) == []


def test_a_folder_with_much_in_it_is_looked_at_less_often(folder):
    watch = Watch(folder)
    (folder / "run.py").write_text("another")
    watch._next = float("inf")

    assert watch.changed() == []
