"""`cog-oci plan`: what an image will be made of, before anything is fetched."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from cog_oci.store import Store
from tests.cli.in_process import command
from tests.cli.test_commands import lock_by_hand
from tests.conftest import keep_wheel, make_wheel
from tests.images.conftest import cog_oci

from .test_commands import cache, project  # noqa: F401 - fixtures


def test_it_shows_layers_bytes_and_reasons_and_needs_no_artifact(project, cache, tmp_path):  # noqa: F811 - the fixture
    big = keep_wheel(Store(tmp_path / "elsewhere"), make_wheel(tmp_path, "big", {"big/a.py": b"1"}))
    lock_by_hand(project, replace(big, size=9 << 20))

    done = cog_oci("plan", cwd=project)

    lines = done.stdout.splitlines()
    sizes = [float(size) for size in re.findall(r"([0-9.]+) MB", done.stdout)]
    assert lines[0].startswith("linux/amd64: 4 layers, ")
    assert sizes[0] == pytest.approx(sum(sizes[1:]), abs=0.25), "the sum of the four, each to a tenth"
    assert lines[2].split()[:5] == ["2", "python", "big", "9.4", "MB"]
    assert lines[2].endswith("one large wheel; changes when it does")
    assert not (cache / "blobs").exists()


def test_a_layer_that_was_built_shows_its_own_size(project, cache):  # noqa: F811 - the fixture
    lock_by_hand(project)
    command("image", cwd=project)

    rows = json.loads(command("plan", "--json", cwd=project).stdout)["linux/amd64"]

    assert [(row["layer"], row["size"]) for row in rows] == [
        ("server", "built"),
        ("python", "built"),
        ("code", "built"),
    ]
    assert all(row["bytes"] > 0 and row["why"] for row in rows)
