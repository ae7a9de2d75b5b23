"""Repositories: a revision is looked up once, and from then on it is a commit."""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urldefrag, urlsplit

from cog_oci.errors import CogError
from cog_oci.fetch import redacted
from cog_oci.indexes import bare

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Repository", "checkout"]

_TRANSPORTS = "git:http:https:ssh"  # never ext, which runs what an address says
_FIXED = (
    *("core.autocrlf=false", "core.eol=lf", "core.hooksPath=/dev/null", "core.fsmonitor=false"),
    "core.abbrev=7",  # else by the number of objects: a version made of it would change as the repository grows
    "advice.detachedHead=false",
)
# What git sets for its hooks, `git rev-parse --local-env-vars`: whoever locks in one is in another repository.
_OF_ANOTHER = frozenset(
    f"GIT_{name}"
    for name in (
        *("DIR", "COMMON_DIR", "WORK_TREE", "IMPLICIT_WORK_TREE", "PREFIX", "INTERNAL_SUPER_PREFIX", "INDEX_FILE"),
        *("OBJECT_DIRECTORY", "ALTERNATE_OBJECT_DIRECTORIES", "GRAFT_FILE", "SHALLOW_FILE", "NO_REPLACE_OBJECTS"),
        *("REPLACE_REF_BASE", "CONFIG", "NAMESPACE"),
    )
)


@dataclass(frozen=True, slots=True)
class Repository:
    """`git+https://host/repository@revision#subdirectory=folder`, taken apart; the address as git wants it."""

    address: str
    revision: str
    subdirectory: str

    @classmethod
    def parse(cls, where: str) -> Repository:
        """From what stands in a requirements file. The revision is what follows the last @ of the path."""
        address, fragment = urldefrag(where.removeprefix("git+"))
        parts = urlsplit(address)
        path, at, revision = parts.path.rpartition("@")
        path = path if at else parts.path
        subdirectory = re.search(r"(?:^|&)subdirectory=([^&]+)", fragment)
        return cls(
            parts._replace(path=path).geturl(),
            unquote(revision) if at else "",
            unquote(subdirectory[1]).strip("/") if subdirectory else "",
        )


def checkout(repository: Repository, into: Path) -> str:
    """The repository at its revision, in an empty folder, with its submodules; returns the commit.

    The whole history is there: versions are made from tags. The login is that of the address, else git's: its helpers,
    netrc, ssh. Raises CogError in git's words, without a login in them.
    """
    if shutil.which("git") is None:
        raise CogError(f"{redacted(repository.address)} needs git, which is not on PATH", hint="install git")
    git = _Git(repository.address)
    git("clone", "--quiet", "--no-checkout", "--origin", "origin", "--", git.address, str(into))
    for name in _meanings(repository.revision):
        found = git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}", at=into, check=False)
        if found:
            break
    else:
        git("fetch", "--quiet", "origin", repository.revision, at=into)
        found = git("rev-parse", "--verify", "FETCH_HEAD^{commit}", at=into)
    git("checkout", "--quiet", "--detach", found, at=into)
    if (into / ".gitmodules").is_file():
        git("submodule", "--quiet", "update", "--init", "--recursive", at=into)
    _describe(git, into)
    return found


def _describe(git: _Git, tree: Path) -> None:
    """Leave what tags say of the commit where setuptools-scm looks for it in an archive: the image may lack git.

    A project that has the file has it with placeholders for `git archive`.
    """
    file = tree / ".git_archival.txt"
    if file.is_symlink():  # it may lead out of the tree
        return
    if file.is_file() and "$Format:" not in file.read_text(encoding="utf-8", errors="replace"):
        return
    node, date = git("log", "-1", "--format=%H %cI", at=tree).split()
    described = git("describe", "--tags", "--long", "--match", "*[0-9]*", at=tree, check=False)
    rows = {"node": node, "node-date": date, **({"describe-name": described} if described else {})}
    file.write_text("".join(f"{name}: {value}\n" for name, value in rows.items()), encoding="utf-8")


def _meanings(revision: str) -> Iterator[str]:
    """What a revision may be: a branch as it is over there, a tag, a commit."""
    if not revision:
        yield "HEAD"
        return
    if revision.startswith("-"):
        raise CogError(f"{revision!r} is not a revision")
    yield from (f"refs/remotes/origin/{revision}", f"refs/tags/{revision}")
    if re.fullmatch(r"[0-9a-fA-F]{7,64}", revision):
        yield revision


def _reason(said: str) -> str:
    """The first line that says what is fatal, and the one before it, which may say why; else the last one."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    first = next((number for number, line in enumerate(lines) if line.startswith("fatal: ")), len(lines) - 1)
    return "; ".join(lines[max(first - 1, 0) : first + 1])


class _Git:
    """git for one address, whose login is in no list of processes, nor in the folder that it makes."""

    def __init__(self, address: str) -> None:
        self.address = bare(address)
        parts = urlsplit(address)
        self._secrets: list[str] = []
        header: dict[str, str] = {}
        if parts.scheme in {"http", "https"} and parts.username is not None:
            user, password = unquote(parts.username), unquote(parts.password or "")
            encoded = base64.b64encode(f"{user}:{password}".encode()).decode()
            self._secrets = [encoded, password or user]  # a token stands alone
            said = os.environ.get("GIT_CONFIG_COUNT", "")
            next_one = int(said) if said.isdecimal() else 0  # after what there is already
            header = {
                "GIT_CONFIG_COUNT": str(next_one + 1),
                f"GIT_CONFIG_KEY_{next_one}": f"http.{parts.scheme}://{parts.netloc.rpartition('@')[2]}/.extraHeader",
                f"GIT_CONFIG_VALUE_{next_one}": f"Authorization: Basic {encoded}",
            }
        self._env = {
            **{name: value for name, value in os.environ.items() if name not in _OF_ANOTHER},
            # A submodule of what is far away is not a folder of this machine.
            "GIT_ALLOW_PROTOCOL": f"file:{_TRANSPORTS}" if parts.scheme == "file" else _TRANSPORTS,
            "GIT_TERMINAL_PROMPT": "0",
            "LC_ALL": "C.UTF-8",
            **header,
        }

    def __call__(self, *words: str, at: Path | None = None, check: bool = True) -> str:
        """What git prints. CogError with the reason that it gives when it fails, if that is to be checked."""
        place = ["-C", str(at)] if at else []
        # What a checkout has in it must not depend on this machine's configuration.
        fixed = [word for setting in _FIXED for word in ("-c", setting)]
        done = subprocess.run(
            ["git", *place, *fixed, *words], capture_output=True, text=True, check=False, env=self._env
        )
        if done.returncode and check:
            told = _reason(done.stderr) or f"git ended with {done.returncode}"
            for secret in self._secrets:
                told = told.replace(secret, "***")
            hint = "see that the address, the revision and the login are right"
            raise CogError(f"{self.address}: {told}", hint=hint)
        return done.stdout.strip()
