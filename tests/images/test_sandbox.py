"""The image's root without an engine, as root and as an ordinary user."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.conftest import need
from tests.images.conftest import COMMAND, ROOT, ask, cog_oci, data_url, wait_until_ready
from tests.ports import free_port

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


def ordinary(*arguments: str, cwd: Path, **env: str):
    """The command line as an ordinary user types it."""
    prefix = ("unshare", "--user", "--map-user=1000", "--map-group=1000", "--")
    return cog_oci(*arguments, cwd=cwd, prefix=prefix, **env)


def test_an_ordinary_users_command_has_the_project_and_may_write_there(filetype):
    done = ordinary(
        *("exec", "--engine=sandbox", "sh", "-c", "id -u && echo made > made.txt && cat cog.yaml"),
        cwd=filetype.folder,
        COG_CACHE_DIR=str(filetype.store),
    )

    assert done.stdout.startswith("0\n")  # inside; outside, files are the user's
    assert "python_version" in done.stdout
    assert (filetype.folder / "made.txt").read_text() == "made\n"
    (filetype.folder / "made.txt").unlink()


def test_an_ordinary_user_serves(filetype):
    port = free_port()
    with subprocess.Popen(
        [
            *("unshare", "--user", "--map-user=1000", "--map-group=1000", "--"),
            *(*COMMAND, "serve", "--engine=sandbox", "-p", str(port)),
        ],
        cwd=filetype.folder,
        env={**os.environ, "COG_CACHE_DIR": str(filetype.store)},
        stderr=subprocess.DEVNULL,
    ) as program:
        try:
            wait_until_ready(f"http://127.0.0.1:{port}")
            given = {"input": {"file": data_url(ROOT / "README.md")}}
            answer = ask(f"http://127.0.0.1:{port}/predictions", given)
        finally:
            program.send_signal(signal.SIGINT)
            status = program.wait(60)

    assert answer["output"]["label"] == "markdown"
    assert status == 0
