"""Whether a real image has every library that its files need: the image's own dynamic linker says the same."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from cog_oci import build
from cog_oci.closed_world._linker import Loaded, World
from cog_oci.closed_world.check import _Looking, examine
from cog_oci.config import Project
from cog_oci.lock import Lock
from cog_oci.oci import Platform
from cog_oci.progress import SILENT
from cog_oci.sandbox import Sandbox
from cog_oci.store import Store
from tests.conftest import need
from tests.images.conftest import cog_oci

pytestmark = pytest.mark.network

_TRACE = """cd /; while read -r file; do echo "=== $file"
LD_TRACE_LOADED_OBJECTS=1 /lib64/ld-linux-x86-64.so.2 "/$file" 2>&1; done"""


def image_of(folder: Path, store: Path):
    """The image that was built of this project, from its lock."""
    project = Project.find(folder)
    platform = Platform("linux", "amd64")
    return build.identify(project, platform, Lock.read(project.lock_path), build.Workshop(Store(store)))


@pytest.mark.oracle
@pytest.mark.namespaces
def test_the_linker_of_the_image_finds_what_is_said_to_be_found_for_every_program_and_library(ocr, tmp_path):
    need("unshare")
    image, store = image_of(ocr.folder, ocr.store), Store(ocr.store)
    world = World(_Looking(store, SILENT).all_facts(list(image.layers)))
    paths = sorted(path for path, elf in world.elves.items() if elf.kind == (64, 62))
    (tmp_path / "paths").write_text("".join(f"{path}\n" for path in paths))

    with (tmp_path / "paths").open("rb") as given, (tmp_path / "said").open("wb") as said:
        command = ["sh", "-c", _TRACE]
        with Sandbox(image, store).start(command, stdin=given.fileno(), stdout=said.fileno()) as process:
            process.wait()

    blocks = (tmp_path / "said").read_text(errors="replace").split("=== ")[1:]
    traced = {block.partition("\n")[0]: block for block in blocks}
    linker = world.search("/lib64/ld-linux-x86-64.so.2", (64, 62), [])  # it lists itself in another way
    assert len(paths) > 500
    assert (
        "libSM.so.6 => not found" in traced["opt/venv/lib/python3.11/site-packages/cv2/qt/plugins/platforms/libqxcb.so"]
    )
    for path in paths:
        loaded = Loaded(world, path)
        lacking = set(re.findall(r"^\s*(\S+) => not found", traced[path], re.MULTILINE))
        assert {name for _, name in loaded.missing} == lacking, path
        opened = {world.search(place, (64, 62), []) for place in re.findall(r"=> (/\S+) \(", traced[path])}
        assert opened - {None, linker} == {*loaded.paths[1:]} - {linker}, path


def test_an_example_is_a_closed_world(ocr):
    assert [gap for gap in examine(image_of(ocr.folder, ocr.store), Store(ocr.store)) if not gap.plugin] == []


def test_opencv_without_libgl1_is_told_what_to_add(ocr, cache, tmp_path):
    file = re.search(r"opencv_python-([\d.]+)-", (ocr.folder / "cog.lock").read_text())
    (tmp_path / "cog.yaml").write_text(
        f'build:\n  python_version: "3.11"\n  python_packages:\n    - opencv-python=={file[1]}\n'
    )
    cog_oci("lock", cwd=tmp_path, COG_CACHE_DIR=str(cache))

    said = cog_oci("image", cwd=tmp_path, COG_CACHE_DIR=str(cache)).stderr

    assert re.search(
        r"/opencv_python\S+(?: and \d+ more need| needs) libGL\.so\.1, and nothing .*\nhint: .*`build.system_packages: - libgl1`",
        said,
    )
    assert "`build.system_packages: - libglib2.0-0`" in said
    image = image_of(tmp_path, cache)
    with Sandbox(image, Store(cache)).start(["python", "-c", "import cv2"], stdout=subprocess.DEVNULL) as process:
        assert process.wait() != 0  # and it is true
