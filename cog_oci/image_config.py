"""How a container of the image starts, and what the image says about itself: Cog's environment and labels."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cog_oci import __version__
from cog_oci.oci import ImageConfig, sha256

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cog_oci.config import Project
    from cog_oci.lock import PlatformLock
    from cog_oci.schema import Schema

__all__ = ["LOCK_LABEL", "image_config"]

_COG = "0.23.1"  # the release of Cog whose interface the image speaks
LOCK_LABEL = "run.cog.lock"
"""The label with the digest of the lock that the image was made from, as it travels with the image."""


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
    settings = project.config
    variables = {
        "PATH": "/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "VIRTUAL_ENV": "/opt/venv",
        "COG_OCI_SERVER_PYTHON": parts.interpreter.executable,
        **env,
        **settings.variables,
    }
    # As in Cog, what the server needs to know comes after the user's own.
    if settings.reference:
        variables["COG_PREDICT_TYPE_STUB"] = settings.reference
    concurrency = settings.concurrency.max if settings.concurrency else (schema.concurrency if schema else None)
    if concurrency is not None:
        variables["COG_MAX_CONCURRENCY"] = str(concurrency)
    freeze = "".join(f"{wheel.name}=={wheel.version}\n" for wheel in parts.wheels)
    labels = {
        "run.cog.version": f"{_COG}+cog-oci.{__version__}",
        "run.cog.config": json.dumps(settings.model_dump(mode="json", exclude_defaults=True), sort_keys=True),
        "run.cog.pip_freeze": freeze,
        "run.cog.has_init": "true",
        LOCK_LABEL: sha256(carried),
        **also,
    }
    if schema is not None:
        labels["run.cog.openapi_schema"] = schema.to_bytes().decode()
    return ImageConfig(
        env=variables,
        entrypoint=("/usr/bin/tini", "--"),
        command=(parts.interpreter.executable, "-I", "-S", "/opt/cog/server"),
        working_dir="/src",
        exposed_ports=("5000/tcp",),
        labels=labels,
    )
