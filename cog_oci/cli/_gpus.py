"""Which GPUs a container gets when nobody says: all that there are, for an image that is made for them, as in Cog."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cog_oci.engines import Engine
    from cog_oci.progress import Progress

__all__ = ["default_gpus"]

_CONFIG_LABEL = "run.cog.config"
_DRIVER = Path("/proc/driver/nvidia/version")


def default_gpus(labels: Mapping[str, str], engine: Engine, progress: Progress) -> str | None:
    """`all`, or None for an image without `build.gpu`, and where there is no driver, which is said; by its labels."""
    if not _wants_gpu(labels):
        return None
    if engine.name == "sandbox":
        progress.say("the sandbox has no GPUs: the model starts without")
        return None
    if not (_DRIVER.exists() or shutil.which("nvidia-smi")):
        progress.say("there is no NVIDIA driver here: the model starts without a GPU; --gpus all asks for one anyway")
        return None
    return "all"


def _wants_gpu(labels: Mapping[str, str]) -> bool:
    try:
        config = json.loads(labels.get(_CONFIG_LABEL, "{}"))
        return bool(config["build"]["gpu"])
    except (ValueError, TypeError, KeyError):
        return False
