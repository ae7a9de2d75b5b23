"""The image's root without an engine, as root and as an ordinary user."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.conftest import need
from tests.images.conftest import ROOT, cog_oci

pytestmark = [pytest.mark.network, pytest.mark.namespaces]


@pytest.fixture(autouse=True)
def _namespaces():
    need("unshare")
    if subprocess.run(["unshare", "--user", "--map-root-user", "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs user namespaces")


@pytest.mark.parametrize("user", ["root", "ordinary"])
def test_a_prediction_needs_no_engine(filetype, user):
    prefix = () if user == "root" else ("unshare", "--user", "--map-user=1000", "--map-group=1000", "--")

    done = cog_oci(
        *("run", "--json", "-i", f"file=@{ROOT / 'README.md'}"),
        cwd=filetype.folder,
        prefix=prefix,
        COG_CACHE_DIR=str(filetype.store),
    )

    answer = json.loads(done.stdout)
    assert answer["status"] == "succeeded"
    assert answer["output"]["label"] == "markdown"


def test_an_input_that_does_not_fit_is_said_before_anything_starts(filetype):
    done = cog_oci("run", "-i", "fil=@x", cwd=filetype.folder, check=False, COG_CACHE_DIR=str(filetype.store))

    assert done.returncode == 1
    assert 'unknown input "fil"; valid inputs are: file' in done.stderr


def test_nothing_that_runs_can_change_the_store(filetype):
    def predict() -> list[Path]:
        cog_oci("run", "-i", f"file=@{ROOT / 'README.md'}", cwd=filetype.folder, COG_CACHE_DIR=str(filetype.store))
        return sorted((filetype.store / "unpacked").rglob("*"))

    first = predict()

    assert first
    assert predict() == first
