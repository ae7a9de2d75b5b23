"""Commands of build.run as Cog's documentation has them: apt-get, pip, curl and a secret, in real images."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from cog_oci.lock import Lock
from tests.conftest import make_wheel, need, serving
from tests.images.conftest import cog_oci

pytestmark = [pytest.mark.network, pytest.mark.namespaces]

LOGIN = "someone:p4ss-of-theirs"
ORDINARY = ("unshare", "--user", "--map-user=1000", "--map-group=1000", "--")


@dataclass
class Built:
    folder: Path
    digest: str
    said: str
    secret: Path

    def image(self, *options: str, prefix: tuple[str, ...] = (), **env: str) -> subprocess.CompletedProcess[str]:
        archive = self.folder.parent / "image.tar"
        secret = f"id=pip,src={self.secret}"
        return cog_oci("image", "-o", str(archive), "--secret", secret, *options, cwd=self.folder, prefix=prefix, **env)


@pytest.fixture(scope="module")
def private(tmp_path_factory):
    """A package index on loopback with one package, ours."""
    folder = tmp_path_factory.mktemp("index")
    wheel = make_wheel(folder, "ours", {"ours/__init__.py": b"ANSWER = 42\n"}, version="1.4")
    with serving() as site:
        page = f'<a href="/{wheel.name}">{wheel.name}</a>'.encode()
        site.pages["/simple/ours/"] = lambda handler: handler.answer(200, page, content_type="text/html")
        site.pages[f"/{wheel.name}"] = wheel.read_bytes()
        yield site


@pytest.fixture(scope="module")
def built(cache, tmp_path_factory, private) -> Built:
    """An image whose commands install a Debian package, a public and a private Python package, and fetch a file."""
    need("unshare")
    folder = tmp_path_factory.mktemp("steps") / "project"
    folder.mkdir()
    private.pages["/script.sh"] = b"#!/bin/sh\nmkdir -p /opt/fetched && echo fetched > /opt/fetched/file\n"
    (folder / "cog.yaml").write_text(
        "build:\n"
        "  python_version: '3.13'\n"
        "  system_packages: [curl]\n"
        "  run:\n"
        "    - command: |\n"
        "        apt-get update && apt-get install -y --no-install-recommends libcap2-bin\n"
        "        apt-get install -y --no-install-recommends iputils-ping sl\n"
        "        setcap cap_net_raw+ep /usr/bin/ping\n"
        "      network: true\n"
        "    - command: |\n"
        "        pip install six==1.17.0\n"
        f"        curl -fsSL {private.url}/script.sh | sh\n"
        "        rm /etc/issue\n"
        "      network: true\n"
        "    - command: pip install ours\n"
        "      network: true\n"
        "      mounts:\n"
        "        - type: secret\n"
        "          id: pip\n"
        "          target: /etc/pip.conf\n"
        '    - python -c \'import six, ours; open("/opt/answer", "w").write(str(ours.ANSWER))\'\n'
    )
    # As in Cog's documentation: the index and its login are in pip's configuration.
    secret = folder.parent / "pip.conf"
    secret.write_text(f"[global]\nindex-url = {private.url.replace('//', f'//{LOGIN}@')}/simple\n")
    cog_oci("lock", cwd=folder, COG_CACHE_DIR=str(cache))
    made = Built(folder, "", "", secret)
    done = made.image(COG_CACHE_DIR=str(cache))
    made.digest, made.said = done.stdout.strip(), done.stderr
    return made


def contents(archive: Path) -> dict[str, set[str]]:
    """The paths in each layer, by its name."""
    with tarfile.open(archive) as whole:
        manifest = json.load(whole.extractfile("manifest.json"))[0]
        history = json.load(whole.extractfile(manifest["Config"]))["history"]
        found = {}
        for row, blob in zip(history, manifest["Layers"], strict=True):
            with tarfile.open(fileobj=whole.extractfile(blob)) as layer:
                found[row["created_by"].rpartition("cog-oci ")[2]] = {f"/{name}" for name in layer.getnames()}
    return found


def test_what_the_commands_installed_is_in_layers_of_their_own(built):
    layers = contents(built.folder.parent / "image.tar")

    assert {"/usr/games/sl", "/usr/bin/ping", "/var/lib/dpkg/info/sl.list"} <= layers["build.run 1"]
    assert "/opt/venv/lib/python3.13/site-packages/six.py" in layers["build.run 2"]
    assert {"/opt/fetched/file", "/etc/.wh.issue"} <= layers["build.run 2"]
    assert "/opt/venv/lib/python3.13/site-packages/ours/__init__.py" in layers["build.run 3"]
    assert layers["build.run 4"] == {"/opt", "/opt/answer"}


def test_no_mirror_no_index_no_cache_and_no_secret_is_in_them(built, cache):
    layers = contents(built.folder.parent / "image.tar")
    own = set().union(*(paths for name, paths in layers.items() if name.startswith("build.run")))

    assert not [
        path for path in own if path.startswith(("/var/log/", "/var/lib/apt/lists/", "/var/cache/apt/", "/tmp/"))
    ]
    assert not own & {"/etc/apt/sources.list", "/etc/pip.conf", "/etc/xdg/pip/pip.conf", "/etc/resolv.conf"}
    assert not [path for path in own if path.endswith(".pyc")]
    password = LOGIN.partition(":")[2]
    assert password not in built.said
    assert password not in (built.folder / "cog.lock").read_text()
    for layer in Lock.read(built.folder / "cog.lock").platforms["linux/amd64"].layers:
        if layer.name.startswith("build.run"):
            blob = cache / "blobs" / "sha256" / layer.blobs["gzip"].digest[7:]
            assert password.encode() not in gzip.decompress(blob.read_bytes())


def test_an_ordinary_user_of_another_machine_makes_the_same_image(built, cache, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(cache / "blobs", other / "blobs")  # what was fetched; what was made is not known there

    assert cog_oci("image", "--digest", cwd=built.folder, COG_CACHE_DIR=str(other)).stdout.strip() == built.digest
    done = built.image(prefix=ORDINARY, COG_CACHE_DIR=str(other))

    assert "build.run 1: apt-get update &&" in done.stderr
    assert done.stdout.strip() == built.digest


def test_what_was_installed_runs_in_the_sandbox(built, cache):
    script = "import six, ours, os; print(ours.ANSWER, os.path.exists('/etc/issue'), open('/opt/fetched/file').read())"

    done = cog_oci(
        *("exec", "--engine", "sandbox", "python", "-c", script),
        cwd=built.folder,
        COG_CACHE_DIR=str(cache),
    )

    assert done.stdout == "42 False fetched\n\n"


def test_pip_works_before_the_packages_too(cache, tmp_path, private):
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "cog.yaml").write_text(
        "build:\n"
        "  python_version: '3.13'\n"
        "  pre_install:\n"
        f"    - {{command: pip install --index-url {private.url}/simple ours==1.4, network: true}}\n"
        "  run:\n"
        "    - python -c 'import ours; print(\"the answer is\", ours.ANSWER)'\n"
    )
    cog_oci("lock", cwd=folder, COG_CACHE_DIR=str(cache))

    done = cog_oci("image", "-o", "../image.tar", cwd=folder, COG_CACHE_DIR=str(cache))

    assert "the answer is 42" in done.stderr
    layers = contents(tmp_path / "image.tar")
    assert "/opt/venv/lib/python3.13/site-packages/ours/__init__.py" in layers["build.pre_install 1"]
    names = list(layers)
    assert names.index("python pre_install") < names.index("build.pre_install 1") < names.index("python")


@pytest.mark.engine
def test_docker_takes_the_layers_with_what_is_gone_and_what_may_open_raw_sockets(built, docker):
    docker("load", "-i", str(built.folder.parent / "image.tar"))

    script = "import six, ours, os; print(ours.ANSWER, os.path.exists('/etc/issue'), os.listxattr('/usr/bin/ping'))"
    said = docker("run", "--rm", "--network=none", "--entrypoint", "python", "cog-project", "-c", script)

    assert said == "42 False ['security.capability']\n"
