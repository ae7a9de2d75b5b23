"""A GPU project's lock: NVIDIA's archive and PyTorch's indexes in their own form, on loopback."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest

from cog_oci.config import Project
from cog_oci.cuda_index import cuda_index
from cog_oci.errors import CogError, SourceError
from cog_oci.fetch import Fetcher
from cog_oci.layers.debs import deb_layers
from cog_oci.lock import BaseImage, Interpreter, PlatformLock, Requires
from cog_oci.oci import Platform
from cog_oci.origins import Origins, default_index
from cog_oci.resolver._debian_suite import SignatureError
from cog_oci.resolver.cuda import Cuda
from cog_oci.resolver.cuda_debs import cuda_debs
from cog_oci.resolver.on_image import OnImage
from cog_oci.upkeep.cuda import PlatformCuda
from cog_oci.upkeep.debs import resolve_debs
from cog_oci.upkeep.renew import Renewal
from cog_oci.upkeep.upgrade import KEEP
from cog_oci.upkeep.wheels import Wheels
from tests.closed_world.elf_writer import elf
from tests.conftest import make_wheel
from tests.layers.deb_builder import deb, file, folder, symlink
from tests.resolver.debian_archive import Publication, paragraph, signing_key, suite_of
from tests.resolver.test_cuda import wheel

AMD64 = Platform("linux", "amd64")
NOW = datetime.now(UTC).replace(microsecond=0)
TOOLKIT = "usr/local/cuda-12.4/targets/x86_64-linux/lib"


class Said:
    """Progress that remembers what it was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    def task(self, name, total=None):
        from cog_oci.progress import SILENT

        return SILENT.task(name, total)


@dataclass(frozen=True)
class Ground:
    """A base of one package, for a resolver that asks for nothing else."""

    suite: str = "bookworm"
    architecture: str = "amd64"
    packages: tuple[str, ...] = ("libc-bin",)
    pinned_debs: tuple[()] = ()
    python_version: str = "3.11"
    glibc: tuple[int, int] = (2, 36)
    status: bytes = b""


def project(folder, build: str, **files: str) -> Project:
    (folder / "cog.yaml").write_text(f"build:\n  python_version: '3.11'\n{build}")
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return Project.find(folder)


# --- Debian packages of NVIDIA's


@dataclass
class Archives:
    """Debian's archive with a base, and NVIDIA's, flat, with packages that are made as its own are."""

    debian: Publication
    nvidia: Publication

    def resolve(self, found: Project, store, cuda: Cuda):
        wanted = cuda_debs(cuda, "bookworm", "amd64", (), INDEX)
        return resolve_debs(Ground(), found, (), {}, as_of=NOW, store=store, progress=Said(), cuda=wanted)


INDEX = replace(
    cuda_index(),
    archives=tuple(
        replace(row, fingerprint=signing_key("nvidia").extract_certificate().fingerprint.lower())
        for row in cuda_index().archives
    ),
)

ALTERNATIVES = """#!/bin/sh
set -e

case "$1" in
    configure)
        update-alternatives --install /usr/local/cuda cuda /usr/local/cuda-12.4 124
        update-alternatives --install /usr/local/cuda-12 cuda-12 /usr/local/cuda-12.4 124
        ldconfig
    ;;
esac

exit 0
"""


def packages() -> dict[str, bytes]:
    """By file name: the meta package, a library, and the package that makes the links."""
    config = {
        "etc/ld.so.conf.d/988_cuda-12.conf": file(b"/usr/local/cuda-12/targets/x86_64-linux/lib\n"),
        "usr/local/cuda-12.4/version.json": file(b"{}"),
    }
    runtime = {
        f"{TOOLKIT}/libcudart.so.12.4.127": file(elf("libc.so.6", soname="libcudart.so.12")),
        f"{TOOLKIT}/libcudart.so.12": symlink("libcudart.so.12.4.127"),
        "usr/local/cuda-12.4/lib64": symlink("targets/x86_64-linux/lib"),
    }
    libraries = "cuda-cudart-12-4 (>= 12.4.127)"
    return {
        "cuda-libraries-12-4": deb("cuda-libraries-12-4", version="12.4.1-1", Depends=libraries),
        "cuda-cudart-12-4": deb(
            "cuda-cudart-12-4", runtime, version="12.4.127-1", Depends="cuda-toolkit-12-4-config-common"
        ),
        "cuda-toolkit-12-4-config-common": deb(
            "cuda-toolkit-12-4-config-common",
            config,
            version="12.4.127-1",
            scripts={"postinst": ALTERNATIVES},
            Architecture="all",
        ),
        "libcudnn9-cuda-12": deb(
            "libcudnn9-cuda-12",
            {"usr/lib/x86_64-linux-gnu/libcudnn.so.9": file(elf("libc.so.6", soname="libcudnn.so.9"))},
            version="9.3.0.75-1",
        ),
    }


def listed(name: str, content: bytes, version: str, depends: str = "", where: str = "./") -> str:
    more = {"depends": depends} if depends else {}
    digest = hashlib.sha256(content).hexdigest()
    path = f"{where}{name}_{version}_amd64.deb"
    return paragraph(name, version, Filename=path, Size=str(len(content)), SHA256=digest, **more)


@pytest.fixture
def archives(site, store, tmp_path, monkeypatch) -> Archives:
    base = deb(
        "libc-bin",
        {"etc/ld.so.conf": file(b"include /etc/ld.so.conf.d/*.conf\n"), "etc/": folder(), "usr/": folder()},
    )
    site.pages["/debian/pool/libc-bin_1.0_amd64.deb"] = base
    debian = Publication(site, suite="bookworm", packages=listed("libc-bin", base, "1.0", where="pool/")).publish()
    monkeypatch.setenv("COG_MIRROR_DEBIAN", debian.url)
    monkeypatch.setattr("cog_oci.upkeep.debs.debian.suites", lambda release: (suite_of(tmp_path, release),))

    made = packages()
    versions = {"cuda-libraries-12-4": "12.4.1-1", "libcudnn9-cuda-12": "9.3.0.75-1"}
    needs = {
        "cuda-libraries-12-4": "cuda-cudart-12-4 (>= 12.4.127)",
        "cuda-cudart-12-4": "cuda-toolkit-12-4-config-common",
    }
    rows = ""
    for name, content in made.items():
        version = versions.get(name, "12.4.127-1")
        rows += listed(name, content, version, needs.get(name, ""))
        site.pages[f"/cuda/{name}_{version}_amd64.deb"] = content
    nvidia = Publication(
        site,
        suite="./",
        address="/cuda",
        packages=rows,
        suffix=".gz",
        fields={},
        by_hash=False,
        detached=True,
        signer=signing_key("nvidia"),
    ).publish()
    site.pages["/cuda/3bf863cc.pub"] = str(signing_key("nvidia").extract_certificate()).encode()
    monkeypatch.setenv("COG_APT_NVIDIA_DEBIAN12_X86_64", nvidia.url)
    return Archives(debian, nvidia)


def test_a_cuda_of_nvidias_archive_is_locked_with_the_key_that_signed_it(archives, tmp_path, store):
    found = archives.resolve(project(tmp_path, "  gpu: true\n"), store, Cuda("12.4", "9"))

    assert {one.name: (one.version, one.archive) for one in found.debs if one.layer == "system"} == {
        "cuda-cudart-12-4": ("12.4.127-1", "nvidia-debian12-x86-64"),
        "cuda-libraries-12-4": ("12.4.1-1", "nvidia-debian12-x86-64"),
        "cuda-toolkit-12-4-config-common": ("12.4.127-1", "nvidia-debian12-x86-64"),
        "libcudnn9-cuda-12": ("9.3.0.75-1", "nvidia-debian12-x86-64"),
    }
    assert found.archives[-1].key.lower() == INDEX.archives[0].fingerprint


def test_the_links_and_the_cache_are_what_its_scripts_would_have_made(archives, tmp_path, store):
    found = archives.resolve(project(tmp_path, "  gpu: true\n"), store, Cuda("12.4.1"))
    made = {}
    for layer in deb_layers("bookworm", found.debs):
        with layer.open(store) as entries:
            made |= {entry.path: entry for entry in entries}

    assert made["usr/local/cuda"].target == "/etc/alternatives/cuda"
    assert made["etc/alternatives/cuda"].target == "/usr/local/cuda-12.4"
    assert made["etc/alternatives/cuda-12"].target == "/usr/local/cuda-12.4"
    cache = b"".join(made["etc/ld.so.cache"].content.chunks())
    assert b"libcudart.so.12\0" in cache
    assert b"/usr/local/cuda-12/targets/x86_64-linux/lib/libcudart.so.12\0" in cache


def test_an_archive_that_someone_else_signs_is_refused(archives, tmp_path, store):
    replace(archives.nvidia, signer=signing_key("other")).publish()

    with pytest.raises(SignatureError, match="nvidia-debian12-x86-64"):
        archives.resolve(project(tmp_path, "  gpu: true\n"), store, Cuda("12.4", "9"))


def test_a_key_with_another_fingerprint_is_refused(archives, tmp_path, store, site):
    site.pages["/cuda/3bf863cc.pub"] = str(signing_key("other").extract_certificate()).encode()

    with pytest.raises(CogError, match=r"the key of nvidia-debian12-x86-64 has the fingerprint"):
        archives.resolve(project(tmp_path, "  gpu: true\n"), store, Cuda("12.4", "9"))


def test_where_nvidias_archive_cannot_be_reached_a_mirror_is_advised(archives, tmp_path, store, site):
    del site.pages["/cuda/3bf863cc.pub"]

    with pytest.raises(CogError, match="cannot fetch the key of nvidia-debian12-x86-64") as caught:
        archives.resolve(project(tmp_path, "  gpu: true\n"), store, Cuda("12.4", "9"))
    assert "COG_APT_NVIDIA_DEBIAN12_X86_64" in str(caught.value.hint)


def newer_cudnn(archives: Archives, site) -> None:
    """NVIDIA's archive with another release of cuDNN beside the one that it had."""
    content = deb("libcudnn9-cuda-12", version="9.4.0.58-1")
    site.pages["/cuda/libcudnn9-cuda-12_9.4.0.58-1_amd64.deb"] = content
    rows = archives.nvidia.packages + listed("libcudnn9-cuda-12", content, "9.4.0.58-1")
    replace(archives.nvidia, packages=rows).publish()


def cudnn_of(resolution) -> str:
    return next(one.version for one in resolution.debs if one.name == "libcudnn9-cuda-12")


def test_what_is_locked_of_cuda_stays_while_it_fits_and_moves_when_it_is_asked_to(archives, tmp_path, store, site):
    here = project(tmp_path, "  gpu: true\n")
    kept = archives.resolve(here, store, Cuda("12.4", "9")).debs
    newer_cudnn(archives, site)

    def again(upgraded: dict[str, str | None], **asked: Cuda | None):
        cuda = asked.get("cuda", Cuda("12.4", "9"))
        wanted = cuda_debs(cuda, "bookworm", "amd64", (), INDEX) if cuda else None
        return resolve_debs(Ground(), here, kept, upgraded, as_of=NOW, store=store, progress=Said(), cuda=wanted)

    assert cudnn_of(archives.resolve(here, store, Cuda("12.4", "9"))) == "9.4.0.58-1"
    assert cudnn_of(again({})) == "9.3.0.75-1"
    assert cudnn_of(again({"libcudnn9-cuda-12": None})) == "9.4.0.58-1"
    assert cudnn_of(again({"libcudnn9-cuda-12": "9.3.0.75-1"})) == "9.3.0.75-1"
    assert cudnn_of(again({}, cuda=Cuda("12.4", "9.4"))) == "9.4.0.58-1", "what is locked does not fit"
    assert [one.name for one in again({"libcudnn9-cuda-12": None}, cuda=None).debs] == ["libc-bin"]
    with pytest.raises(CogError, match=r"9\.9"):
        again({"libcudnn9-cuda-12": "9.9"})


def locked(found, requires: Requires | None, inputs: dict[str, str]) -> PlatformLock:
    python = Interpreter(source="debian", suite="bookworm", version="3.11", executable="/usr/bin/python3.11")
    return PlatformLock(
        inputs=inputs,
        interpreter=python,
        archives=found.archives,
        debs=found.debs,
        wheels=(),
        server=(),
        requires=requires,
    )


def test_a_cuda_that_is_said_to_the_point_takes_the_place_of_one_that_was_not(archives, tmp_path, store, monkeypatch):
    monkeypatch.setattr("cog_oci.cuda_index.cuda_index", lambda: INDEX)
    before = project(tmp_path, "  gpu: true\n  cuda: '12.4'\n")
    requires = Requires(cuda="12.4", driver="525", driver_for_ptx="550.54.14")
    kept = locked(archives.resolve(before, store, Cuda("12.4")), requires, before.lock_inputs())

    def again(said: str) -> PlatformLock:
        here = project(tmp_path, f"  gpu: true\n  cuda: '{said}'\n")
        cuda = PlatformCuda(here, AMD64, Ground(), store, Said())
        found = replace(kept, inputs=here.lock_inputs())
        return Renewal(here, NOW, store, Said())._with_cuda(cuda, found, Ground(), kept)

    assert again("12.4") == kept
    assert again("12.4.1").debs == kept.debs
    with pytest.raises(SourceError, match=r"cog\.yaml:4:9: build\.cuda: there is no cuda-libraries-12-4 12\.4\.0"):
        again("12.4.0")


# --- what follows from the wheels


def needs(folder, build: str, *wheels, ground: Ground = Ground(), said: Said | None = None, **files: str):
    found = project(folder, f"  gpu: true\n{build}", **files)
    return PlatformCuda(found, AMD64, ground, None, said or Said()).needs(wheels)


def test_wheels_that_bring_cuda_need_a_driver_and_no_package(tmp_path):
    wheels = (
        wheel("torch", "2.9.1", "cog.yaml"),
        wheel(
            "nvidia-cuda-runtime-cu12", "12.8.90", "torch", tag="py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64"
        ),
        wheel("nvidia-cudnn-cu12", "9.10.2.21", "torch", tag="py3-none-manylinux_2_27_x86_64"),
    )

    found = needs(tmp_path, "", *wheels)

    assert found.debs is None
    assert found.requires == Requires(
        cuda="12.8", driver="525", driver_for_ptx="570.26", cudnn="9.10.2.21", glibc="2.28"
    )


def test_the_gpus_that_a_torch_has_code_for_are_said_where_they_are_known(tmp_path):
    found = needs(tmp_path, "", wheel("torch", "2.7.0+cu128", "cog.yaml"))

    assert found.requires.capabilities == ("7.5", "8.0", "8.6", "9.0", "10.0", "12.0")
    assert (found.requires.cuda, found.requires.ptx) == ("12.8", "12.0")


def test_debian_brings_the_cuda_of_its_suite(tmp_path):
    found = needs(tmp_path, "")

    assert found.requires == Requires(cuda="11.8", driver="450", driver_for_ptx="520.61.05")
    assert found.debs.components == ("main", "contrib", "non-free")


def on_image(folder, build: str, *wheels, env: str = "", **files: str):
    """What is needed on a base image with these variables, and what was said."""
    image = BaseImage(
        reference="registry.example.com/base",
        manifest="sha256:" + "0" * 64,
        architecture="amd64",
        glibc="2.36",
        env=tuple(env.split()),
        user="",
        ports=(),
        volumes=(),
        labels={},
        layers=(),
    )
    python = Interpreter(source="base image", suite="bookworm", version="3.11", executable="/usr/bin/python3.11")
    said = Said()
    text = f"  base_image: registry.example.com/base\n{build}"
    found = needs(folder, text, *wheels, ground=OnImage(image, python), said=said, **files)
    assert found.debs is None, "nothing is added to a base image"
    return found.requires, said.lines


NVIDIA = "CUDA_VERSION=12.4.1 NV_CUDNN_VERSION=9.1.0.70-1"


def test_a_base_image_has_the_cuda_that_it_says(tmp_path):
    onnx = wheel("onnxruntime-gpu", "1.22.0", "cog.yaml", tag="cp311-cp311-manylinux_2_27_x86_64")

    requires, said = on_image(tmp_path, "", onnx, env=NVIDIA)
    assert (requires.cuda, requires.driver, requires.cudnn, said) == ("12.4", "525", "9", [])
    requires, said = on_image(tmp_path, "  cuda: '12.4'\n  cudnn: '9.1'\n", env=NVIDIA)
    assert (requires.cuda, requires.cudnn, said) == ("12.4", "9.1", [])
    requires, said = on_image(tmp_path, "", wheel("torch", "2.7.0+cu118", "cog.yaml"), env=NVIDIA)
    assert (requires.cuda, said) == ("11.8", []), "wheels bring their own"


def test_a_base_image_with_another_cuda_than_is_asked_for_is_refused(tmp_path):
    with pytest.raises(SourceError, match=r"cog\.yaml:5:9: build\.cuda: the base image has CUDA 12\.4, not 11\.8"):
        on_image(tmp_path, "  cuda: '11.8'\n", env=NVIDIA)
    with pytest.raises(SourceError, match=r"cog\.yaml:5:10: build\.cudnn: the base image has cuDNN 9\.1.*, not 8"):
        on_image(tmp_path, "  cudnn: '8'\n", env=NVIDIA)
    with pytest.raises(
        SourceError, match=r"cog\.yaml:3:8: build\.gpu: the base image has CUDA 99\.1, and which driver"
    ):
        on_image(tmp_path, "", env="CUDA_VERSION=99.1.0")


def test_what_a_base_image_does_not_say_is_warned_of(tmp_path):
    onnx = wheel("onnxruntime-gpu", "1.22.0", "cog.yaml", tag="cp311-cp311-manylinux_2_27_x86_64")

    requires, said = on_image(tmp_path, "")
    assert (requires, len(said)) == (None, 1)
    assert said[0].endswith("build.cuda says it")
    requires, said = on_image(tmp_path, "  cuda: '12.4'\n  cudnn: '9'\n")
    assert requires.cuda == "12.4"
    assert [line.rpartition("it has ")[2] for line in said] == ["CUDA 12.4", "cuDNN 9"]
    requires, said = on_image(tmp_path, "", onnx, env="CUDA_VERSION=11.8.0 NV_CUDNN_VERSION=8.9.6.50-1")
    assert requires.cuda == "11.8"
    assert said[0].startswith("warning: onnxruntime-gpu is made for CUDA 12.")


def test_a_project_without_a_gpu_needs_nothing(tmp_path):
    found = project(tmp_path, "")

    assert PlatformCuda(found, AMD64, Ground(), None, Said()).needs([wheel("torch", "2.9.1")]).requires is None
    assert not {name for name in found.lock_inputs() if "CUDA" in name or "gpu" in name}


@pytest.mark.parametrize(
    ("build", "requirements", "says"),
    [
        ("  cuda: '9.0'\n", "", "cog.yaml:4:9: build.cuda: CUDA 9.0 is not supported"),
        (
            "  cudnn: '7'\n",
            "",
            "cog.yaml:4:10: build.cudnn: cuDNN 7 is not available; compatible CuDNN versions are: 8, 9",
        ),
        ("  cuda: '11.8'\n", "tensorflow==2.15.1\n", "cog.yaml:4:9: build.cuda: TensorFlow 2.15.1 requires CUDA 12.2"),
    ],
)
def test_what_does_not_fit_is_told_with_its_line(tmp_path, build, requirements, says):
    build += "  python_requirements: requirements.txt\n"

    with pytest.raises(SourceError) as caught:
        needs(tmp_path, build, requirements__txt=requirements)

    assert str(caught.value) == says


def test_torch_without_a_version_is_told_with_the_line_of_the_requirements(tmp_path):
    found = project(
        tmp_path, "  gpu: true\n  python_requirements: requirements.txt\n", requirements__txt="numpy\ntorch>=2\n"
    )

    with pytest.raises(SourceError) as caught:
        PlatformCuda(found, AMD64, Ground(), None, Said()).indexes()

    assert str(caught.value) == "requirements.txt:2:1: torch version must be specified when using CUDA"


# --- PyTorch's own indexes


@pytest.fixture
def indexes(site, tmp_path, monkeypatch):
    """The default index, as JSON with times and sizes, and PyTorch's, as plain pages without; the wheels of both."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    pages: dict[str, list[tuple[str, bytes]]] = {}

    def add(index: str, name: str, version: str) -> None:
        path = make_wheel(folder, name, {f"{name}/__init__.py": f"'{index}'".encode()}, version=version)
        content = path.read_bytes()
        pages.setdefault(f"/{index}/{name}/", []).append((path.name, content))
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()
        for written in (path.name, path.name.replace("+", "%2B")):  # as uv and as the page has it
            site.pages[f"/{index}/{name}/{written}"] = content
            site.pages[f"/{index}/{name}/{written}.metadata"] = metadata

    add("simple", "torch", "2.9.1")
    add("simple", "numpy", "2.1.0")
    for variant in ("cu126", "cpu"):
        add(f"whl/{variant}", "torch", f"2.9.1+{variant}")
        add(f"whl/{variant}", "numpy", "1.26.0")
    for page, files in pages.items():
        site.pages[page] = document(page, files) if page.startswith("/simple") else links(page, files)
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"{site.url}/simple")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    for variant in ("CU126", "CPU"):
        monkeypatch.setenv(f"COG_INDEX_PYTORCH_{variant}", f"{site.url}/whl/{variant.lower()}")
    default_index.cache_clear()
    yield site
    default_index.cache_clear()


def document(page: str, files: list[tuple[str, bytes]]):
    """A page of the simple API (PEP 691, PEP 700)."""
    rows = [
        {
            "filename": name,
            "url": f"{page}{name}",
            "hashes": {"sha256": hashlib.sha256(content).hexdigest()},
            "size": len(content),
            "upload-time": "2025-01-01T00:00:00Z",
            "core-metadata": True,
        }
        for name, content in files
    ]
    body = json.dumps({"meta": {"api-version": "1.1"}, "name": page.split("/")[-2], "files": rows}).encode()
    return lambda handler: handler.answer(200, body, Content_Type="application/vnd.pypi.simple.v1+json")


def links(page: str, files: list[tuple[str, bytes]]):
    """A page as PyTorch has it: links with hashes, with METADATA beside them, without times and sizes."""
    rows = "".join(
        f'<a href="{page}{name.replace("+", "%2B")}#sha256={hashlib.sha256(content).hexdigest()}"'
        f' data-core-metadata="true">{name}</a>'
        for name, content in files
    )
    body = f"<!DOCTYPE html><html><body>{rows}</body></html>".encode()
    return lambda handler: handler.answer(200, body, Content_Type="text/html")


def wheels_of(found: Project, store, said: Said, kept=None):
    """What is locked, as name and version, and the index of each."""
    cuda = PlatformCuda(found, AMD64, Ground(), store, said)
    job = Wheels(found, AMD64, Ground(), NOW, store, said, lambda: None, cuda.indexes())
    return {one.name: (one.version, one.index) for one in job.resolve_reachable(kept, KEEP, cuda.reachable).wheels}


REQUIREMENTS = "  python_requirements: requirements.txt\n"


def test_a_cuda_that_the_default_wheel_is_not_made_for_comes_from_pytorchs_index_and_nothing_else_does(
    indexes, tmp_path, store
):
    found = project(tmp_path, f"  gpu: true\n  cuda: '12.6'\n{REQUIREMENTS}", requirements__txt="torch==2.9.1\nnumpy\n")

    said = Said()
    job = Wheels(
        found,
        AMD64,
        Ground(),
        NOW,
        store,
        said,
        lambda: None,
        PlatformCuda(found, AMD64, Ground(), store, said).indexes(),
    )
    locked = job.resolve(None, KEEP).wheels

    assert {one.name: (one.version, one.index) for one in locked} == {
        "torch": ("2.9.1+cu126", "pytorch-cu126"),
        "numpy": ("2.1.0", "default"),
    }
    # The lock has no more than the name of that index, and the project says nothing of it.
    fetcher = Fetcher(store)
    fetcher.artifacts(locked, Origins(fetcher, NOW, indexes=found.indexes()).locate)
    assert all(store.has(one.digest, one.size) for one in locked)


def test_a_gpu_image_takes_torch_from_the_default_index(indexes, tmp_path, store):
    found = project(tmp_path, f"  gpu: true\n{REQUIREMENTS}", requirements__txt="torch==2.9.1\n")

    assert wheels_of(found, store, Said()) == {"torch": ("2.9.1", "default")}


def test_an_image_without_a_gpu_gets_torch_for_cpus(indexes, tmp_path, store):
    found = project(tmp_path, REQUIREMENTS, requirements__txt="torch==2.9.1\n")

    assert wheels_of(found, store, Said()) == {"torch": ("2.9.1+cpu", "pytorch-cpu")}


def test_where_pytorchs_index_cannot_be_reached_the_default_one_serves_and_it_is_said(
    indexes, tmp_path, store, monkeypatch
):
    monkeypatch.setenv("COG_INDEX_PYTORCH_CPU", f"{indexes.url}/gone")
    found, said = project(tmp_path, REQUIREMENTS, requirements__txt="torch==2.9.1\n"), Said()

    assert wheels_of(found, store, said) == {"torch": ("2.9.1", "default")}
    assert any(line.startswith("warning: ") and "with CUDA in it" in line for line in said.lines)


def test_where_pytorchs_index_fails_uv_it_is_asked_once_more_without(indexes, tmp_path, store, monkeypatch):
    found, said = project(tmp_path, REQUIREMENTS, requirements__txt="torch==2.9.1\n"), Said()
    # Whatever uv makes of this, it is no answer; and to us it is no index.
    indexes.pages["/broken/torch/"] = lambda handler: handler.answer(400, b"")
    monkeypatch.setenv("COG_INDEX_PYTORCH_CPU", f"{indexes.url}/broken")

    assert wheels_of(found, store, said) == {"torch": ("2.9.1", "default")}
    assert any(line.startswith("warning: ") and "with CUDA in it" in line for line in said.lines)


def test_what_cannot_be_resolved_is_told_where_pytorchs_index_is_there(indexes, tmp_path, store):
    found = project(tmp_path, REQUIREMENTS, requirements__txt="torch==2.9.1\nabsent\n")

    with pytest.raises(SourceError, match="absent"):
        wheels_of(found, store, Said())


def test_a_project_that_names_its_indexes_knows_better(indexes, tmp_path, store):
    text = f"--extra-index-url {indexes.url}/whl/cu126\ntorch==2.9.1\n"
    found = project(tmp_path, REQUIREMENTS, requirements__txt=text)

    assert wheels_of(found, store, Said()) == {"torch": ("2.9.1+cu126", "extra-index-url")}
