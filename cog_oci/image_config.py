"""How a container of the image starts, and what the image says about itself: Cog's environment and labels."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cog_oci import __version__
from cog_oci.oci import ImageConfig, sha256

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cog_oci.config import Project
    from cog_oci.lock import BaseImage, PlatformLock
    from cog_oci.schema import Schema

__all__ = ["BASE_ENVIRONMENT", "LOCK_LABEL", "base_environment", "image_config"]

_COG = "0.23.1"  # the release of Cog whose interface the image speaks
BASE_ENVIRONMENT = {
    "PATH": "/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "PYTHONUNBUFFERED": "1",
    "VIRTUAL_ENV": "/opt/venv",
}
"""The variables of every image, and of the commands that build it."""
CONFIG_LABEL = "run.cog.config"
"""The label with what cog.yaml says, as JSON; and the Python that it is, as in Cog, whoever chose that."""
LOCK_LABEL = "run.cog.lock"
"""The label with the digest of the lock that the image was made from, as it travels with the image."""


def base_environment(below: BaseImage | None) -> dict[str, str]:
    """BASE_ENVIRONMENT, and on a base image its variables, with our programs first on its PATH."""
    if below is None:
        return dict(BASE_ENVIRONMENT)
    inherited = dict(variable.split("=", 1) for variable in below.env)
    own, theirs = BASE_ENVIRONMENT["PATH"].partition(":")[::2]
    path = f"{own}:{inherited.get('PATH') or theirs}"
    return {**BASE_ENVIRONMENT, **inherited, "PATH": path, "VIRTUAL_ENV": BASE_ENVIRONMENT["VIRTUAL_ENV"]}


def image_config(
    project: Project,
    parts: PlatformLock,
    schema: Schema | None,
    carried: bytes,
    also: Mapping[str, str],
    *,
    env: Mapping[str, str],
) -> ImageConfig:
    """The configuration of the image with these parts; `carried` is its lock as it travels with it.

    `also` are further labels, and `env` further variables, which `environment:` of cog.yaml may override.
    """
    settings, below = project.config, parts.base_image
    variables = {
        **base_environment(below),
        "COG_OCI_SERVER_PYTHON": parts.interpreter.executable,
        **env,
        **settings.variables,
    }
    if parts.requires is not None:
        # The words of NVIDIA's container toolkit: which GPUs, what of the driver, and what it must be at least.
        variables |= {
            "NVIDIA_VISIBLE_DEVICES": "all",
            "NVIDIA_DRIVER_CAPABILITIES": "compute,utility",
            "NVIDIA_REQUIRE_CUDA": f"cuda>={parts.requires.cuda} driver>={parts.requires.driver}",
        }
    # As in Cog, what the server needs to know comes after the user's own.
    if settings.reference:
        variables["COG_PREDICT_TYPE_STUB"] = settings.reference
    if settings.training:
        variables["COG_TRAIN_TYPE_STUB"] = settings.training
    concurrency = settings.concurrency or (schema.concurrency if schema else None)
    if concurrency is not None:
        variables["COG_MAX_CONCURRENCY"] = str(concurrency)
    build = {"python_version": parts.interpreter.version, **settings.said.get("build", {})}
    freeze = "".join(f"{wheel.name}=={wheel.version}\n" for wheel in parts.wheels)
    labels = {
        **(below.labels if below else {}),
        "run.cog.version": f"{_COG}+cog-oci.{__version__}",
        CONFIG_LABEL: json.dumps({**settings.said, "build": build}, sort_keys=True),
        "run.cog.pip_freeze": freeze,
        "run.cog.has_init": "true",
        LOCK_LABEL: sha256(carried),
        **also,
    }
    if schema is not None:
        labels["run.cog.openapi_schema"] = schema.to_bytes().decode()
    return ImageConfig(
        env=variables,
        entrypoint=("/opt/cog/tini" if below else "/usr/bin/tini", "--"),
        command=(parts.interpreter.executable, "-I", "-S", "/opt/cog/server"),
        working_dir="/src",
        exposed_ports=tuple(sorted({"5000/tcp", *(below.ports if below else ())})),
        labels=labels,
        user=below.user if below else "",
        volumes=below.volumes if below else (),
    )
