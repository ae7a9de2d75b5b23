"""How a worker is started and ended, as a process."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cog_oci.server.process import spawn

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.live


@pytest.fixture
def worker(tmp_path, monkeypatch):
    """One whose model is not there, so that it soon ends."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own").mkdir()
    monkeypatch.setenv("TMPDIR", "own")
    process = spawn("run.py:Runner", os.environ)
    yield process
    process.end()
    assert not list((tmp_path / "own").iterdir())


def test_its_folder_is_where_it_is_wherever_the_model_goes(worker, tmp_path):
    assert Path(worker.folder).parent == tmp_path / "own"


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs proc(5)")
def test_it_has_nothing_open_that_whoever_started_us_has(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run.py").write_text("def run() -> str: ...\n")
    lock = os.open("lock", os.O_CREAT | os.O_RDONLY)
    os.set_inheritable(lock, True)
    worker = spawn("run.py:run", os.environ)
    try:
        opened = set(_opened(worker.pid))
    finally:
        worker.end()
        os.close(lock)

    assert Path(os.devnull) in opened
    assert tmp_path / "lock" not in opened


def _opened(pid: int) -> Iterator[Path]:
    """What a process has open while it goes on opening and closing."""
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            yield entry.readlink()


def test_its_python_may_be_one_that_is_on_the_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "python-of-mine").symlink_to(sys.executable)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    spawn("run.py:run", {**os.environ, "COG_OCI_PYTHON": "python-of-mine"}).end()


@pytest.mark.parametrize("knows_pidfd", [True, False])
def test_its_end_is_waited_for_on_any_kernel(worker, monkeypatch, knows_pidfd):
    if not knows_pidfd:
        monkeypatch.delattr(os, "pidfd_open", raising=False)

    worker.wait(30)

    assert worker.poll() == 0
