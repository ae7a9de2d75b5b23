"""Which commit of the user's repository an image is made from, for the labels that say so."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["NAMES", "labels"]

_REVISION = "org.opencontainers.image.revision"
_VERSION = "org.opencontainers.image.version"
NAMES = (_REVISION, _VERSION)
_PATIENCE = 3  # seconds, as Cog has it: a label is not worth more

# A repository can name a program for git to run (git-config(1), core.fsmonitor): nothing of the project runs here.
_GIT = ("git", "-c", "core.fsmonitor=false")


def labels(folder: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """The labels of the image specification (§annotations.md) for the commit and the tag of this folder.

    By Cog's rule: GITHUB_SHA and GITHUB_REF_NAME where they are set, else what `git rev-parse HEAD` and
    `git describe --tags --dirty` say of a work tree. A label that nobody knows is left out, whatever the reason.
    """
    found = {
        _REVISION: environ.get("GITHUB_SHA") or _ask(folder, environ, "rev-parse", "HEAD"),
        _VERSION: environ.get("GITHUB_REF_NAME") or _ask(folder, environ, "describe", "--tags", "--dirty"),
    }
    return {name: value for name, value in found.items() if value}


def _ask(folder: Path, environ: Mapping[str, str], *question: str) -> str:
    """What git prints on one line; empty when there is no git, no work tree or no answer."""
    if _run(folder, environ, "rev-parse", "--is-inside-work-tree") != "true":
        return ""
    return _run(folder, environ, *question)


def _run(folder: Path, environ: Mapping[str, str], *arguments: str) -> str:
    try:
        done = subprocess.run(
            [*_GIT, "-C", os.fspath(folder), *arguments],
            env={**environ, "GIT_OPTIONAL_LOCKS": "0"},  # asking must not write to the repository
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("utf-8", "replace").strip()
