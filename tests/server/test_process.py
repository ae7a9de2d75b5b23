"""How a worker is started and ended, as a process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cog_oci.server.process import spawn

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


@pytest.mark.parametrize("knows_pidfd", [True, False])
def test_its_end_is_waited_for_on_any_kernel(worker, monkeypatch, knows_pidfd):
    if not knows_pidfd:
        monkeypatch.delattr(os, "pidfd_open", raising=False)

    worker.wait(30)

    assert worker.poll() == 0
