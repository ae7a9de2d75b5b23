"""What is in an image runs on the oldest Python that an image may have."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("mypy")


@pytest.mark.oracle
def test_server_and_sdk_use_nothing_that_python_3_10_does_not_have(tmp_path):
    """Typeshed knows since when each name of the standard library is there."""
    packages = ("-p", "cog_oci.server", "-p", "cog_oci.sdk")
    command = [sys.executable, "-m", "mypy", "--python-version", "3.10", "--cache-dir", str(tmp_path), *packages]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout
