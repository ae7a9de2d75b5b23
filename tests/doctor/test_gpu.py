"""Whether an image with a GPU would run on this machine: driver and GPUs against what its lock requires."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cog_oci.config import Project
from cog_oci.doctor import _gpu
from cog_oci.lock import Lock, Requires
from tests.cli.test_commands import lock_by_hand
from tests.resolver.test_cuda import wheel

NEEDS = Requires(cuda="12.8", driver="525", driver_for_ptx="570.26")
MODULE = "NVRM version: NVIDIA UNIX {}  {}  Sat Aug 19 01:15:15 UTC 2023\nGCC version: gcc 12\n"
CLOSED, OPEN = "x86_64 Kernel Module", "Open Kernel Module for x86_64"


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with this driver and these GPUs; without any, where nothing is said."""
    monkeypatch.delenv("COG_SKIP_GPU_CHECK", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(_gpu, "_DRIVER", tmp_path / "version")
    (tmp_path / "bin").mkdir()

    def has(driver: str = "", *capabilities: str, smi: bool = True, kind: str = CLOSED) -> None:
        (tmp_path / "version").write_text(MODULE.format(kind, driver))
        if smi:
            rows = "".join(f"echo '{driver}, {one}'\n" for one in capabilities)
            (tmp_path / "bin" / "nvidia-smi").write_text(f"#!/bin/sh\n{rows}")
            (tmp_path / "bin" / "nvidia-smi").chmod(0o755)

    return has


@pytest.fixture
def locked(patient):
    """What is said of a project that requires this."""

    def said(requires: Requires | None = NEEDS, *wheels) -> list[str]:
        project = Project.find(patient.write().folder)
        lock_by_hand(project.folder, *wheels)
        lock = Lock.read(project.lock_path)
        parts = {name: replace(one, requires=requires) for name, one in lock.platforms.items()}
        replace(lock, platforms=parts).write(project.lock_path)
        return patient.said("env-gpu-compat")

    return said


def test_an_image_without_a_gpu_needs_no_driver(machine, locked):
    assert locked(None) == []


def test_a_machine_without_a_driver_is_told_what_the_image_needs(machine, locked):
    assert locked() == ["note this machine has no NVIDIA driver: the image needs 525 or newer to run"]


@pytest.mark.parametrize("kind", [CLOSED, OPEN])
@pytest.mark.parametrize(
    ("driver", "said"),
    [
        ("470.57.02", ["warning the NVIDIA driver here is 470.57.02: CUDA 12.8 needs 525 or newer"]),
        (
            "535.104.05",
            [
                (
                    "note the NVIDIA driver here is 535.104.05: CUDA 12.8 runs, but code that the driver has to compile"
                    " (PTX) needs 570.26 or newer"
                )
            ],
        ),
        ("570.124.06", []),
        ("580.65.06", []),
    ],
)
def test_the_driver_of_the_kernel_is_held_against_the_lock(machine, locked, driver, said, kind):
    machine(driver, smi=False, kind=kind)

    assert locked() == said


def test_gpus_that_a_torch_has_no_code_for_are_named(machine, locked):
    requires = replace(NEEDS, capabilities=("7.5", "8.0", "8.6", "9.0"))
    machine("580.65.06", "6.1", "8.9", "12.0")

    assert locked(requires) == [
        f"warning torch has code for GPUs of 7.5, 8.0, 8.6, 9.0, not for {gpu}, which is here"
        for gpu in ("sm_120", "sm_61")
    ]
    assert locked(replace(requires, ptx="9.0")) == [
        "warning torch has code for GPUs of 7.5, 8.0, 8.6, 9.0, not for sm_61, which is here"
    ]


def test_a_gpu_that_is_newer_than_torch_is_told_what_it_needs(machine, locked):
    machine("580.65.06", "9.0", "12.0")

    assert locked(replace(NEEDS, cuda="12.4"), wheel("torch", "2.5.1")) == [
        "warning the GPU here is sm_120, which needs torch 2.7.0 or newer and CUDA 12.8 or newer"
    ]
    assert locked(NEEDS, wheel("torch", "2.9.1")) == []


def test_a_program_that_fails_says_nothing_and_the_kernel_is_asked(machine, locked):
    machine("470.57.02")  # nvidia-smi prints nothing

    assert locked() == ["warning the NVIDIA driver here is 470.57.02: CUDA 12.8 needs 525 or newer"]


def test_whoever_wants_no_check_gets_none(machine, locked, monkeypatch):
    monkeypatch.setenv("COG_SKIP_GPU_CHECK", "1")

    assert locked() == []


def test_a_cuda_for_an_image_without_a_gpu_has_no_effect(patient):
    patient.write('build:\n  cuda: "12.4"\n  cudnn: "9"\nrun: run.py:Runner\n')

    assert patient.said("config-gpu") == [
        "warning cog.yaml:2:9 build.cuda has no effect without `gpu: true`",
        "warning cog.yaml:3:10 build.cudnn has no effect without `gpu: true`",
    ]
    patient.write('build:\n  gpu: true\n  cuda: "12.4"\nrun: run.py:Runner\n')
    assert patient.said("config-gpu") == []
