"""A real Debian with its own Python as a base image in a real registry: locked, built, pushed beside it, run."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from cog_oci.layers import realise
from cog_oci.layers._tar import Entry
from cog_oci.layers.debs import deb_layers
from cog_oci.oci import Image, ImageConfig, Platform
from cog_oci.resolver.base import Base
from cog_oci.store import Store
from tests.cli.in_process import command
from tests.conftest import need
from tests.image_maker import Listed
from tests.images.conftest import ask, container, wait_until_ready
from tests.transports.conftest import Registry, start_registry
from tests.transports.stored import write_layout

pytestmark = [pytest.mark.network, pytest.mark.engine, pytest.mark.namespaces]

RUN = """
import json, os, subprocess, sys

from cog import BaseRunner
import idna


class Runner(BaseRunner):
    def run(self, text: str) -> str:
        return json.dumps({
            "python": sys.version_info[:2],
            "prefixes": [sys.prefix, sys.base_prefix],
            "idna": idna.encode(text).decode(),
            "theirs": os.environ.get("THEIRS"),
            "path": os.environ["PATH"],
            "said": open("/etc/said").read(),
            "gone": os.path.exists("/usr/share/doc/bash"),
            "uid": os.getuid(),
            "bc": subprocess.run(["bc"], input="6*7\\n", capture_output=True, text=True).stdout,
        })
"""


@dataclass
class Built:
    folder: Path
    registry: Registry
    base: Image


@pytest.fixture(scope="module")
def project(tmp_path_factory, cache):
    need("unshare", "skopeo", "docker-registry")
    if subprocess.run(["unshare", "--user", "--map-root-user", "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs user namespaces")
    folder = tmp_path_factory.mktemp("on") / "theirs"
    folder.mkdir()
    process, registry = start_registry(tmp_path_factory.mktemp("registry"))
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("COG_CACHE_DIR", str(cache))
            patch.setenv("HOME", str(folder.parent))
            base = _base(Store(cache), tmp_path_factory.mktemp("layout"), registry)
            (folder / "run.py").write_text(RUN)
            (folder / "cog.yaml").write_text(
                f"build:\n  base_image: {registry.host}/base/debian:one\n  python_packages: [idna]\n"
                "  system_packages: [bc]\nrun: run.py:Runner\n"
            )
            command("lock", cwd=folder)
            yield Built(folder, registry, base)
    finally:
        process.terminate()
        process.wait(20)


def _base(store: Store, folder: Path, registry: Registry) -> Image:
    """Debian bookworm with its Python, and two layers that change something, as somebody else would have made it."""
    from datetime import UTC, datetime

    from cog_oci.fetch import Fetcher
    from cog_oci.origins import Origins

    base = Base("3.11", "amd64")
    fetcher = Fetcher(store)
    fetcher.artifacts(base.pinned_debs, Origins(fetcher, datetime.now(UTC)).locate)
    said = Listed("said", [Entry.file("etc/said", b"one"), Entry.file("usr/share/doc/.wh.bash", b"")])
    more = Listed("more", [Entry.file("etc/said", b"two")])
    blobs = tuple(realise(layer, store) for layer in (*deb_layers(base.suite, base.pinned_debs), said, more))
    config = ImageConfig(
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "THEIRS": "kept", "PYTHONPATH": "/nowhere"},
        command=("/bin/false",),
        labels={"theirs": "yes"},
        user="1234",
        exposed_ports=("80/tcp",),
    )
    image = Image(Platform("linux", "amd64"), config, blobs)
    registry.fill(write_layout(folder / "layout", store, image), "base/debian:one")
    return image


def answer(text: str) -> dict:
    return json.loads(json.loads(text)["output"])


def test_a_prediction_runs_on_the_python_and_the_files_of_the_base(project):
    found = answer(command("run", "--json", "-i", "text=bücher.example", cwd=project.folder).stdout)

    assert found["python"] == [3, 11]
    assert found["prefixes"] == ["/opt/venv", "/usr"]
    assert found["idna"] == "xn--bcher-kva.example"
    assert (found["theirs"], found["said"], found["gone"]) == ("kept", "two", False)
    assert found["path"] == "/opt/venv/bin:/usr/local/bin:/usr/bin:/bin"
    assert found["bc"] == "42\n"


@pytest.mark.root
def test_the_sandbox_starts_it_as_the_user_of_the_base(project):
    done = command("run", "--engine=sandbox", "--json", "-i", "text=x", cwd=project.folder)

    assert answer(done.stdout)["uid"] == 1234
    assert "note:" not in done.stderr


def test_its_layers_are_the_base_s_and_are_never_sent(project):
    name = f"{project.registry.host}/me/on-theirs:v1"
    done = command("push", name, cwd=project.folder)

    shown = json.loads(
        subprocess.run(
            ["skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{name}"], capture_output=True, check=True
        ).stdout
    )
    config = json.loads(
        subprocess.run(
            ["skopeo", "inspect", "--config", "--tls-verify=false", f"docker://{name}"],
            capture_output=True,
            check=True,
        ).stdout
    )
    below = [layer.descriptor.digest for layer in project.base.layers]
    assert [layer["digest"] for layer in shown["layers"]][: len(below)] == below
    assert config["rootfs"]["diff_ids"][: len(below)] == [layer.diff_id for layer in project.base.layers]
    assert f"mounted {len(below)} (" in done.stderr, done.stderr
    started = config["config"]
    assert (started["User"], started["Entrypoint"]) == ("1234", ["/opt/cog/tini", "--"])
    assert started["Labels"]["theirs"] == "yes"
    assert {*started["ExposedPorts"]} == {"80/tcp", "5000/tcp"}
    assert not [one for one in started["Env"] if one.startswith("PYTHONPATH=")]


def test_the_lock_pins_it_and_needs_no_network_to_be_checked(project):
    made = command("image", "--digest", cwd=project.folder).stdout
    locked = json.loads((project.folder / "cog.lock").read_text())["platforms"]["linux/amd64"]["base_image"]
    assert locked["manifest"] == project.base.descriptor.digest

    changed = project.base.config
    moved = Image(project.base.platform, ImageConfig(env=changed.env, labels={"newer": "yes"}), project.base.layers)
    folder = project.folder.parent / "moved"
    registry = project.registry
    registry.fill(write_layout(folder, Store(Path(os.environ["COG_CACHE_DIR"])), moved), "base/debian:one")
    command("lock", "--check", cwd=project.folder)
    command("lock", cwd=project.folder)

    assert command("image", "--digest", cwd=project.folder).stdout == made
    kept = (project.folder / "cog.lock").read_bytes()
    command("lock", "--upgrade", cwd=project.folder)
    after = json.loads((project.folder / "cog.lock").read_text())["platforms"]["linux/amd64"]["base_image"]
    assert after["manifest"] == moved.descriptor.digest
    (project.folder / "cog.lock").write_bytes(kept)


def test_another_machine_makes_the_same_from_the_lock_that_the_image_carries(project, tmp_path, monkeypatch):
    command("image", "-o", str(tmp_path / "one.tar"), cwd=project.folder)
    monkeypatch.setenv("COG_CACHE_DIR", str(tmp_path / "other"))

    done = command("verify", str(tmp_path / "one.tar"), cwd=project.folder)

    assert "base image 1/3" in done.stdout
    assert done.stderr.count("of the base image") == 3


@pytest.mark.root
def test_dockerd_starts_it_as_the_user_of_the_base(project, docker, tmp_path):
    command("image", "-t", "on-theirs:test", "-o", str(tmp_path / "image.tar"), cwd=project.folder)
    docker("load", "-i", str(tmp_path / "image.tar"))

    with container(docker, "on-theirs:test") as (url, _):
        wait_until_ready(url)
        done = ask(f"{url}/predictions", {"input": {"text": "bücher.example"}})

    assert json.loads(done["output"])["uid"] == 1234
    assert json.loads(done["output"])["idna"] == "xn--bcher-kva.example"
