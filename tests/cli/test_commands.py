"""The commands as a user runs them: what they print where, their exit status, and what they leave behind."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from cog_oci.cli import _COMMANDS
from cog_oci.config import Project
from cog_oci.lock import Interpreter, Lock, PlatformLock, Wheel
from cog_oci.resolver.base import Base
from tests.cli.in_process import command
from tests.conftest import make_wheel, need
from tests.images.conftest import COMMAND, cog_oci

RUN = """
from cog import BaseRunner


class Runner(BaseRunner):
    def run(self, text: str) -> str:
        return text
"""


def project_in(parent: Path) -> Path:
    """A project with a model and no packages, in a new folder below `parent`."""
    folder = parent / "project"
    folder.mkdir()
    (folder / "cog.yaml").write_text("build: {python_version: '3.13'}\nrun: run.py:Runner\n")
    (folder / "run.py").write_text(RUN)
    return folder


@pytest.fixture
def project(tmp_path) -> Path:
    """The same, for one test."""
    return project_in(tmp_path)


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """The store of the commands in this test."""
    monkeypatch.setenv("COG_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def lock_by_hand(folder: Path, *wheels: Wheel, platforms: tuple[str, ...] = ("linux/amd64",)) -> None:
    """A lock that fits the project as it is, with these wheels and no debs: nothing has to be resolved for it."""
    found = Project.find(folder)

    def parts(platform: str) -> PlatformLock:
        base = Base(found.config.build.python_version, platform.partition("/")[2])
        return PlatformLock(
            inputs={**found.lock_inputs(), **base.lock_inputs()},
            interpreter=Interpreter(
                source="debian", suite=base.suite, version="3.13", executable="/usr/bin/python3.13"
            ),
            archives=(),
            debs=(),
            wheels=wheels,
            server=(),
        )

    Lock(as_of="2026-01-01T00:00:00Z", platforms={name: parts(name) for name in platforms}).write(found.lock_path)


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_the_digest_and_nothing_else_is_on_standard_output(project, cache):
    lock_by_hand(project)

    done = cog_oci("image", cwd=project)

    assert done.stdout.startswith("sha256:")
    assert len(done.stdout.split()) == 1
    assert "docker load -i image.tar" in done.stderr
    with tarfile.open(project / "image.tar") as archive:
        index = json.load(archive.extractfile("index.json"))
    assert index["manifests"][0]["digest"] == done.stdout.strip()
    assert index["manifests"][0]["annotations"]["io.containerd.image.name"] == "docker.io/library/cog-project:latest"


def test_the_archive_goes_to_a_pipe_when_asked(project, cache):
    lock_by_hand(project)
    command("image", cwd=project)

    piped = subprocess.run([*COMMAND, "image", "-o", "-"], cwd=project, capture_output=True, check=True)

    assert piped.stdout == (project / "image.tar").read_bytes()
    assert b"sha256:" in piped.stderr


def test_building_again_does_not_put_the_archive_into_the_image(project, cache):
    lock_by_hand(project)
    first = command("image", "-o", "out.tar", cwd=project).stdout
    (project / "image.tar").write_bytes(b"an older one")

    assert command("image", "-o", "out.tar", cwd=project).stdout == first


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            lambda p: (p / "cog.yaml").write_text("build: {pythonversion: '3.13'}\n"),
            "cog.yaml:1:9: build.pythonversion: unknown key",
        ),
        (
            lambda p: (p / "cog.yaml").write_text("build: {python_version: '3.9'}\n"),
            "cog.yaml:1:25: build.python_version: 3.9 is too old",
        ),
        (
            lambda p: (p / "cog.yaml").write_text("build: {python_requirements: nope.txt}\n"),
            "cog.yaml:1:30: build.python_requirements: nope.txt does not exist",
        ),
        (
            lambda p: (p / "cog.yaml").write_text("build: {python_version: '3.11'}\nrun: run.py:Runner\n"),
            "build.python_version has changed from 3.13 to 3.11",
        ),
        (
            lambda p: (p / "cog.yaml").write_text("build: {system_packages: [git]}\nrun: run.py:Runner\n"),
            "cog.lock no longer fits: build.system_packages is new",
        ),
        (lambda p: (p / "cog.lock").unlink(), "there is no cog.lock in"),
        (lambda p: (p / "cog.lock").write_text("{"), "cog.lock: the file: Invalid JSON"),
        (lambda p: (p / "run.py").write_text("def"), "run.py:1:"),
        (lambda p: (p / "run.py").unlink(), "run.py"),
    ],
)
def test_bad_input_is_one_clear_error_and_leaves_nothing(project, cache, change, says):
    lock_by_hand(project)
    change(project)
    before = files(project)

    done = command("image", cwd=project, check=False)

    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert files(project) == before


@pytest.fixture
def demanding(project, tmp_path, site, monkeypatch):
    """The project locked with one wheel, which an index on loopback lists."""
    path = make_wheel(tmp_path, "demo", {"demo/data.bin": hashlib.shake_128(b"x").digest(400_000)})
    data = path.read_bytes()
    wheel = Wheel(
        name="demo",
        version="1.0",
        file=path.name,
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        index="default",
    )
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"{site.url}/simple")
    site.pages["/simple/demo/"] = json.dumps({"files": [{"filename": path.name, "url": "/wheel"}]}).encode()
    site.pages["/wheel"] = data
    lock_by_hand(project, wheel)
    return project


def test_a_wheel_is_fetched_once(demanding, cache, site):
    first = command("image", cwd=demanding).stdout
    assert "/wheel" in site.asked
    site.asked.clear()

    assert cog_oci("image", cwd=demanding).stdout == first  # another process, which has the store and no memory of it
    assert site.asked == []


def test_a_wrong_hash_on_a_download_is_refused(demanding, cache, site):
    site.pages["/wheel"] = site.pages["/wheel"][:-1] + b"!"

    done = cog_oci("image", cwd=demanding, check=False)

    assert done.returncode == 1
    assert "demo-1.0-py3-none-any.whl is not the file that was locked" in done.stderr
    assert not (demanding / "image.tar").exists()
    assert not any(path.is_file() for path in (cache / "blobs").rglob("*"))


def test_an_interrupt_leaves_nothing_half_written(demanding, cache, site):
    size = len(site.pages["/wheel"])  # another is an error at once

    def slow(handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(size))
        handler.end_headers()
        for _ in range(100):
            handler.wfile.write(b"x" * 1000)
            handler.wfile.flush()
            time.sleep(0.1)

    site.pages["/wheel"] = slow
    process = subprocess.Popen([*COMMAND, "image"], cwd=demanding, stderr=subprocess.PIPE, text=True)
    while "/wheel" not in site.asked:
        time.sleep(0.02)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)

    assert process.returncode == 130
    assert "Traceback" not in said
    assert not (demanding / "image.tar").exists()
    assert not any(path.is_file() for path in (cache / "blobs").rglob("*"))
    assert list((cache / "tmp").iterdir()) == []


def test_two_builds_at_once_on_one_store_both_succeed(demanding, cache):
    builds = [
        subprocess.Popen(
            [*COMMAND, "image", "-o", f"../{number}.tar"],
            cwd=demanding,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        for number in range(2)
    ]
    digests = {build.communicate(timeout=60)[0] for build in builds}

    assert [build.returncode for build in builds] == [0, 0]
    assert digests == {command("image", cwd=demanding).stdout.encode()}


@pytest.mark.namespaces
def test_a_full_disk_is_said_with_a_way_out_and_leaves_nothing(demanding, cache):
    need("unshare")
    cache.mkdir()
    script = (
        f'mount -t tmpfs -o size=256k tmpfs "{cache}" && "$@"; code=$?; ls "{cache}/tmp" "{cache}/blobs"; exit $code'
    )
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh", *COMMAND, "image"],
        cwd=demanding,
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare failed" in done.stderr:
        pytest.skip("needs user namespaces")

    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "COG_CACHE_DIR" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (demanding / "image.tar").exists()


def test_asking_for_the_version_imports_nothing_heavy():
    code = (
        "import sys, contextlib\nfrom cog_oci.cli import main\nsys.argv = ['cog-oci', '--version']\n"
        "with contextlib.suppress(SystemExit): main()\n"
        "print(sorted({'pydantic', 'yaml', 'requests', 'rich', 'uv', 'zstandard'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines() == ["cog-oci 0.1.0", "[]"]


def test_wrong_usage_ends_with_two_and_says_the_usage(project):
    done = cog_oci("image", "--nope", cwd=project, check=False)

    assert done.returncode == 2
    assert "Usage: cog-oci image" in done.stderr.replace("python -m cog_oci.cli", "cog-oci")


_HELP = """
import json, os, sys
import click  # which takes longest to import, and once for all
ended = {}
for words in json.loads(sys.argv[1]):
    if not (child := os.fork()):
        os.dup2(os.open("help-" + "-".join(words), os.O_WRONLY | os.O_CREAT), 1)
        sys.argv = ["cog-oci", *words, "--help"]
        from cog_oci.cli import main
        main()
    ended["-".join(words)] = os.waitpid(child, 0)[1]
print(json.dumps(ended))
"""

_WITH_HELP = [[], *([name] for name in _COMMANDS)]


@pytest.fixture(scope="module")
def helped(tmp_path_factory):
    """How each command ended that was asked for help, and what it wrote: each in a process that had nothing of ours."""
    folder = tmp_path_factory.mktemp("help")
    words = [sys.executable, "-c", _HELP, json.dumps(_WITH_HELP)]
    ended = json.loads(subprocess.run(words, cwd=folder, capture_output=True, text=True, check=True).stdout)
    return {name: (status, (folder / f"help-{name}").read_text()) for name, status in ended.items()}


@pytest.mark.parametrize("words", _WITH_HELP)
def test_every_command_has_help(words, helped):
    status, said = helped["-".join(words)]

    assert status == 0
    assert "Usage:" in said
