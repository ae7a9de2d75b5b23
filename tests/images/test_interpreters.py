"""A Python that no stable suite brings, from an archive to a prediction: nothing of it but the network is made up."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from cog_oci.build import build
from cog_oci.config import Project
from cog_oci.lock import Lock
from cog_oci.oci import Platform
from cog_oci.origins import uv
from cog_oci.sandbox import Sandbox
from cog_oci.store import Store
from cog_oci.workshop import Workshop
from tests.cli.in_process import command
from tests.conftest import need, serving
from tests.images.conftest import ROOT
from tests.standalone_archive import of_debian, offer

pytestmark = [pytest.mark.network, pytest.mark.namespaces]

RUN = """
import decimal, hashlib, json, os, ssl, sqlite3, sys

from cog import BaseRunner
import idna


class Runner(BaseRunner):
    def setup(self) -> None:
        self.python = sys.version_info[:3]

    def run(self, text: str) -> str:
        return json.dumps({
            "python": self.python,
            "executable": os.path.realpath(sys.executable),
            "prefixes": [sys.prefix, sys.base_prefix],
            "idna": idna.encode(text).decode(),
            "from": idna.__file__,
            "bytecode": [json.__cached__, idna.__cached__, os.path.exists(idna.__cached__)],
        })
"""


@dataclass
class Built:
    """A project on that Python, locked and built; its release."""

    folder: Path
    version: str


@pytest.fixture(scope="module")
def project(tmp_path_factory, cache):
    need("unshare")
    if subprocess.run(["unshare", "--user", "--map-root-user", "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs user namespaces")
    if os.uname().machine != "x86_64":
        pytest.skip("needs to run amd64")
    folder = tmp_path_factory.mktemp("py314") / "newest"
    folder.mkdir()
    (folder / "cog.yaml").write_text(
        "build:\n  python_version: '3.14'\n  python_packages: [idna]\nrun: run.py:Runner\n"
    )
    (folder / "run.py").write_text(RUN)
    with pytest.MonkeyPatch.context() as patch, serving() as site:
        patch.setenv("COG_CACHE_DIR", str(cache))
        version, archive = of_debian(tmp_path_factory.mktemp("sid"), patch)
        offer(patch, folder.parent, site, (version, "amd64", archive), (version, "arm64", archive[:-8] + bytes(8)))
        command("lock", cwd=folder)
        yield Built(folder, version)


def test_it_predicts_with_the_python_of_the_archive(project):
    done = command("run", "--json", "-i", "text=bücher.example", cwd=project.folder)

    answer = json.loads(json.loads(done.stdout)["output"])
    assert answer["python"] == [int(part) for part in project.version.split(".")]
    assert answer["executable"] == "/opt/python/bin/python3.14"
    assert answer["prefixes"] == ["/opt/venv", "/opt/python"]
    assert answer["idna"] == "xn--bcher-kva.example"
    assert answer["from"].startswith("/opt/venv/lib/python3.14/site-packages/")
    assert answer["bytecode"] == [
        "/opt/python/lib/python3.14/json/__pycache__/__init__.cpython-314.pyc",
        "/opt/venv/lib/python3.14/site-packages/idna/__pycache__/__init__.cpython-314.pyc",
        True,
    ]


def test_the_digest_is_known_from_the_lock(project, tmp_path):
    made = command("image", "-o", str(tmp_path / "one.tar"), cwd=project.folder).stdout

    assert command("image", "--digest", cwd=project.folder).stdout == made


def test_every_command_knows_the_archive(project):
    plan = command("plan", cwd=project.folder).stdout
    tree = command("tree", cwd=project.folder).stdout
    why = command("why", "cpython", cwd=project.folder).stdout
    bill = json.loads(command("export", "--format", "cyclonedx", cwd=project.folder).stdout)

    command("lock", "--check", cwd=project.folder)
    command("fetch", cwd=project.folder)
    assert f"interpreter {project.version}" in plan
    assert f"cpython {project.version}" in tree
    assert "cog.yaml" in why
    [found] = [one for one in bill["components"] if one["name"] == "cpython"]
    assert found["licenses"] == [{"license": {"id": "PSF-2.0"}}] or found["licenses"] == [{"expression": "PSF-2.0"}]


def test_each_architecture_has_an_archive_of_its_own(project, tmp_path):
    (tmp_path / "cog.yaml").write_text("build: {python_version: '3.14'}\n")
    command("lock", "--no-bytecode", "--platform", "linux/amd64,linux/arm64", cwd=tmp_path)

    lock = Lock.read(tmp_path / "cog.lock")
    archives = {name: parts.interpreter.archive for name, parts in lock.platforms.items()}
    assert {name: one.architecture for name, one in archives.items()} == {
        "linux/amd64": "amd64",
        "linux/arm64": "arm64",
    }
    assert archives["linux/amd64"].sha256 != archives["linux/arm64"].sha256
    assert {deb.architecture for deb in lock.platforms["linux/arm64"].debs} == {"arm64", "all"}


@pytest.mark.oracle
@pytest.mark.parametrize("python", ["3.13", "3.14"])
def test_the_sdk_s_own_tests_pass_on_pythons_that_the_builder_does_not_run_on(python, project, cache, tmp_path):
    folder = project.folder
    if python == "3.13":
        folder = tmp_path / "older"
        folder.mkdir()
        (folder / "cog.yaml").write_text("build: {python_version: '3.13'}\n")
        command("lock", "--no-bytecode", cwd=folder)
    packages, tree = tmp_path / "packages", tmp_path / "tree"
    target = ("--python-version", python, "--python-platform", "x86_64-manylinux_2_39", "--only-binary", ":all:")
    wanted = ("pytest", "pytest-asyncio", "hypothesis", "pydantic", "requests", "urllib3")
    subprocess.run([uv(), "pip", "install", "-q", "--target", str(packages), *target, *wanted], check=True)
    leave = shutil.ignore_patterns("__pycache__", ".*")
    for part in ("cog_oci", "tests"):
        shutil.copytree(ROOT / part, tree / part, ignore=leave)
    shutil.copy(ROOT / "pyproject.toml", tree)
    store, here = Store(cache), Project.find(folder)
    lock, platform = Lock.read(folder / "cog.lock"), Platform("linux", "amd64")
    image = build(here, platform, lock, Workshop(store)).image
    log = tmp_path / "log"
    with (
        log.open("wb") as output,
        Sandbox(image, store).start(
            ["/bin/sh", "-c", "cd /tree && exec /opt/venv/bin/python -m pytest -q -p no:cacheprovider tests/sdk 2>&1"],
            env={"PYTHONPATH": "/packages", "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": "/tmp"},
            stdout=output.fileno(),
            mounts={"/tree": tree, "/packages": packages},
        ) as process,
    ):
        process.wait(600)

    assert process.returncode == 0, log.read_text()[-4000:]
    assert " passed" in log.read_text()
