"""Which commit of the user's repository an image is made from, for the labels that say so."""

from __future__ import annotations

import os
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
    revision, version = environ.get("GITHUB_SHA", ""), environ.get("GITHUB_REF_NAME", "")
    if not (revision and version) and _may_be_work_tree(folder, environ):
        head, tag = _ask(folder, environ)
        revision, version = revision or head, version or tag
    return {name: value for name, value in ((_REVISION, revision), (_VERSION, version)) if value}


def _may_be_work_tree(folder: Path, environ: Mapping[str, str]) -> bool:
    """False where git would find none (gitrepository-layout(5)), which is known sooner than git can start."""
    if "GIT_DIR" in environ or "GIT_WORK_TREE" in environ:
        return True
    there = folder.resolve()
    return any(os.path.lexists(above / ".git") for above in (there, *there.parents))


def _ask(folder: Path, environ: Mapping[str, str]) -> tuple[str, str]:
    """The commit and the tag, asked side by side; empty where there is no git, no work tree or no answer.

    `git describe --dirty` would write what it learnt into the index; `git status` can be told not to.
    """
    import subprocess  # noqa: PLC0415 - most folders that are no checkout are known to be none without it

    def start(*arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*_GIT, "-C", os.fspath(folder), *arguments],
            env={**environ, "GIT_OPTIONAL_LOCKS": "0"},  # asking must not write to the repository
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def answer(process: subprocess.Popen[bytes]) -> list[str]:
        try:
            output, _ = process.communicate(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return []
        return [] if process.returncode else output.decode("utf-8", "replace").splitlines()

    try:
        asked = [
            start("rev-parse", "--is-inside-work-tree", "HEAD"),
            start("describe", "--tags"),
            start("status", "--porcelain", "--untracked-files=no"),
        ]
    except OSError:
        return "", ""
    inside, tag, changed = map(answer, asked)
    if len(inside) != 2 or inside[0] != "true":
        return "", ""
    return inside[1], "".join(tag) + ("-dirty" if tag and changed else "")
