"""The check of this machine's GPUs and their driver against what the locked image takes for granted."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from cog_oci.cuda_index import cuda_index, numbers
from cog_oci.doctor._finding import Finding
from cog_oci.errors import CogError, SourceError
from cog_oci.lock import Lock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cog_oci.doctor._subject import Subject
    from cog_oci.lock import PlatformLock, Requires

__all__ = ["gpu", "without_gpu"]

_DRIVER = Path("/proc/driver/nvidia/version")
_SMI = ("nvidia-smi", "--query-gpu=driver_version,compute_cap", "--format=csv,noheader")
_PATIENCE = 10.0  # seconds


def without_gpu(subject: Subject) -> Iterator[Finding]:
    """A CUDA that cog.yaml names for an image without a GPU: as in Cog, it has no effect there."""
    if isinstance(subject.project, SourceError) or subject.project.config.build.gpu:
        return
    for key in ("cuda", "cudnn"):
        if getattr(subject.project.config.build, key):
            yield Finding(
                level="warning",
                message=f"build.{key} has no effect without `gpu: true`",
                remedy="Add `gpu: true` to build, or take the key out",
                place=subject.place("build", key),
            )


def gpu(subject: Subject) -> Iterator[Finding]:
    """Of images with a GPU: whether they would run here. COG_SKIP_GPU_CHECK leaves this out, as in Cog."""
    project = subject.project
    if os.environ.get("COG_SKIP_GPU_CHECK") or isinstance(project, SourceError) or not project.lock_path.is_file():
        return
    try:
        lock = Lock.read(project.lock_path)
    except CogError:
        return  # the check of the lock has said it
    needs = {parts.requires: parts for parts in lock.platforms.values() if parts.requires is not None}
    if not needs:
        return
    driver, capabilities = _here()
    for requires, parts in needs.items():
        if driver is None:
            yield _note(f"this machine has no NVIDIA driver: the image needs {requires.driver} or newer to run")
            continue
        yield from _too_old(driver, requires)
        for capability in capabilities:
            yield from _without_code(capability, requires, parts)


def _here() -> tuple[str | None, list[str]]:
    """The version of the driver, and the capabilities (X.Y) of the GPUs; None and none where there is no driver."""
    rows: list[list[str]] = []
    if shutil.which(_SMI[0]):
        try:
            done = subprocess.run(_SMI, capture_output=True, text=True, check=False, timeout=_PATIENCE)
            rows = [line.split(", ") for line in done.stdout.splitlines() if re.fullmatch(r"[\d.]+, \d+\.\d+", line)]
        except (OSError, subprocess.TimeoutExpired):
            rows = []
    if rows:
        return rows[0][0], sorted({capability for _, capability in rows})
    try:
        # NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023
        match = re.search(r"Kernel Module\D*\s(?:for \S+\s+)?(\d+(?:\.\d+)+)", _DRIVER.read_text(errors="replace"))
    except OSError:
        return None, []
    return (match[1] if match else None), []


def _too_old(driver: str, requires: Requires) -> Iterator[Finding]:
    if numbers(driver) < numbers(requires.driver):
        yield Finding(
            level="warning",
            message=f"the NVIDIA driver here is {driver}: CUDA {requires.cuda} needs {requires.driver} or newer",
            remedy="Update the driver of the machine that the image is to run on, or take an older CUDA"
            " (build.cuda, or wheels that are made for one)",
        )
    elif numbers(driver) < numbers(requires.driver_for_ptx):
        yield _note(
            f"the NVIDIA driver here is {driver}: CUDA {requires.cuda} runs, but code that the driver has to compile"
            f" (PTX) needs {requires.driver_for_ptx} or newer"
        )


def _without_code(capability: str, requires: Requires, parts: PlatformLock) -> Iterator[Finding]:
    """A GPU that what is locked has no code for: by what is known of that torch, else by its version."""
    sm = f"sm_{capability.replace('.', '')}"
    remedy = "Take a version of torch and a CUDA that have code for this GPU"
    if requires.capabilities:
        if not _runs(capability, requires):
            there = ", ".join(requires.capabilities)
            yield Finding(
                level="warning",
                message=f"torch has code for GPUs of {there}, not for {sm}, which is here",
                remedy=remedy,
            )
        return
    torch = next((wheel.version.partition("+")[0] for wheel in parts.wheels if wheel.name == "torch"), None)
    rows = [row for row in cuda_index().capability_floors if numbers(row.capability) <= numbers(capability)]
    if torch is not None and rows and re.fullmatch(r"\d+(\.\d+)*", torch):
        floor = rows[-1]
        if numbers(torch) < numbers(floor.torch) or numbers(requires.cuda) < numbers(floor.cuda):
            message = f"the GPU here is {sm}, which needs torch {floor.torch} or newer and CUDA {floor.cuda} or newer"
            yield Finding(level="warning", message=message, remedy=remedy)


def _runs(capability: str, requires: Requires) -> bool:
    """Code runs on GPUs of its major capability from its minor one on; PTX is compiled for any that is newer."""
    major, minor = numbers(capability)
    own = [numbers(one) for one in requires.capabilities]
    return any(one[0] == major and one[1] <= minor for one in own) or bool(
        requires.ptx and numbers(requires.ptx) <= (major, minor)
    )


def _note(message: str) -> Finding:
    return Finding(level="note", message=message, remedy="Nothing, if the image runs elsewhere")
