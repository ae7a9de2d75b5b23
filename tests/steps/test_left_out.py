"""Which paths of a step's result do not count."""

from __future__ import annotations

import re

import pytest

from cog_oci.steps._left_out import FILES_LEFT_OUT, LEFT_OUT


@pytest.mark.parametrize(
    "path",
    [
        *("tmp/x", "tmp/a/b", "var/tmp/x", "proc", "sys", "dev"),
        *("var/lib/apt/lists/host_dists", "var/cache/apt/pkgcache.bin", "var/lib/dpkg/status-old", "etc/passwd-"),
        *("root/.cache/pip", "home/me/.cache/uv", "etc/machine-id", "var/cache/ldconfig/aux-cache"),
    ],
)
def test_what_changes_from_run_to_run_is_left_out(path):
    assert re.fullmatch(LEFT_OUT, path)


@pytest.mark.parametrize(
    "path",
    [
        *("tmp", "tmpfiles", "opt/tmp/x", "var/lib/apt/lists", "var/cache/apt", "etc/passwd", "var/lib/dpkg/status"),
        *("root/.cache/huggingface", "root/.cache", "etc/machine-ids", "usr/lib/proc", "var/log"),
    ],
)
def test_what_looks_like_it_is_kept(path):
    assert not re.fullmatch(LEFT_OUT, path)
    assert not re.fullmatch(FILES_LEFT_OUT, path)
