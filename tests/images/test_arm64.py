"""Images for arm64, made on whatever this machine is; qemu runs what is in them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tarfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from cog_oci.lock import Lock
from cog_oci.oci import Platform
from tests.conftest import need
from tests.emulation import CPU, LEND, emulated, init_of, need_emulation
from tests.images.conftest import ROOT, ask, cog_oci, data_url, wait_until_ready
from tests.ports import free_port

pytestmark = [pytest.mark.network, pytest.mark.oracle]

PLATFORM = Platform("linux", "arm64")

# What a core like the emulated one says of itself: onnxruntime believes the file, and qemu shows the host's.
CPUINFO = """processor\t: 0
Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp ssbs
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x3
CPU part\t: 0xd0c
CPU revision\t: 1

"""


@dataclass
class Unpacked:
    """An image's files in a folder, its configuration, and the lock that it was made from."""

    root: Path
    config: dict
    lock: Lock

    def python(self, code: str) -> str:
        """What the code prints in the model's environment, run in the root by qemu alone."""
        (executable,) = self.root.glob("usr/bin/python3.[0-9]*[0-9]")
        done = subprocess.run(
            # argv[0] is by what Python finds its virtual environment (PEP 405).
            ["qemu-aarch64", "-cpu", CPU, "-L", self.root, "-0", "/opt/venv/bin/python", executable, "-c", code],
            env={"PYTHONDONTWRITEBYTECODE": "1", "PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def unpacked(name: str, cache: Path, folder: Path) -> Unpacked:
    """An example, locked and built for arm64, its layers one over the other."""
    project, root, archive = folder / name, folder / "root", folder / "image.tar"
    shutil.copytree(ROOT / "examples" / name, project, ignore=shutil.ignore_patterns("cog.lock", "*.tar"))
    environment = {"COG_CACHE_DIR": str(cache)}
    cog_oci("lock", "--platform", str(PLATFORM), cwd=project, **environment)
    cog_oci("image", "--platform", str(PLATFORM), "-o", str(archive), cwd=project, **environment)
    with tarfile.open(archive) as whole:
        (manifest,) = json.load(whole.extractfile("manifest.json"))
        config = json.load(whole.extractfile(manifest["Config"]))
        for layer in manifest["Layers"]:
            with tarfile.open(fileobj=whole.extractfile(layer)) as files:
                files.extractall(root, filter="fully_trusted")
    (root / "proc/cpuinfo").write_text(CPUINFO)
    return Unpacked(root, config, Lock.read(project / "cog.lock"))


@pytest.fixture(scope="module")
def filetype(cache, tmp_path_factory) -> Unpacked:
    """examples/filetype."""
    need("qemu-aarch64")
    return unpacked("filetype", cache, tmp_path_factory.mktemp("filetype-arm64"))


@pytest.fixture(scope="module")
def ocr(cache, tmp_path_factory) -> Unpacked:
    """examples/ocr."""
    need("qemu-aarch64")
    return unpacked("ocr", cache, tmp_path_factory.mktemp("ocr-arm64"))


def test_everything_in_the_lock_and_in_the_image_is_for_arm64(filetype):
    parts = filetype.lock.platform(PLATFORM)

    assert {deb.architecture for deb in parts.debs} == {"arm64", "all"}
    compiled = [wheel.file for wheel in (*parts.wheels, *parts.server) if not wheel.file.endswith("-none-any.whl")]
    assert len(compiled) > 5
    assert all(file.endswith("_aarch64.whl") for file in compiled)
    assert (filetype.config["os"], filetype.config["architecture"]) == ("linux", "arm64")


def test_the_arm64_interpreter_imports_the_model_s_packages(filetype):
    told = filetype.python(
        "import platform, sys, cog, magika; print(platform.machine(), sys.prefix, magika.__file__, cog.__file__)"
    )

    site = "/opt/venv/lib/python3.13/site-packages"
    assert told.split() == ["aarch64", "/opt/venv", f"{site}/magika/__init__.py", "/opt/cog/sdk/cog/__init__.py"]


def test_arm64_system_packages_are_found_by_the_linker(ocr):
    # OpenCV's wheel loads libGL and GLib's threads, which are in no wheel.
    code = "import ctypes, cv2, numpy; ctypes.CDLL('libGL.so.1'); ctypes.CDLL('libgthread-2.0.so.0')"

    told = ocr.python(f"{code}; print(cv2.resize(numpy.ones((4, 4), 'uint8'), (2, 2)).sum())")

    assert told.strip() == "4"


@pytest.mark.root
@pytest.mark.parametrize("name", ["filetype", "ocr"])
def test_the_linker_s_cache_is_the_one_that_arm64_s_own_ldconfig_writes(name, request):
    if os.geteuid():
        pytest.skip("needs to be root: ldconfig changes its root")
    root = request.getfixturevalue(name).root

    ldconfig = ["qemu-aarch64", "-cpu", CPU, "-L", root, root / "sbin/ldconfig"]
    subprocess.run([*ldconfig, "-X", "-r", root, "-C", "/tmp/theirs"], check=True)

    assert (root / "etc/ld.so.cache").read_bytes() == (root / "tmp/theirs").read_bytes()


@contextmanager
def served(image: Unpacked):
    """The image as a container would have it, without an engine: its root, its processes, its command; the address."""
    port = free_port()
    enter = 'mount --rbind /dev "$1/dev"; mount -t proc proc "$1/proc"; mount --bind "$2" "$1/proc/cpuinfo"; shift 2'
    config = image.config["config"]
    environment = [*config["Env"], f"PORT={port}", f"QEMU_CPU={CPU}"]
    program = [*config["Entrypoint"], *config["Cmd"], "--host", "127.0.0.1"]
    cpuinfo = image.root.parent / "cpuinfo"
    cpuinfo.write_text(CPUINFO)
    subprocess.run(["sh", "-c", LEND, "sh", str(image.root)], check=True)
    with (image.root.parent / "log").open("wb") as log:
        process = emulated(
            *("sh", "-euc", f'{enter}; exec "$@" >&2', "sh", str(image.root), str(cpuinfo)),
            *("env", "-i", *environment, "chroot", str(image.root)),
            *("sh", "-c", 'cd "$0" && exec "$@"', config["WorkingDir"], *program),
            stderr=log,
        )
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            os.kill(init_of(process), signal.SIGKILL)
            process.communicate()


@pytest.mark.root
def test_an_arm64_image_answers_a_prediction(filetype):
    if os.geteuid():
        pytest.skip("needs to be root, for a root of its own with everybody's ids")
    need_emulation()

    with served(filetype) as url:
        wait_until_ready(url, seconds=300)
        answer = ask(f"{url}/predictions", {"input": {"file": data_url(ROOT / "README.md")}})

    assert answer["status"] == "succeeded", answer
    assert answer["output"]["label"] == "markdown"
