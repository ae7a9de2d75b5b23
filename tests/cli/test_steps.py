"""Commands that build the image, from the command line: in an image whose base is this machine's shell and small tools."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tarfile
import time
from pathlib import Path

import pytest

from cog_oci.config import Project
from cog_oci.lock import Deb, Interpreter, Lock, PlatformLock
from cog_oci.resolver.base import Base
from cog_oci.store import Store
from tests.cli.in_process import command
from tests.images.conftest import COMMAND
from tests.layers.deb_builder import deb, file, keep
from tests.small_root import small_root

pytestmark = pytest.mark.namespaces

SECRET = "correct-horse-battery"
ORDINARY = ("unshare", "--user", "--map-user=1000", "--map-group=1000", "--")


@pytest.fixture(scope="module")
def seed(tmp_path_factory) -> tuple[Store, Deb]:
    """A store with a package that has the small root in it, and all that every image here is made of."""
    files = {entry.path: file(b"".join(entry.content.chunks()), entry.mode) for entry in small_root().entries}
    folder = tmp_path_factory.mktemp("seed")
    store = Store(folder / "store")
    small = keep(store, deb("small", files, compression=""), "small")
    write_project(folder / "project", small, "    - 'true'")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COG_CACHE_DIR", str(store.root))
        built(folder / "project")
    return store, small


@pytest.fixture
def machine(tmp_path, seed, monkeypatch):
    """Makes a machine's store the one that is used, in which no step was ever run: (name) → Store."""

    def use(name: str) -> Store:
        shutil.copytree(seed[0].root, tmp_path / name, symlinks=True)
        monkeypatch.setenv("COG_CACHE_DIR", str(tmp_path / name))
        return Store(tmp_path / name)

    return use


@pytest.fixture
def project(tmp_path, machine, seed):
    """A project with these commands, locked: (commands as YAML, more lines of cog.yaml) → its folder."""
    machine("first")
    return lambda run, more="": write_project(tmp_path / "project", seed[1], run, more)


def write_project(folder: Path, small: Deb, run: str, more: str = "") -> Path:
    folder.mkdir()
    (folder / "cog.yaml").write_text(f"build:\n  python_version: '3.13'\n  run:\n{run}\n{more}")
    found = Project.find(folder)
    parts = PlatformLock(
        inputs={**found.lock_inputs(), **Base("3.13", "amd64").lock_inputs()},
        interpreter=Interpreter(source="debian", suite="trixie", version="3.13", executable="/usr/bin/python3.13"),
        archives=(),
        debs=(small,),
        wheels=(),
        server=(),
        steps=found.steps(),
    )
    Lock(as_of="2026-01-01T00:00:00Z", platforms={"linux/amd64": parts}).write(found.lock_path)
    return folder


def built(folder: Path, *options: str, **how) -> tuple[str, str]:
    """The digest and what was said."""
    done = command("image", "-o", "../image.tar", *options, cwd=folder, **how)
    return done.stdout.strip(), done.stderr


def layers(folder: Path) -> dict[str, list[str]]:
    """What each layer of the archive has, by the layer's name."""
    with tarfile.open(folder.parent / "image.tar") as archive:
        manifest = json.load(archive.extractfile("manifest.json"))[0]
        config = json.load(archive.extractfile(manifest["Config"]))
        names = [row["created_by"].rpartition("cog-oci ")[2] for row in config["history"]]
        found = {}
        for name, blob in zip(names, manifest["Layers"], strict=True):
            with tarfile.open(fileobj=archive.extractfile(blob)) as layer:
                found[name] = layer.getnames()
    return found


def test_each_command_is_a_layer_with_what_it_changed(project):
    folder = project("    - echo 1 > /one\n    - |\n      cat /one > /two\n      rm /one")

    built(folder)

    found = layers(folder)
    assert [name for name in found if name.startswith("build.run")] == ["build.run 1", "build.run 2"]
    assert found["build.run 1"] == ["one"]
    assert found["build.run 2"] == [".wh.one", "two"]


def test_the_history_has_the_commands_and_readers_the_names(project):
    folder = project("    - |\n      echo '1'\n      true # cog-oci x\n    - echo https://me:secret@example.com >/two")

    digest, _ = built(folder)

    with tarfile.open(folder.parent / "image.tar") as archive:
        config = json.load(archive.extractfile(json.load(archive.extractfile("manifest.json"))[0]["Config"]))
    assert [row["created_by"] for row in config["history"] if "build.run" in row["created_by"]] == [
        "RUN /bin/sh -c echo '1'\\ntrue # cog-oci x # cog-oci build.run 1",
        "RUN /bin/sh -c echo https://me:***@example.com >/two # cog-oci build.run 2",
    ]
    assert command("image", "--digest", cwd=folder).stdout.strip() == digest
    assert "build.run 1" in command("top", "../image.tar", cwd=folder).stdout
    assert command("verify", "../image.tar", cwd=folder).returncode == 0


def test_a_command_sees_the_variables_and_not_the_project(project):
    folder = project("    - echo $GREETING $PWD $HOME; ls /src; ls /", "environment: [GREETING=hello]\n")

    _, said = built(folder, check=False)

    assert "hello / /root" in said
    assert "/src" in said.partition("No such file")[0]  # as in Cog: the code comes later
    assert "cog.yaml" not in said


@pytest.mark.parametrize("user", ["root", "ordinary"])
def test_two_builds_on_two_machines_have_one_digest_and_the_lock_knows_it(project, machine, user):
    folder = project("    - mkdir -p /opt/x; echo $SOURCE_DATE_EPOCH > /opt/x/time; ln /opt/x/time /opt/link")
    first, _ = built(folder)
    machine("second")

    assert command("image", "--digest", cwd=folder).stdout.strip() == first
    done = subprocess.run(
        [*(ORDINARY if user == "ordinary" else ()), *COMMAND, "image", "-o", "../image.tar"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == first
    assert "build.run 1:" in done.stderr  # it was run there, not remembered


def test_what_was_made_is_not_made_again_in_another_compression_either(project):
    folder = project("    - cat /proc/sys/kernel/random/uuid > /random")

    built(folder)
    for compression in ("gzip", "zstd", "none"):
        assert "build.run" not in built(folder, "--compression", compression)[1]


def test_a_step_that_differs_from_its_pin_says_which_path_and_can_be_accepted(project, machine):
    folder = project("    - echo same > /same; cat /proc/sys/kernel/random/uuid > /random\n    - cat /random > /copy")
    first, _ = built(folder)
    machine("second")

    refused = command("image", "-o", "../image.tar", cwd=folder, check=False)
    again = command("image", "-o", "../image.tar", cwd=folder, check=False)
    accepted, _ = built(folder, "--accept-steps")

    assert refused.returncode == again.returncode == 1
    assert "layer build.run 1 is not what cog.lock recorded" in refused.stderr
    assert "\n  /random: differs\n" in refused.stderr
    assert "--accept-steps" in refused.stderr
    assert "build.run 2:" not in refused.stderr
    assert "build.run 1:" in again.stderr  # it is run again, not remembered
    assert accepted != first
    assert command("image", "--digest", cwd=folder).stdout.strip() == accepted
    # What stands on it was made on what was accepted.
    assert built(folder)[0] == accepted


def test_a_secret_is_a_file_for_one_step_and_nowhere_else(project, tmp_path, monkeypatch):
    folder = project(
        "    - command: cat /etc/token; stat -c %a /etc/token; cat /run/secrets/other\n"
        "      mounts:\n"
        "        - {type: secret, id: token, target: /etc/token}\n"
        "        - {type: secret, id: other}\n"
        "    - ls /etc /run 2>&1 || true"
    )
    monkeypatch.setenv("OTHER", "two-lines-of-it\nand-the-second")
    (tmp_path / "token").write_text(SECRET + "\n")

    _, said = built(folder, "--secret", f"id=token,src={tmp_path / 'token'}", "--secret", "id=other,env=OTHER")

    assert "***\n400\n***\n***\n" in said
    assert "token" not in said.partition("build.run 2:")[2].partition("wrote")[0]
    (tmp_path / "token").unlink()
    for path in tmp_path.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert SECRET.encode() not in data, path
            assert b"two-lines-of-it" not in data, path
    with tarfile.open(tmp_path / "image.tar") as archive:
        for member in archive:
            if member.name.startswith("blobs/") and member.size:
                with archive.extractfile(member) as blob:
                    assert SECRET.encode() not in (blob.read() if member.size < 1 << 20 else b"")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((), "build.run 1 needs the secret token, which is not given"),
        (("--secret", "id=token,env=NOT_SET_ANYWHERE"), "the variable NOT_SET_ANYWHERE is not set"),
        (("--secret", "id=token,src=/nonexistent"), "/nonexistent cannot be read: No such file"),
        (("--secret", f"token={SECRET}"), "'token' is no id=, src= or env="),
        (("--secret", "id=token,src=a,env=b"), "it has a file and a variable"),
        (("--secret", "src=a"), "it has no id"),
    ],
)
def test_a_secret_that_is_missing_or_miswritten_is_said_before_anything_runs(project, given, message):
    folder = project("    - command: echo ran\n      mounts: [{type: secret, id: token}]")

    done = command("image", *given, cwd=folder, check=False)

    assert done.returncode == 1
    assert message in done.stderr
    assert SECRET not in done.stderr
    assert "build.run 1: echo" not in done.stderr


def test_a_step_that_fails_shows_its_output_and_its_status_and_keeps_nothing(project, machine):
    folder = project("    - echo half > /half; echo about to fail; nosuchprogram")

    done = command("image", cwd=folder, check=False)

    assert done.returncode == 1
    assert "about to fail" in done.stderr
    assert "build.run 1 failed with status 127, and nothing of it is kept" in done.stderr
    assert "there is no nosuchprogram in the image" in done.stderr
    assert not list((Path(os.environ["COG_CACHE_DIR"]) / "tmp").iterdir())
    assert not (folder / "image.tar").exists()


def test_a_step_that_fails_for_want_of_the_network_is_told_how_to_get_it(project):
    folder = project("    - echo 'Could not resolve host example.org' >&2; exit 6")

    without = command("image", cwd=folder, check=False)
    with_it = command("image", "--step-network", cwd=folder, check=False)

    assert "the step has no network" in without.stderr
    assert "network: true" in without.stderr
    assert "the step has no network" not in with_it.stderr


def test_only_a_step_that_says_so_has_the_network(project):
    show = "ls -l /proc/self/ns/net"
    folder = project(f"    - {show}\n    - command: {show} && touch /two\n      network: true")

    _, said = built(folder)

    host = str(Path("/proc/self/ns/net").readlink())
    assert said.count("net:[") == 2
    assert host not in said.partition("build.run 2:")[0]
    assert host in said.partition("build.run 2:")[2]


def test_offline_no_step_uses_the_network(project):
    folder = project("    - command: echo ran\n      network: true")

    done = command("image", "--offline", cwd=folder, check=False)

    assert "build.run 1 uses the network, and this build may not" in done.stderr
    assert "build.run 1: echo" not in done.stderr


def test_without_a_sandbox_what_is_known_is_taken_and_the_rest_says_what_to_do(project, machine, monkeypatch):
    folder = project("    - echo 1 > /one")
    digest, _ = built(folder)
    monkeypatch.setattr("cog_oci.steps._runner.unavailable", lambda: "there is no `unshare` on PATH")

    known, _ = built(folder)
    machine("second")
    refused = command("image", cwd=folder, check=False)

    assert known == digest
    assert "build.run 1 has to be run, and cannot be here: there is no `unshare` on PATH" in refused.stderr
    assert "build once on Linux for linux/amd64" in refused.stderr


def test_verify_runs_steps_again_and_takes_the_others_as_recorded(project):
    folder = project("    - echo 1 > /one\n    - command: echo 2 > /two\n      network: true")
    built(folder)

    done = command("verify", "../image.tar", cwd=folder)

    rows = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "build.run 1 reproduced" in rows
    assert "build.run 2 not rebuilt: taken as recorded: it uses the network" in rows


def test_a_step_that_is_interrupted_leaves_nothing_running_and_nothing_half_written(project):
    folder = project("    - (sleep 98761 &) ; echo begun > /begun; echo begun; sleep 98762")
    running = subprocess.Popen([*COMMAND, "image"], cwd=folder, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    said = iter(running.stderr.readline, b"")
    assert any(line == b"begun\n" for line in said)

    running.send_signal(signal.SIGINT)
    running.communicate(timeout=60)

    assert running.returncode == 130
    assert not still_running("9876")
    assert not list((Path(os.environ["COG_CACHE_DIR"]) / "tmp").iterdir())
    assert not (folder / "image.tar").exists()


def test_a_build_that_is_killed_leaves_no_step_running(project):
    folder = project("    - (sleep 98763 &) ; echo begun; sleep 98764")
    running = subprocess.Popen([*COMMAND, "image"], cwd=folder, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    said = iter(running.stderr.readline, b"")
    assert any(line == b"begun\n" for line in said)

    running.kill()
    running.communicate(timeout=60)

    deadline = time.monotonic() + 60
    while still_running("9876") and time.monotonic() < deadline:
        time.sleep(0.05)  # the kernel ends them one after another, and announces nothing
    assert not still_running("9876")


def still_running(word: str) -> list[Path]:
    processes = [path for path in Path("/proc").iterdir() if path.name.isdecimal()]
    return [path for path in processes if word.encode() in _command_line(path)]


def _command_line(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""
